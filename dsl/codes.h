#pragma once
// The table of error codes: one row each. `weft help E0203` prints a row.
// E00xx files and sizes, E01xx text and expressions, E02xx names and shapes, E03xx structure of a
// file, E04xx parameters and values, E05xx options and overrides, W01xx warnings.

#include <span>
#include <string>
#include <string_view>

namespace weft::dsl {

struct Code {
  std::string_view id;           // "E0203"
  std::string_view title;        // a few words
  std::string_view explanation;  // what the rule is and why
  std::string_view example;      // the smallest text that shows the error
  std::string_view cure;         // the same, put right
  int exit = 2;                  // the exit code a run ends with when this is its worst error
};

/// All rows, in order of their ids.
std::span<const Code> codes();

/// The row of an id, or nullptr.
const Code* find_code(std::string_view id);

/// The row as `weft help` prints it.
std::string code_text(const Code& code);

}  // namespace weft::dsl
