#pragma once
#include "engine/op.h"

namespace weft::ops {

struct Abs : Pointwise {
  static constexpr Doc doc{"absolute value", "y = |x|"};
  static constexpr const char* gradient = "dx = dy * sign(x)";

  template <class T> static T value(const Attrs&, T x) { return x < 0 ? -x : x; }
  template <class T> static std::array<T, 1> slopes(const Attrs&, T x, T) {
    return {x < 0 ? T(-1) : (x > 0 ? T(1) : T(0))};
  }
  static int branch(const Attrs&, double x) { return (x > 0) - (x < 0); }
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3}}}}; }
};

inline Var abs(const Var& x) { return apply<Abs>({x}); }

}  // namespace weft::ops
