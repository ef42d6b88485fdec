#pragma once
#include <limits>

#include "engine/math.h"
#include "engine/op_entry.h"

namespace weft::ops {

struct Softmax : General {
  static constexpr Doc doc{"positive numbers that sum to one; where a mask is given, over the elements it keeps",
                           "y_i = e^x_i / sum over kept j of e^x_j, and 0 where the mask is 0"};
  static constexpr std::array inputs{Input{"x"}, Input{"mask", Input::optional | Input::fixed}};
  static constexpr Reads reads{.inputs = 0, .outputs = 1};
  struct Attrs {
    Axis dim;
  };
  static auto attributes() { return std::tuple{attribute("dim", &Attrs::dim, "the dimension that sums to one")}; }

  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    axis_from_front(attrs.dim.index, in[0].size(), "softmax");
    if (in.has(1)) {
      in.require(same_size(broadcast(in[0], in[1], "softmax"), in[0]),
                 fmt::format("the mask {} is larger than {}", text(in[1]), text(in[0])));
    }
    return {in[0]};
  }

  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    const auto l = detail::line_of(k.shape(0), attrs.dim.index, "softmax");
    const T* x = k.input(0).data();
    T* y = k.result().data();
    Tensor mask;  // in the shape of x
    if (k.has(1) && element_count(k.shape(0)) > 0) {
      mask = k.scratch(k.shape(0));
      const auto m = mask.template mutable_values<T>();
      expand_block(k.shape(0), broadcast_strides(k.shape(1), k.shape(0)), k.input(1).data(), 0, std::ssize(m), m.data());
    }
    const T* keep = mask ? mask.template values<T>().data() : nullptr;
    k.rows(l.outer * l.inner, l.length * 4, [=](i64 r) {
      const i64 at = r / l.inner * l.length * l.inner + r % l.inner;
      row(x + at, keep ? keep + at : nullptr, y + at, l.length, l.inner);
    });
  }
  template <class T> static void row(const T* x, const T* keep, T* y, i64 n, i64 step) {
    constexpr T kLow = -std::numeric_limits<T>::infinity();
    T top = kLow;
    for (i64 i = 0; i < n; ++i) {
      const T v = keep && keep[i * step] == 0 ? kLow : x[i * step];
      top = v > top ? v : top;
    }
    if (top == kLow) {  // nothing is kept
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
  // dx_i = y_i (dy_i - sum over j of dy_j y_j)
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
  static std::vector<Sample> samples() {
    return {{{{2, 5}, {-1}}}, {{{2, 3, 4}, {-1}}, {{"dim", i64{1}}}}, {{{2, 3, 4}, {3, 4}}}, {{{3, 4}, {4}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{3}, {2, 3}}}, "is larger than [3]"}, {{{{2, 3}, {-1}}, {{"dim", i64{2}}}}, "there is no axis 2"}};
  }
};

inline Var softmax(const Var& x, i64 dim = -1, const Var& mask = {}) { return apply<Softmax>({x, mask}, {.dim = {dim}}); }

}  // namespace weft::ops
