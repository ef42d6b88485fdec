#pragma once
#include "ops/shared/masked_lines.h"

namespace weft::ops {

struct Softmax : MaskedLines {
  static constexpr Doc doc{"positive numbers that sum to one; where a mask is given, over the elements it keeps",
                           "y_i = e^x_i / sum over kept j of e^x_j, and 0 where the mask is 0"};
  static constexpr const char* gradient = "dx_i = y_i (dy_i - sum over j of y_j dy_j)";
  static constexpr Reads reads{.inputs = 0, .outputs = 1};

  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    const T* x = k.input(0).data();
    T* y = k.result().data();
    each_line(attrs, k, [=](i64 at, const T* keep, i64 n, i64 step) { row(x + at, keep, y + at, n, step); });
  }
  template <class T> static void row(const T* x, const T* keep, T* y, i64 n, i64 step) {
    const T top = largest(x, keep, n, step);
    if (none(top)) {
      for (i64 i = 0; i < n; ++i) y[i * step] = 0;
      return;
    }
    for (i64 i = 0; i < n; ++i) {
      const T e = weft::exp(x[i * step] - top);
      y[i * step] = keep && keep[i * step] == 0 ? T(0) : e;
    }
    T total = 0;
    for (i64 i = 0; i < n; ++i) total += y[i * step];
    const T scale = T(1) / total;
    for (i64 i = 0; i < n; ++i) y[i * step] *= scale;
  }
  // dx_i = y_i (dy_i - sum over j of dy_j y_j): 0 where the mask is 0, because y is
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    const auto l = detail::line_of(k.shape(0), attrs.dim.index, "softmax");
    const T *y = k.output().data(), *dy = k.cotangent().data();
    T* dx = k.gradient(0).data();
    k.rows(l.outer * l.inner, l.length * 2, [=](i64 r) {
      const i64 at = r / l.inner * l.length * l.inner + r % l.inner;
      T dot = 0;
      for (i64 i = 0; i < l.length; ++i) dot += y[at + i * l.inner] * dy[at + i * l.inner];
      for (i64 i = 0; i < l.length; ++i) {
        dx[at + i * l.inner] = y[at + i * l.inner] * (dy[at + i * l.inner] - dot);
      }
    });
  }
};

inline Var softmax(const Var& x, i64 dim = -1, const Var& mask = {}) {
  return apply<Softmax>({x, mask}, {.dim = {dim}});
}

}  // namespace weft::ops
