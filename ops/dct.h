#pragma once
#include "ops/shared/fourier.h"

namespace weft::ops {

struct Dct : General {
  static constexpr Doc doc{
      "the orthonormal cosine transform (DCT-II) along one dimension, or its inverse (DCT-III)",
      "y_k = s_k sum over j of x_j cos(pi (2j + 1) k / 2n), s_0 = sqrt(1 / n), else s_k = sqrt(2 / n)",
      "Ahmed, Natarajan and Rao 1974; by one Fourier transform: Makhoul 1980"};
  static constexpr const char* gradient =
      "dx_j = sum over k of s_k dy_k cos(pi (2j + 1) k / 2n), the inverse; with inverse the transform of dy";
  static constexpr Reads reads{.inputs = 0};
  struct Attrs {
    Axis dim;
    bool inverse = false;
  };
  static auto attributes() {
    return std::tuple{attribute("dim", &Attrs::dim, "the dimension that is transformed").required(),
                      attribute("inverse", &Attrs::inverse, "x from y, which is also the transpose")};
  }
  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    axis_from_front(attrs.dim.index, in[0].size(), "dct");
    return {in[0]};
  }

  // With v = x_0 x_2 x_4 ... x_5 x_3 x_1 and V its Fourier transform: y_k = s_k Re(e^(-pi i k / 2n) V_k). The inverse
  // is the transpose: v = Re(Fourier transform of s_k e^(-pi i k / 2n) y_k).
  template <class T> static void run(const Attrs& attrs, Kernel<T>& k, bool inverse, const T* x, T* y) {
    const i64 n = detail::line_of(k.shape(0), attrs.dim.index, "dct").length;
    std::vector<T> cosine(static_cast<std::size_t>(n)), sine(cosine.size());
    std::vector<i64> place(cosine.size());  // in x of element j of v
    for (i64 j = 0; j < n; ++j) {
      const double angle = -std::numbers::pi * static_cast<double>(j) / static_cast<double>(2 * n);
      const double scale = std::sqrt((j ? 2.0 : 1.0) / static_cast<double>(n));
      cosine[j] = static_cast<T>(scale * std::cos(angle));
      sine[j] = static_cast<T>(scale * std::sin(angle));
      place[j] = 2 * j < n ? 2 * j : 2 * (n - j) - 1;
    }
    const T *c = cosine.data(), *s = sine.data();
    const i64* p = place.data();
    if (inverse) {
      fourier_lines(
          k, attrs.dim.index, x, y,
          [=](i64 j, const T* from, i64 step, T& re, T& im) { re = c[j] * from[j * step], im = s[j] * from[j * step]; },
          [=](i64 j, T* to, i64 step, T re, T) { to[p[j] * step] = re; });
    } else {
      fourier_lines(
          k, attrs.dim.index, x, y,
          [=](i64 j, const T* from, i64 step, T& re, T& im) { re = from[p[j] * step], im = 0; },
          [=](i64 j, T* to, i64 step, T re, T im) { to[j * step] = c[j] * re - s[j] * im; });
    }
  }
  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    run(attrs, k, attrs.inverse, k.input(0).data(), k.result().data());
  }
  // dx is the other one of dy: the matrix is orthogonal.
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    run(attrs, k, !attrs.inverse, k.cotangent().data(), k.gradient(0).data());
  }
  static double flops(const Attrs& attrs, const std::vector<Shape>& in, const std::vector<Shape>&) {
    const double n = static_cast<double>(std::max<i64>(2, detail::line_of(in[0], attrs.dim.index, "dct").length));
    return 5 * static_cast<double>(element_count(in[0])) * std::log2(n);
  }
  static std::vector<Sample> samples() {
    return {{{{2, 6}}},
            {{{2, 8, 3}}, {{"dim", i64{1}}, {"inverse", true}}},
            {{{3, 15}}},
            {{{7, 2}}, {{"dim", i64{0}}, {"inverse", true}}},
            {{{2, 1}}}};
  }
  static std::vector<ErrorSample> error_samples() { return {{{{{2, 3}}, {{"dim", i64{2}}}}, "there is no axis 2"}}; }
};

inline Var dct(const Var& x, i64 dim, bool inverse = false) {
  return apply<Dct>({x}, {.dim = {dim}, .inverse = inverse});
}

}  // namespace weft::ops
