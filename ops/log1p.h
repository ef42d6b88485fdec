#pragma once
#include <cmath>

#include "engine/op.h"

namespace weft::ops {

struct Log1p : Pointwise {
  static constexpr Doc doc{"natural logarithm of 1 + x, exact for small x", "y = ln(1 + x)"};
  static constexpr const char* gradient = "dx = dy / (1 + x)";

  template <class T> static T value(const Attrs&, T x) { return std::log1p(x); }
  template <class T> static std::array<T, 1> slopes(const Attrs&, T x, T) { return {T(1) / (T(1) + x)}; }
  static std::vector<Sample> samples() { return {{{{5}}, {}, -0.7, 0.9}, {{{2, 3}}, {}, -0.7, 0.9}}; }
};

inline Var log1p(const Var& x) { return apply<Log1p>({x}); }

}  // namespace weft::ops
