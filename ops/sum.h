#pragma once
#include "engine/op.h"
#include "ops/shared/lanes.h"

namespace weft::ops {

struct Sum : Reduce {
  static constexpr Doc doc{"the sum over one dimension", "y = x_1 + x_2 + ..."};
  static constexpr const char* gradient = "dx_i = dy";
  static constexpr Reads reads{.inputs = 0};

  template <class T> static T fold(const Attrs&, const T* x, i64 n, i64 stride) {
    return static_cast<T>(sum_in_double(x, n, stride));
  }
  template <class T> static T slope(const Attrs&, T, T, i64) { return T(1); }
  static std::vector<Sample> samples() {
    return {{{{5}}}, {{{2, 3}}, {{"dim", i64{0}}}}, {{{2, 3, 4}}, {{"dim", i64{-2}}}}};
  }
  static std::vector<ErrorSample> error_samples() { return {{{{{2, 3}}, {{"dim", i64{2}}}}, "there is no axis 2"}}; }
};

inline Var sum(const Var& x, i64 dim) { return apply<Sum>({x}, {{dim}}); }

}  // namespace weft::ops
