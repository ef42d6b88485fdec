#pragma once
#include "engine/op.h"

namespace weft::ops {

struct Reciprocal : Pointwise {
  static constexpr Doc doc{"one over x", "y = 1 / x"};
  static constexpr const char* gradient = "dx = -dy * y^2";
  static constexpr Reads reads{.inputs = 0, .outputs = 1};

  template <class T> static T value(const Attrs&, T x) { return T(1) / x; }
  // dy/dx = -y^2
  template <class T> static std::array<T, 1> slopes(const Attrs&, T, T y) { return {-y * y}; }
  static std::vector<Sample> samples() { return {{{{5}}, {}, 0.4, 2}, {{{2, 3}}, {}, -2, -0.4}}; }
};

inline Var reciprocal(const Var& x) { return apply<Reciprocal>({x}); }

}  // namespace weft::ops
