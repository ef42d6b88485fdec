// The standard library and the built-in text, embedded in the program: CMake writes what is declared here.
#pragma once
#include <span>
#include <string_view>

namespace weft::models {

/// One file of the standard library, byte for byte.
struct Embedded {
  std::string_view name;  // "retnet.yaml"
  std::string_view text;
};

/// Every file models/*.yaml, sorted by name.
std::span<const Embedded> library();

/// The text behind `data: {text: {builtin: weft}}`; empty in a build without data/weft.txt.
std::string_view builtin_text();

}  // namespace weft::models
