#pragma once
// Names of weights by patterns, as `train.freeze` and `train.groups` give them.

#include <string>
#include <string_view>
#include <vector>

namespace weft::dsl {

/// Whether `name` is `pattern` with some characters for every `*`.
bool matches(std::string_view pattern, std::string_view name);
/// The pattern with the parts of names that it spells wrong corrected, where it then matches one of `names`; else "".
std::string corrected_pattern(std::string_view pattern, const std::vector<std::string>& names);

}  // namespace weft::dsl
