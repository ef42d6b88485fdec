#pragma once
#include "engine/op.h"
#include "ops/shared/lanes.h"

namespace weft::ops {

struct Mean : Reduce {
  static constexpr Doc doc{"the mean over one dimension", "y = (x_1 + x_2 + ...) / n"};
  static constexpr const char* gradient = "dx_i = dy / n";
  static constexpr Reads reads{.inputs = 0};

  template <class T> static T fold(const Attrs&, const T* x, i64 n, i64 stride) {
    return static_cast<T>(sum_in_double(x, n, stride) / static_cast<double>(n));
  }
  template <class T> static T slope(const Attrs&, T, T, i64 n) { return T(1) / static_cast<T>(n); }
  static std::vector<Sample> samples() {
    return {{{{5}}}, {{{2, 3}}, {{"dim", i64{0}}}}, {{{2, 3, 4}}, {{"dim", i64{-2}}}}};
  }
  static std::vector<ErrorSample> error_samples() { return {{{{{2, 3}}, {{"dim", i64{2}}}}, "there is no axis 2"}}; }
};

inline Var mean(const Var& x, i64 dim) { return apply<Mean>({x}, {{dim}}); }

}  // namespace weft::ops
