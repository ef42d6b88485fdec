#pragma once
#include "engine/math.h"
#include "engine/op.h"

namespace weft::ops {

struct Elu : Pointwise {
  static constexpr Doc doc{"exponential linear unit", "y = x for x > 0, alpha (e^x - 1) else",
                           "Clevert, Unterthiner and Hochreiter 2015, arXiv:1511.07289"};
  static constexpr const char* gradient = "dx = dy if x > 0 else dy * (y + alpha)";
  static constexpr Reads reads{.outputs = 1};
  struct Attrs {
    double alpha = 1;
  };
  static auto attributes() {
    return std::tuple{attribute("alpha", &Attrs::alpha, "what it tends to on the left, with its sign changed")};
  }

  // As a sum of both sides, of which one is 0: a choice would have a branch in it, and no vector code.
  template <class T> static T value(const Attrs& a, T x) {
    const T right = x < 0 ? T(0) : x, left = x < 0 ? x : T(0);
    return right + T(a.alpha) * weft::expm1(left);
  }
  // dy/dx = 1 on the right, y + alpha on the left
  template <class T> static std::array<T, 1> slopes(const Attrs& a, T x, T y) {
    return {weft::select(x > 0, T(1), y + T(a.alpha))};
  }
  static int branch(const Attrs&, double x) { return x > 0; }
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3}}, {{"alpha", 0.5}}}}; }
};

inline Var elu(const Var& x, double alpha = 1) { return apply<Elu>({x}, {.alpha = alpha}); }

}  // namespace weft::ops
