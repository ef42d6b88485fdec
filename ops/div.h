#pragma once
#include "engine/op.h"

namespace weft::ops {

struct Div : PointwiseBinary {
  static constexpr Doc doc{"elementwise quotient", "y = a / b"};
  static constexpr const char* gradient = "da = dy / b, db = -dy * y / b";
  static constexpr Reads reads{.inputs = 0b10, .outputs = 1};

  template <class T> static T value(const Attrs&, T a, T b) { return a / b; }
  // dy/da = 1 / b, dy/db = -y / b
  template <class T> static std::array<T, 2> slopes(const Attrs&, T, T b, T y) { return {T(1) / b, -y / b}; }
  static std::vector<Sample> samples() {
    return {{{{2, 3}, {2, 3}}, {}, 0.4, 2}, {{{2, 3}, {3}}, {}, -2, -0.4}, {{{2, 1, 3}, {4, 1}}, {}, 0.4, 2}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{2, 3}, {2, 4}}}, "shapes do not broadcast ([2, 3] and [2, 4])"}};
  }
};

inline Var div(const Var& a, const Var& b) { return apply<Div>({a, b}); }

}  // namespace weft::ops
