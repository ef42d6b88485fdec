#pragma once
#include "engine/math.h"
#include "engine/op.h"

namespace weft::ops {

struct Sqrt : Pointwise {
  static constexpr Doc doc{"square root", "y = sqrt(x)"};
  static constexpr const char* gradient = "dx = dy / (2 y)";
  static constexpr Reads reads{.inputs = 0, .outputs = 1};

  template <class T> static T value(const Attrs&, T x) { return std::sqrt(x); }
  // dy/dx = 1 / (2 y)
  template <class T> static std::array<T, 1> slopes(const Attrs&, T, T y) { return {T(0.5) / y}; }
  static std::vector<Sample> samples() { return {{{{5}}, {}, 0.3, 3}, {{{2, 3}}, {}, 0.3, 3}}; }
};

inline Var sqrt(const Var& x) { return apply<Sqrt>({x}); }

}  // namespace weft::ops
