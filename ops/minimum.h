#pragma once
#include "engine/op.h"

namespace weft::ops {

struct Minimum : PointwiseBinary {
  static constexpr Doc doc{"the smaller of two, elementwise", "y = min(a, b)"};
  static constexpr const char* gradient = "da = dy if a < b else 0, db = 0 if a < b else dy";

  template <class T> static T value(const Attrs&, T a, T b) { return a < b || a != a ? a : b; }  // NaN stays
  // where they are equal the second passes the gradient
  template <class T> static std::array<T, 2> slopes(const Attrs&, T a, T b, T) {
    return {a < b ? T(1) : T(0), a < b ? T(0) : T(1)};
  }
  static int branch(const Attrs&, double a, double b) { return a < b; }
  static std::vector<Sample> samples() { return {{{{2, 3}, {2, 3}}}, {{{2, 3}, {3}}}, {{{2, 1, 3}, {4, 1}}}}; }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{2, 3}, {2, 4}}}, "shapes do not broadcast ([2, 3] and [2, 4])"}};
  }
};

inline Var minimum(const Var& a, const Var& b) { return apply<Minimum>({a, b}); }

}  // namespace weft::ops
