#pragma once
#include "engine/op.h"
#include "ops/mul.h"
#include "ops/sum.h"

namespace weft::ops {

struct Dot : Composite {
  static constexpr Doc doc{"inner product over the last dimension", "y[...] = sum over i of a[..., i] b[..., i]"};
  static constexpr std::array inputs{Input{"a", Input::plain, 1}, Input{"b", Input::plain, 1}};
  static Var build(Graph&, const Attrs&, std::span<const Var> x) {
    check(!x[0].dims().empty() && !x[1].dims().empty() && same_size(x[0].dims().back(), x[1].dims().back()),
          "dot: the last dimensions differ ({} and {})", text(x[0].dims()), text(x[1].dims()));
    return sum(mul(x[0], x[1]), -1);
  }
  static std::vector<Sample> samples() { return {{{{4}, {4}}}, {{{2, 3}, {3}}}, {{{2, 3}, {2, 3}}}}; }
  static std::vector<ErrorSample> error_samples() { return {{{{{2, 3}, {2, 4}}}, "the last dimensions differ"}}; }
};

inline Var dot(const Var& a, const Var& b) { return apply<Dot>({a, b}); }

}  // namespace weft::ops
