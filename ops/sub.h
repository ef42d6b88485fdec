#pragma once
#include "engine/op.h"

namespace weft::ops {

struct Sub : PointwiseBinary {
  static constexpr Doc doc{"elementwise difference", "y = a - b"};
  static constexpr const char* gradient = "da = dy, db = -dy";
  static constexpr Reads reads{.inputs = 0};

  template <class T> static T value(const Attrs&, T a, T b) { return a - b; }
  template <class T> static std::array<T, 2> slopes(const Attrs&, T, T, T) { return {T(1), T(-1)}; }
  static std::vector<Sample> samples() { return {{{{2, 3}, {2, 3}}}, {{{2, 3}, {3}}}, {{{2, 1, 3}, {4, 1}}}}; }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{2, 3}, {2, 4}}}, "shapes do not broadcast ([2, 3] and [2, 4])"}};
  }
};

inline Var sub(const Var& a, const Var& b) { return apply<Sub>({a, b}); }

}  // namespace weft::ops
