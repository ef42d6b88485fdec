#pragma once
#include "ops/shared/masked_lines.h"

namespace weft::ops {

// Where the mask is 0 the logarithm would be -infinity, and 0 * -infinity in a later sum NaN.
struct LogSoftmax : MaskedLines {
  static constexpr Doc doc{"logarithm of the softmax, without overflow",
                           "y_i = x_i - ln sum over kept j of e^x_j, and 0 where the mask is 0"};
  static constexpr const char* gradient = "dx_i = dy_i - e^y_i * sum over kept j of dy_j, and 0 where the mask is 0";
  static constexpr Reads reads{.inputs = 0b10, .outputs = 1};

  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    const T* x = k.input(0).data();
    T* y = k.result().data();
    each_line(attrs, k, [=](i64 at, const T* keep, i64 n, i64 step) {
      const T top = largest(x + at, keep, n, step);
      const auto kept = [=](i64 i) { return !keep || keep[i * step] != 0; };
      double total = 0;  // in double, as in logsumexp
      for (i64 i = 0; i < n; ++i)
        total += kept(i) && !none(top) ? static_cast<double>(weft::exp(x[at + i * step] - top)) : 0;
      const T log_sum = static_cast<T>(std::log(total));
      for (i64 i = 0; i < n; ++i) y[at + i * step] = kept(i) && !none(top) ? x[at + i * step] - top - log_sum : T(0);
    });
  }
  // dx_i = dy_i - e^y_i sum over kept j of dy_j, and 0 where the mask is 0
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    const T *y = k.output().data(), *dy = k.cotangent().data();
    T* dx = k.gradient(0).data();
    each_line(attrs, k, [=](i64 at, const T* keep, i64 n, i64 step) {
      const auto kept = [=](i64 i) { return !keep || keep[i * step] != 0; };
      T total = 0;
      for (i64 i = 0; i < n; ++i) total += kept(i) ? dy[at + i * step] : T(0);
      for (i64 i = 0; i < n; ++i) {
        dx[at + i * step] = kept(i) ? dy[at + i * step] - weft::exp(y[at + i * step]) * total : T(0);
      }
    });
  }
};

inline Var log_softmax(const Var& x, i64 dim = -1, const Var& mask = {}) {
  return apply<LogSoftmax>({x, mask}, {.dim = {dim}});
}

}  // namespace weft::ops
