#pragma once
#include "engine/op.h"

namespace weft::ops {

struct Max : Reduce {
  static constexpr Doc doc{"the largest element along one dimension", "y = max over i of x_i"};
  static constexpr Reads reads{.outputs = 1};

  template <class T> static T fold(const Attrs&, const T* x, i64 n, i64 stride) {
    T best = n > 0 ? x[0] : T(0);
    for (i64 i = 1; i < n; ++i) {
      const T v = x[i * stride];
      best = v > best || v != v ? v : best;  // NaN wins
    }
    return best;
  }
  // all elements that are equal to it take the whole gradient
  template <class T> static T slope(const Attrs&, T x, T y, i64) { return x == y ? T(1) : T(0); }
  static std::vector<Sample> samples() {
    return {{{{5}}}, {{{2, 3}}, {{"dim", i64{0}}}}, {{{2, 3, 4}}, {{"dim", i64{-2}}}}};
  }
  static std::vector<ErrorSample> error_samples() { return {{{{{2, 3}}, {{"dim", i64{2}}}}, "there is no axis 2"}}; }
};

inline Var max(const Var& x, i64 dim) { return apply<Max>({x}, {{dim}}); }

}  // namespace weft::ops
