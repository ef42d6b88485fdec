#pragma once
#include "engine/math.h"
#include "engine/op.h"
#include "ops/shared/gate.h"

namespace weft::ops {

struct Gelu : Pointwise {
  static constexpr Doc doc{"x times the normal distribution function at x", "y = x Phi(x)",
                           "Hendrycks and Gimpel 2016, arXiv:1606.08415"};
  static constexpr const char* gradient =
      "dx = dy * (Phi(x) + x * phi(x))\n"
      "tanh: dx = dy * (g + x * 2 g (1 - g) u'), g = (1 + tanh u) / 2, u' = sqrt(2 / pi) (1 + 3 * 0.044715 x^2)";
  static constexpr Reads reads{.outputs = 1};
  struct Attrs {
    std::string approximate = "none";
  };
  static auto attributes() {
    return std::tuple{attribute("approximate", &Attrs::approximate,
                                "tanh: y = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))", {"none", "tanh"})};
  }

  struct Exact {};
  struct ByTanh {};
  static std::variant<Exact, ByTanh> prepare(const Attrs& a) {
    if (a.approximate == "none") return Exact{};
    return ByTanh{};
  }
  // y = x g; dy/dx = g + x dg/dx
  template <class T> static T value(auto form, T x) { return x * gate(form, x); }
  template <class T> static std::array<T, 1> slopes(auto form, T x, T y) {
    const T g = gate_of(x, y);
    return {g + x * gate_slope(form, x, g)};
  }
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3}}, {{"approximate", std::string("tanh")}}}}; }

 private:
  // g = Phi(x), dg/dx = phi(x). By erf, which is no vector code in libm: some ten times the cost of the approximation.
  template <class T> static T gate(Exact, T x) { return T(0.5) * (T(1) + std::erf(x * T(0.7071067811865476))); }
  template <class T> static T gate_slope(Exact, T x, T) { return T(0.3989422804014327) * weft::exp(T(-0.5) * x * x); }
  // g = (1 + tanh u) / 2 = sigmoid(2 u), u = sqrt(2 / pi) (x + c x^3); dg/dx = 2 g (1 - g) du/dx
  static constexpr double kScale = 0.7978845608028654, kCubic = 0.044715;
  template <class T> static T gate(ByTanh, T x) { return weft::sigmoid(T(2 * kScale) * (x + T(kCubic) * x * x * x)); }
  template <class T> static T gate_slope(ByTanh, T x, T g) {
    return T(2) * g * (T(1) - g) * T(kScale) * (T(1) + T(3 * kCubic) * x * x);
  }
};

inline Var gelu(const Var& x, const std::string& approximate = "none") {
  return apply<Gelu>({x}, {.approximate = approximate});
}

}  // namespace weft::ops
