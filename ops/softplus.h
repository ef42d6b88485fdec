#pragma once
#include "engine/math.h"
#include "engine/op.h"

namespace weft::ops {

struct Softplus : Pointwise {
  static constexpr Doc doc{"smooth positive part", "y = ln(1 + e^x)"};
  static constexpr const char* gradient = "dx = dy * sigmoid(x)";

  template <class T> static T value(const Attrs&, T x) {
    return (x > 0 ? x : T(0)) + std::log1p(weft::exp(x > 0 ? -x : x));
  }
  // dy/dx = sigmoid(x)
  template <class T> static std::array<T, 1> slopes(const Attrs&, T x, T) { return {weft::sigmoid(x)}; }
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3}}}}; }
};

inline Var softplus(const Var& x) { return apply<Softplus>({x}); }

}  // namespace weft::ops
