#pragma once
#include "engine/math.h"
#include "engine/op.h"

namespace weft::ops {

struct Tanh : Pointwise {
  static constexpr Doc doc{"hyperbolic tangent", "y = tanh x"};
  static constexpr const char* gradient = "dx = dy * (1 - y^2)";
  static constexpr Reads reads{.inputs = 0, .outputs = 1};

  template <class T> static T value(const Attrs&, T x) { return weft::tanh(x); }
  // dy/dx = 1 - y^2
  template <class T> static std::array<T, 1> slopes(const Attrs&, T, T y) { return {T(1) - y * y}; }
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3}}}}; }
};

inline Var tanh(const Var& x) { return apply<Tanh>({x}); }

}  // namespace weft::ops
