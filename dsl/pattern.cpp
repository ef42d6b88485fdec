// Index patterns of `contract`, `transpose` and `rearrange` in an equation. There the batch is not written and the
// sizes have names; an op is told both:
//
//     "td,dk->tk"          ->  "ztd,dk->ztk"                    a letter a dimension
//     "T (H k) -> H T k"   ->  "batch T (H=4 k) -> batch H T k"     names, in groups
#include <algorithm>

#include "dsl/builder.h"

namespace weft::dsl {
namespace {

std::string trimmed(const std::string& s) {
  const auto first = s.find_first_not_of(' ');
  return first == std::string::npos ? "" : s.substr(first, s.find_last_not_of(' ') - first + 1);
}

// What stands before each comma and the arrow, and behind it.
std::vector<std::string> sides_of(const std::string& pattern) {
  const auto arrow = pattern.find("->");
  std::vector<std::string> sides;
  for (std::size_t begin = 0; begin <= arrow;) {
    const auto end = std::min(pattern.find(',', begin), arrow);
    sides.push_back(trimmed(pattern.substr(begin, end - begin)));
    begin = end + 1;
  }
  sides.push_back(trimmed(pattern.substr(arrow + 2)));
  return sides;
}

// A side with `=4` behind each name of a size that is known here.
std::string with_sizes(const std::string& side, const std::map<std::string, Dim>& sizes) {
  std::string out;
  for (std::size_t i = 0; i < side.size();) {
    const std::size_t end = std::min(side.find_first_of(" ()", i), side.size());
    const std::string word = side.substr(i, end - i);
    const auto known = sizes.find(word);
    out += word;
    if (known != sizes.end() && known->second.known()) out += "=" + std::to_string(known->second.value());
    if (end < side.size()) out += side[end];
    i = end + 1;
  }
  return out;
}

}  // namespace

// A letter that the result lacks is summed: over T only behind a mask, as in `@`.
void Builder::watch_summed(const std::vector<std::string>& sides, const std::vector<Operand>& operands,
                           const Span& at) {
  std::string summed, allowed;
  for (std::size_t i = 0; i < operands.size() && i + 1 < sides.size(); ++i) {
    const Dims dims = dims_of(operands[i].var);
    for (std::size_t d = 0; d < std::min(dims.size(), sides[i].size()); ++d) {
      if (!is_time(dims[d]) || sides.back().find(sides[i][d]) != std::string::npos) continue;
      summed += sides[i][d];
      if (d + 1 == dims.size() && masked(operands[i].var)) allowed += sides[i][d];
    }
  }
  for (const char letter : summed) {
    if (allowed.find(letter) == std::string::npos) whole(at, "this product sums over all of T");
    program_.repeats = at;
  }
}

std::string Builder::batched_pattern(const std::string& pattern, const std::vector<Operand>& operands, const Span& at) {
  std::vector<std::string> sides = sides_of(pattern);
  const bool names = std::any_of(sides.begin(), sides.end(),
                                 [](const std::string& s) { return s.find_first_of(" (") != std::string::npos; });
  if (!names) watch_summed(sides, operands, at);
  bool batched = false;
  const auto add_batch = [&](std::string& side) {
    if (names && side.rfind("...", 0) == 0) return;
    side = (names ? "batch " : "z") + side;
  };
  for (std::size_t i = 0; i + 1 < sides.size(); ++i) {
    if (names) sides[i] = with_sizes(sides[i], room_.sizes);
    if (i >= operands.size() || !has_batch(operands[i].var)) continue;
    if (!names && pattern.find('z') != std::string::npos) {
      fail("E0206", at, "in a pattern the letter `z` stands for the batch", "use another letter");
    }
    batched = true;
    add_batch(sides[i]);
  }
  if (batched) add_batch(sides.back());
  std::string all = sides[0];
  for (std::size_t i = 1; i + 1 < sides.size(); ++i) all += "," + sides[i];
  return all + (names ? " -> " : "->") + sides.back();
}

}  // namespace weft::dsl
