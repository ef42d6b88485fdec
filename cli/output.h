// What the verbs print: colours, numbers a person can read, diagnostics, errors.
#pragma once
#include <filesystem>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "dsl/diagnostic.h"
#include "engine/error.h"

namespace weft::cli {

/// Thrown when everything has been said; the verb ends with this code.
struct Reported {
  int exit;
};

enum class Paint { error, dim };
/// Coloured when the stream is a terminal that can; see `colored`.
std::string paint(const std::string& text, Paint how, int stream = 2);
/// NO_COLOR turns colours off, FORCE_COLOR and CLICOLOR_FORCE on, TERM=dumb off; else a terminal has them. A variable
/// that is set but empty says nothing.
bool colored(int stream);

std::string bytes_text(double bytes);  // 1.6 MB
std::string flops_text(double flops);  // 4.45 GFLOP

/// The text with every `from` replaced.
std::string replaced(std::string text, const std::string& from, const std::string& to);

/// Writes a file for the user; one that exists is never overwritten (exit 2).
void write_new(const std::filesystem::path& file, std::string_view text);

/// Writes them: with `json` as one document on stdout, else to stderr.
void report(const dsl::Diagnostics& diagnostics, bool json);
/// The same, and throws `Reported` when there are errors.
void report_errors(const dsl::Diagnostics& diagnostics, bool json);
/// The same for an error that has no place in a description; `help` is a cure, or empty.
void report(const std::string& message, const std::string& help, bool json);
/// A document as the verbs print it; bytes that are no UTF-8 (half a character of a model) become U+FFFD.
void print_json(const nlohmann::ordered_json& document);

}  // namespace weft::cli
