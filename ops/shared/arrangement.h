// The pattern of `rearrange`: "... T (H=4 k) -> ... H T k".
//
// A name is a dimension; names in parentheses make up one dimension, the last varying fastest; `1` is a dimension of
// size 1 without a name; `...` in front is whatever stands there. `H=4` gives a size; one name in a group may be left
// without, as the rest of the division.
#pragma once
#include <string>
#include <vector>

#include "engine/op.h"

namespace weft::ops {

struct Arrangement {
  struct Name {
    std::string name;
    std::optional<i64> size = {};
  };
  using Side = std::vector<std::vector<Name>>;  // a group a dimension; empty for `1`
  Side before, after;
  bool open = false;  // `...` on both sides

  static Arrangement parse(const std::string& pattern) {
    const auto arrow = pattern.find("->");
    check(arrow != std::string::npos, "rearrange: a pattern is like \"T (H k) -> H T k\", not \"{}\"", pattern);
    Arrangement a;
    const bool left = read(pattern.substr(0, arrow), pattern, a.before);
    a.open = read(pattern.substr(arrow + 2), pattern, a.after);
    check(left == a.open, "rearrange: `...` stands on one side alone of \"{}\"", pattern);
    const auto b = a.names(a.before), c = a.names(a.after);
    for (const auto* side : {&b, &c}) {
      for (const Name& n : *side) {
        check(count(*side, n.name) == 1, "rearrange: {} stands twice on one side of \"{}\"", n.name, pattern);
        check(count(b, n.name) == 1 && count(c, n.name) == 1,
              "rearrange: {} stands on one side alone of \"{}\": nothing is summed or repeated", n.name, pattern);
      }
    }
    return a;
  }

  static std::vector<Name> names(const Side& side) {
    std::vector<Name> all;
    for (const auto& group : side) all.insert(all.end(), group.begin(), group.end());
    return all;
  }
  /// The size of every name on the left, in order, for a value of these dims; `...` is left out.
  std::vector<Dim> sizes(const InputDims& in) const {
    const Dims& x = in[0];
    const std::size_t skipped = open && x.size() > before.size() ? x.size() - before.size() : 0;
    in.require(x.size() == before.size() + skipped,
               fmt::format("the pattern has {} dimensions and x has {} (it is {})", before.size(), x.size(), text(x)));
    std::vector<Dim> all;
    for (std::size_t i = 0; i < before.size(); ++i) split(in, before[i], x[skipped + i], all);
    return all;
  }
  /// The place on the left of every name on the right.
  std::vector<std::size_t> order() const {
    const auto b = names(before);
    std::vector<std::size_t> places;
    for (const Name& n : names(after)) {
      places.push_back(0);
      while (b[places.back()].name != n.name) ++places.back();
    }
    return places;
  }

 private:
  static int count(const std::vector<Name>& names, const std::string& name) {
    int n = 0;
    for (const Name& x : names) n += x.name == name;
    return n;
  }
  // One side into groups; true when it begins with `...`.
  static bool read(std::string side, const std::string& pattern, Side& groups) {
    const auto begin = side.find_first_not_of(' ');
    const bool open = begin != std::string::npos && side.compare(begin, 3, "...") == 0;
    if (open) side = side.substr(begin + 3);
    bool inside = false;
    for (std::size_t i = 0; i < side.size();) {
      const char c = side[i];
      if (c == '(' || c == ')') {
        check(inside == (c == ')'), "rearrange: parentheses do not match in \"{}\"", pattern);
        inside = c == '(';
        if (inside) groups.emplace_back();
      }
      if (c == ' ' || c == '(' || c == ')') {
        ++i;
        continue;
      }
      const std::size_t end = std::min(side.find_first_of(" ()", i), side.size());
      if (!inside) groups.emplace_back();
      if (const std::string word = side.substr(i, end - i); word != "1")
        groups.back().push_back(name_of(word, pattern));
      i = end;
    }
    check(!inside, "rearrange: parentheses do not match in \"{}\"", pattern);
    return open;
  }
  static Name name_of(const std::string& word, const std::string& pattern) {
    const auto equals = word.find('=');
    Name n{word.substr(0, equals)};
    bool good = !n.name.empty() &&
                n.name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") ==
                    std::string::npos &&
                !std::isdigit(static_cast<unsigned char>(n.name[0]));
    if (good && equals != std::string::npos) {
      const std::string digits = word.substr(equals + 1);
      good = !digits.empty() && digits.size() < 18 && digits.find_first_not_of("0123456789") == std::string::npos;
      if (good) n.size = std::stoll(digits);
    }
    check(good, "rearrange: `{}` is no name of a dimension in \"{}\"", word, pattern);
    return n;
  }
  // The sizes of a group that makes up the dimension `whole`.
  static void split(const InputDims& in, const std::vector<Name>& group, const Dim& whole, std::vector<Dim>& all) {
    Dim known = 1;
    std::size_t rest = 0, unknown = 0;
    const std::size_t first = all.size();
    for (std::size_t i = 0; i < group.size(); ++i) {
      if (group[i].size) known = known * Dim::named(group[i].name, *group[i].size);
      else ++unknown, rest = i;
      all.push_back(group[i].size ? Dim::named(group[i].name, *group[i].size) : Dim(1));
    }
    in.require(unknown < 2, fmt::format("the sizes of {} and {} are not known: give one, as in {}=4",
                                        group.empty() ? "" : group[0].name, group.empty() ? "" : group[rest].name,
                                        group.empty() ? "" : group[rest].name));
    const auto left = unknown                   ? Dim::quotient(whole, known)
                      : same_size(whole, known) ? std::optional(Dim(1))
                                                : std::nullopt;
    in.require(left.has_value(), fmt::format("the dimension {} of {} is not made of ({}) = {}", whole.text(),
                                             text(in[0]), text(group), known.unnamed().text()));
    if (unknown) all[first + rest] = *left;
  }
  static std::string text(const std::vector<Name>& group) {
    std::string s;
    for (const Name& n : group) s += (s.empty() ? "" : " ") + n.name;
    return s.empty() ? "1" : s;
  }
  static std::string text(const Dims& dims) { return weft::text(dims); }
};

}  // namespace weft::ops
