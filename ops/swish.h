#pragma once
#include "engine/math.h"
#include "engine/op.h"
#include "ops/shared/gate.h"

namespace weft::ops {

struct Swish : Pointwise {
  static constexpr Doc doc{"x times its own sigmoid: a smooth gate", "y = x * sigmoid(beta * x)",
                           "Ramachandran, Zoph and Le 2017, arXiv:1710.05941"};
  static constexpr const char* gradient = "dx = dy * (s + beta * x * s * (1 - s)), s = sigmoid(beta * x)";
  static constexpr Reads reads{.outputs = 1};
  struct Attrs {
    double beta = 1;
  };
  static auto attributes() { return std::tuple{attribute("beta", &Attrs::beta, "slope of the sigmoid")}; }

  template <class T> static T value(const Attrs& a, T x) { return x * sigmoid(T(a.beta) * x); }
  // dy/dx = s + beta y (1 - s), with s = sigmoid(beta x)
  template <class T> static std::array<T, 1> slopes(const Attrs& a, T x, T y) {
    const T s = gate_of(x, y);
    return {s + T(a.beta) * x * s * (T(1) - s)};
  }
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3}}, {{"beta", 1.7}}}}; }
};

inline Var swish(const Var& x, double beta = 1) { return apply<Swish>({x}, {.beta = beta}); }

}  // namespace weft::ops
