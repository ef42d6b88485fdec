#pragma once
#include "engine/math.h"
#include "engine/op.h"

namespace weft::ops {

struct Sigmoid : Pointwise {
  static constexpr Doc doc{"logistic function", "y = 1 / (1 + e^-x)"};
  static constexpr const char* gradient = "dx = dy * y * (1 - y)";
  static constexpr Reads reads{.inputs = 0, .outputs = 1};

  template <class T> static T value(const Attrs&, T x) { return weft::sigmoid(x); }
  // dy/dx = y (1 - y)
  template <class T> static std::array<T, 1> slopes(const Attrs&, T, T y) { return {y * (T(1) - y)}; }
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3}}}}; }
};

inline Var sigmoid(const Var& x) { return apply<Sigmoid>({x}); }

}  // namespace weft::ops
