#pragma once
#include "engine/op.h"

namespace weft::ops {

struct Clamp : Pointwise {
  static constexpr Doc doc{"x held between two bounds", "y = min(max(x, low), high)"};
  static constexpr const char* gradient = "dx = dy if low <= x <= high else 0";
  struct Attrs {
    double low = -1;
    double high = 1;
  };
  static auto attributes() {
    return std::tuple{attribute("low", &Attrs::low, "lower bound"), attribute("high", &Attrs::high, "upper bound")};
  }

  template <class T> static T value(const Attrs& a, T x) {
    return x < T(a.low) ? T(a.low) : (x > T(a.high) ? T(a.high) : x);
  }
  template <class T> static std::array<T, 1> slopes(const Attrs& a, T x, T) {
    return {x < T(a.low) || x > T(a.high) ? T(0) : T(1)};
  }
  static int branch(const Attrs& a, double x) { return (x > a.high) - (x < a.low); }
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3}}, {{"low", -0.5}, {"high", 1.5}}}}; }
};

inline Var clamp(const Var& x, double low = -1, double high = 1) {
  return apply<Clamp>({x}, {.low = low, .high = high});
}

}  // namespace weft::ops
