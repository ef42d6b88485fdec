#pragma once
#include "engine/op.h"

namespace weft::ops {

struct Relu : Pointwise {
  static constexpr Doc doc{"positive part", "y = max(x, 0)"};
  static constexpr const char* gradient = "dx = dy if x > 0 else 0";

  template <class T> static T value(const Attrs&, T x) { return x < 0 ? T(0) : x; }  // NaN stays
  template <class T> static std::array<T, 1> slopes(const Attrs&, T x, T) { return {x > 0 ? T(1) : T(0)}; }
  static int branch(const Attrs&, double x) { return x > 0; }
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3}}}}; }
};

inline Var relu(const Var& x) { return apply<Relu>({x}); }

}  // namespace weft::ops
