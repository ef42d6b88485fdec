#pragma once
#include "engine/math.h"
#include "engine/op.h"

namespace weft::ops {

struct Rsqrt : Pointwise {
  static constexpr Doc doc{"reciprocal of the square root", "y = 1 / sqrt(x)"};
  static constexpr const char* gradient = "dx = -dy * y^3 / 2";
  static constexpr Reads reads{.inputs = 0, .outputs = 1};

  template <class T> static T value(const Attrs&, T x) { return T(1) / std::sqrt(x); }
  // dy/dx = -y^3 / 2
  template <class T> static std::array<T, 1> slopes(const Attrs&, T, T y) { return {T(-0.5) * y * y * y}; }
  static std::vector<Sample> samples() { return {{{{5}}, {}, 0.3, 3}, {{{2, 3}}, {}, 0.3, 3}}; }
};

inline Var rsqrt(const Var& x) { return apply<Rsqrt>({x}); }

}  // namespace weft::ops
