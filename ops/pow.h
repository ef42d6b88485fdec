#pragma once
#include "engine/math.h"
#include "engine/op.h"

namespace weft::ops {

struct Pow : PointwiseBinary {
  static constexpr Doc doc{"a to the power of b; a is positive, or b a whole number", "y = a^b"};
  static constexpr const char* gradient = "da = dy * b * a^(b - 1), 0 where b = 0; db = dy * y * ln a, 0 where a <= 0";
  static constexpr Reads reads{.outputs = 1};

  template <class T> static T value(const Attrs&, T a, T b) { return std::pow(a, b); }
  // dy/da = b a^(b-1), dy/db = y ln a, which exists for positive a
  template <class T> static std::array<T, 2> slopes(const Attrs&, T a, T b, T y) {
    return {b == T(0) ? T(0) : b * std::pow(a, b - T(1)), a > T(0) ? y * std::log(a) : T(0)};
  }
  static std::vector<Sample> samples() {
    return {{{{2, 3}, {2, 3}}, {}, 0.4, 2}, {{{2, 3}, {3}}, {}, 0.4, 2}, {{{2, 1, 3}, {4, 1}}, {}, 0.4, 2}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{2, 3}, {2, 4}}}, "shapes do not broadcast ([2, 3] and [2, 4])"}};
  }
};

inline Var pow(const Var& a, const Var& b) { return apply<Pow>({a, b}); }

}  // namespace weft::ops
