// What differs between two texts, line by line.
#pragma once
#include <string>

namespace weft::cli {

/// The lines that only `before` has begin with "- ", those that only `after` has with "+ ", up to `context` lines
/// around them with two spaces; "..." stands where lines were left out. Empty when the texts are equal.
std::string difference(const std::string& before, const std::string& after, std::size_t context = 0);

}  // namespace weft::cli
