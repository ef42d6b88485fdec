#include "dsl/wildcard.h"

#include <algorithm>
#include <set>

#include "dsl/diagnostic.h"

namespace weft::dsl {
namespace {

constexpr std::string_view kBetween = "*.";  // what stands between the parts of a pattern

}  // namespace

bool matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, star = std::string_view::npos, resume = 0;
  for (std::size_t n = 0; n < name.size();) {
    if (p < pattern.size() && pattern[p] == '*') star = p++, resume = n;
    else if (p < pattern.size() && pattern[p] == name[n]) ++p, ++n;
    else if (star == std::string_view::npos) return false;
    else p = star + 1, n = ++resume;  // the last star takes one character more
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

std::string corrected_pattern(std::string_view pattern, const std::vector<std::string>& names) {
  std::set<std::string> parts;
  for (const std::string& name : names) {
    for (std::size_t begin = 0; begin <= name.size();) {
      const std::size_t end = std::min(name.size(), name.find('.', begin));
      parts.insert(name.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  std::string result;
  for (std::size_t begin = 0; begin < pattern.size();) {
    const std::size_t end = std::min(pattern.size(), pattern.find_first_of(kBetween, begin));
    const std::string part(pattern.substr(begin, end - begin));
    const std::string guess = parts.contains(part) ? "" : did_you_mean(part, {parts.begin(), parts.end()});
    result += parts.contains(guess) ? guess : part;
    if (end < pattern.size()) result += pattern[end];
    begin = end + 1;
  }
  const bool found = std::any_of(names.begin(), names.end(), [&](const auto& name) { return matches(result, name); });
  return found ? result : "";
}

}  // namespace weft::dsl
