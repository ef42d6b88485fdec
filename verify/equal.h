// weft equal A B: are two descriptions the same function?
//
// Weights are matched by name, or by a map (dsl/weight_map.h):
//
//     b: {Wqk: Wq @ Wk^T}       every a is a b: its weights follow from those of a
//     a: {Wk: Wk_shared}        every b is an a: b is a with a restriction, an assumption
//
// With both sides the two are the same family of functions.
#pragma once
#include "verify/property.h"

namespace weft::verify {

struct Direction {
  std::string from, to;  // "a", "b": the weights of `from` are drawn, those of `to` follow
  int mapped = 0;        // by expressions; the others by name
  Finding finding;
};

struct Comparison {
  std::vector<Direction> directions;  // one; two when the map has both sides
  bool equal() const;
};

/// `map` may be null. Throws Subject::NotBuilt; an Error of kind `usage` when weights or inputs do not match.
Comparison compare(const Claim& a, const Claim& b, const dsl::SourcePtr& map);

}  // namespace weft::verify
