#pragma once
#include "engine/op.h"

namespace weft::ops {

struct Less : PointwiseBinary {
  static constexpr Doc doc{"1 where a < b, else 0; no gradient", "y = [a < b]"};

  template <class T> static T value(const Attrs&, T a, T b) { return a < b ? T(1) : T(0); }
  static std::vector<Sample> samples() { return {{{{2, 3}, {2, 3}}}, {{{2, 3}, {3}}}, {{{2, 1, 3}, {4, 1}}}}; }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{2, 3}, {2, 4}}}, "shapes do not broadcast ([2, 3] and [2, 4])"}};
  }
};

inline Var less(const Var& a, const Var& b) { return apply<Less>({a, b}); }

}  // namespace weft::ops
