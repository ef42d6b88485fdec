#pragma once
// The limits of a description: they bound time and memory of everything that reads one.

#include <string_view>

#include "dsl/diagnostic.h"

namespace weft::dsl {

constexpr size_t kFileBytes = 256 * 1024;
constexpr size_t kScalarBytes = 64 * 1024;
constexpr int kYamlDepth = 64;  // yaml-cpp needs about 0.5 KiB of stack a level and gives up at 500
constexpr int kYamlNodes = 100000;

/// Checks the bytes before YAML sees them: size, strict UTF-8, control characters, line ends. False
/// when reported.
bool check_bytes(const SourcePtr& source, int begin, Diagnostics& diagnostics);

/// Our words for what yaml-cpp says; `help` may be empty.
struct Explained {
  std::string_view code;
  std::string_view message;
  std::string_view help;
};
Explained explain_yaml(std::string_view theirs);

/// The first quote at or before `offset` that does not close on its line, or -1: a guess, for a
/// note.
int open_quote_before(std::string_view text, int offset);

/// A tab among the spaces that the line at `offset` begins with, or -1.
int indenting_tab(std::string_view text, int offset);

/// The `#` of a comment behind a value on the line before that at `offset`, or -1: it may have cut the value.
int comment_before(std::string_view text, int offset);

}  // namespace weft::dsl
