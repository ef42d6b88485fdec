#pragma once
#include "engine/op.h"

namespace weft::ops {

struct Square : Pointwise {
  static constexpr Doc doc{"square", "y = x^2"};
  static constexpr const char* gradient = "dx = dy * 2 x";

  template <class T> static T value(const Attrs&, T x) { return x * x; }
  template <class T> static std::array<T, 1> slopes(const Attrs&, T x, T) { return {T(2) * x}; }
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3}}}}; }
};

inline Var square(const Var& x) { return apply<Square>({x}); }

}  // namespace weft::ops
