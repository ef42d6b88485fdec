// The largest or smallest element of a line, and the gradient to the first that is it.
#pragma once
#include "ops/shared/axis.h"

namespace weft::ops {

/// `better(a, b)`: a takes the place of b. Where several are equal the first has the whole gradient.
template <class Better> struct Extreme : General {
  struct Attrs {
    Axis dim;
  };
  static auto attributes() {
    return std::tuple{attribute("dim", &Attrs::dim, "the dimension that is reduced").required()};
  }
  static constexpr Reads reads{.outputs = 1};

  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    Dims out = in[0];
    const std::size_t axis = axis_of(in, attrs.dim);
    in.require(!out[axis].known() || out[axis].value() > 0,
               fmt::format("a dimension of size 0 has none (it is {})", text(in[0])));
    out.erase(out.begin() + static_cast<std::ptrdiff_t>(axis));
    return {out};
  }
  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    const auto l = detail::line_of(k.shape(0), attrs.dim.index, "extreme");
    const T* x = k.input(0).data();
    T* y = k.result().data();
    k.rows(l.outer * l.inner, l.length, [=](i64 r) {
      const T* in = x + r / l.inner * l.length * l.inner + r % l.inner;
      T best = in[0];
      for (i64 i = 1; i < l.length; ++i) {
        const T v = in[i * l.inner];
        best = Better()(v, best) || v != v ? v : best;  // NaN stays
      }
      y[r] = best;
    });
  }
  // dx_i = dy at the first i with x_i = y, else 0
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    const auto l = detail::line_of(k.shape(0), attrs.dim.index, "extreme");
    const T *x = k.input(0).data(), *y = k.output().data(), *dy = k.cotangent().data();
    T* dx = k.gradient(0).data();
    k.rows(l.outer * l.inner, l.length, [=](i64 r) {
      const i64 at = r / l.inner * l.length * l.inner + r % l.inner;
      bool found = false;
      for (i64 i = 0; i < l.length; ++i) {
        const bool here = !found && x[at + i * l.inner] == y[r];
        dx[at + i * l.inner] = here ? dy[r] : T(0);
        found = found || here;
      }
    });
  }
  static std::vector<Sample> samples() {
    return {{{{5}}}, {{{2, 3}}, {{"dim", i64{0}}}}, {{{2, 3, 4}}, {{"dim", i64{-2}}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{2, 3}}, {{"dim", i64{2}}}}, "there is no axis 2"}, {{{{2, 0}}}, "a dimension of size 0 has none"}};
  }
};

}  // namespace weft::ops
