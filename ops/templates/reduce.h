#pragma once
#include "engine/op.h"

namespace weft::ops {

struct NewOp : Reduce {
  static constexpr Doc doc{"one line that says what it does", "y = x_1^2 + x_2^2 + ..., along one dimension"};
  static constexpr const char* gradient = "dx_i = dy * 2 * x_i";

  // x[0], x[stride], ..., n of them. In double: a sum of many floats loses digits.
  template <class T> static T fold(const Attrs&, const T* x, i64 n, i64 stride) {
    double total = 0;
    for (i64 i = 0; i < n; ++i) total += static_cast<double>(x[i * stride] * x[i * stride]);
    return static_cast<T>(total);
  }
  // dy/dx_i = 2 x_i; the value y and the number n of elements may be used as well
  template <class T> static T slope(const Attrs&, T x, T y, i64 n) { return T(2) * x; }
  // Shapes it is proved on, with another dimension than the last among them.
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3, 4}}, {{"dim", i64{1}}}}}; }
  static std::vector<ErrorSample> error_samples() { return {{{{{2, 3}}, {{"dim", i64{2}}}}, "there is no axis 2"}}; }
};

inline Var new_op(const Var& x, i64 dim) { return apply<NewOp>({x}, {{dim}}); }

}  // namespace weft::ops
