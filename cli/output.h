// What the verbs print: colours, numbers a person can read, diagnostics.
#pragma once
#include <string>

#include "dsl/diagnostic.h"
#include "engine/error.h"

namespace weft::cli {

/// Thrown when everything has been said; the verb ends with this code.
struct Reported {
  int exit;
};

enum class Paint { error, dim };
/// Coloured when the stream is a terminal that can; NO_COLOR and TERM=dumb turn it off.
std::string paint(const std::string& text, Paint how, int stream = 2);
bool colored(int stream);

std::string grouped(i64 number);          // 397,344
std::string bytes_text(double bytes);     // 1.6 MB
std::string flops_text(double flops);     // 4.45 GFLOP

/// Writes them: with `json` as one document on stdout, else to stderr.
void report(const dsl::Diagnostics& diagnostics, bool json);

}  // namespace weft::cli
