#pragma once
#include "engine/math.h"
#include "engine/op.h"

namespace weft::ops {

struct Gelu : Pointwise {
  static constexpr Doc doc{"x times the normal distribution function at x", "y = x Phi(x)",
                           "Hendrycks and Gimpel 2016, arXiv:1606.08415"};
  struct Attrs {
    std::string approximate = "none";
  };
  static auto attributes() {
    return std::tuple{attribute("approximate", &Attrs::approximate,
                                "tanh: y = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))", {"none", "tanh"})};
  }

  // Phi is by erf; erf of libm is no vector code, so the exact form costs a few times what `tanh` does.
  template <class T> static T value(const Attrs& a, T x) { return x * gate(a, x); }
  // dy/dx = Phi(x) + x phi(x); with the approximation, g + x dg/dx with g = (1 + tanh u) / 2
  template <class T> static std::array<T, 1> slopes(const Attrs& a, T x, T) {
    const T g = gate(a, x);
    if (a.approximate == "none") return {g + x * T(0.3989422804014327) * weft::exp(T(-0.5) * x * x)};
    return {g + x * T(2) * g * (T(1) - g) * T(kScale) * (T(1) + T(3 * kCubic) * x * x)};
  }
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3}}, {{"approximate", std::string("tanh")}}}}; }

 private:
  static constexpr double kScale = 0.7978845608028654, kCubic = 0.044715;  // sqrt(2 / pi)
  template <class T> static T gate(const Attrs& a, T x) {
    if (a.approximate == "none") return T(0.5) * (T(1) + std::erf(x * T(0.7071067811865476)));
    return weft::sigmoid(T(2 * kScale) * (x + T(kCubic) * x * x * x));  // (1 + tanh u) / 2 = sigmoid(2 u)
  }
};

inline Var gelu(const Var& x, const std::string& approximate = "none") {
  return apply<Gelu>({x}, {.approximate = approximate});
}

}  // namespace weft::ops
