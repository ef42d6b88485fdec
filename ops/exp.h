#pragma once
#include "engine/math.h"
#include "engine/op.h"

namespace weft::ops {

struct Exp : Pointwise {
  static constexpr Doc doc{"exponential", "y = e^x"};
  static constexpr const char* gradient = "dx = dy * y";
  static constexpr Reads reads{.inputs = 0, .outputs = 1};

  template <class T> static T value(const Attrs&, T x) { return weft::exp(x); }
  // dy/dx = y
  template <class T> static std::array<T, 1> slopes(const Attrs&, T, T y) { return {y}; }
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3}}}}; }
};

inline Var exp(const Var& x) { return apply<Exp>({x}); }

}  // namespace weft::ops
