#pragma once
#include "engine/op.h"

namespace weft::ops {

struct NewOp : Pointwise {
  static constexpr Doc doc{"one line that says what it does", "y = scale x^2", "where it comes from"};
  static constexpr const char* gradient = "dx = dy * 2 * scale * x";
  struct Attrs {
    double scale = 1;
  };
  static auto attributes() { return std::tuple{attribute("scale", &Attrs::scale, "what the square is multiplied by")}; }

  template <class T> static T value(const Attrs& a, T x) { return T(a.scale) * x * x; }
  // dy/dx = 2 scale x; the value y may be used as well
  template <class T> static std::array<T, 1> slopes(const Attrs& a, T x, T y) { return {T(2) * T(a.scale) * x}; }
  // Shapes it is proved on; every attribute once with another value than its default.
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3}}, {{"scale", 0.7}}}}; }
};

inline Var new_op(const Var& x, double scale = 1) { return apply<NewOp>({x}, {.scale = scale}); }

}  // namespace weft::ops
