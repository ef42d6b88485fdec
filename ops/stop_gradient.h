#pragma once
#include "engine/op.h"

namespace weft::ops {

struct StopGradient : Pointwise {
  static constexpr Doc doc{"the value as it is, seen as a constant by the backward", "y = x"};
  static constexpr std::array inputs{Input{"x", Input::fixed}};

  template <class T> static T value(const Attrs&, T x) { return x; }
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3}}}}; }
};

inline Var stop_gradient(const Var& x) { return apply<StopGradient>({x}); }

}  // namespace weft::ops
