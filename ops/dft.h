#pragma once
#include "ops/shared/fourier.h"

namespace weft::ops {

struct Dft : General {
  static constexpr Doc doc{
      "the real or imaginary part of the discrete Fourier transform along one dimension",
      "real: y_k = sum over j of x_j cos(2 pi j k / n); imag: y_k = -sum over j of x_j sin(2 pi j k / n)",
      "Cooley and Tukey 1965; FNet: Lee-Thorp et al. 2021, arXiv:2105.03824"};
  static constexpr const char* gradient =
      "real: dx_j = sum over k of dy_k cos(2 pi j k / n); imag: dx_j = -sum over k of dy_k sin(2 pi j k / n)";
  static constexpr Reads reads{.inputs = 0};
  struct Attrs {
    Axis dim;
    std::string part = "real";
    std::string norm = "none";
  };
  static auto attributes() {
    return std::tuple{attribute("dim", &Attrs::dim, "the dimension that is transformed").required(),
                      attribute("part", &Attrs::part, "which part of it", {"real", "imag"}),
                      attribute("norm", &Attrs::norm, "ortho: divided by sqrt(n)", {"none", "ortho"})};
  }
  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    axis_from_front(attrs.dim.index, in[0].size(), "dft");
    return {in[0]};
  }

  template <class T> static void run(const Attrs& attrs, Kernel<T>& k, const T* x, T* y) {
    const i64 n = detail::line_of(k.shape(0), attrs.dim.index, "dft").length;
    const T scale = attrs.norm == "ortho" ? T(1) / std::sqrt(static_cast<T>(std::max<i64>(1, n))) : T(1);
    const bool real = attrs.part == "real";
    fourier_lines(
        k, attrs.dim.index, x, y, [](i64 j, const T* from, i64 step, T& re, T& im) { re = from[j * step], im = 0; },
        [=](i64 j, T* to, i64 step, T re, T im) { to[j * step] = scale * (real ? re : im); });
  }
  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    run(attrs, k, k.input(0).data(), k.result().data());
  }
  // The matrices of cosines and of sines are symmetric: dx is the same transform of dy.
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    run(attrs, k, k.cotangent().data(), k.gradient(0).data());
  }
  static double flops(const Attrs& attrs, const std::vector<Shape>& in, const std::vector<Shape>&) {
    const double n = static_cast<double>(std::max<i64>(2, detail::line_of(in[0], attrs.dim.index, "dft").length));
    return 5 * static_cast<double>(element_count(in[0])) * std::log2(n);
  }
  static std::vector<Sample> samples() {
    return {{{{2, 6}}},
            {{{2, 8, 3}}, {{"dim", i64{1}}, {"part", std::string("imag")}}},
            {{{3, 15}}, {{"part", std::string("imag")}, {"norm", std::string("ortho")}}},
            {{{7, 2}}, {{"dim", i64{0}}, {"norm", std::string("ortho")}}}};
  }
  static std::vector<ErrorSample> error_samples() { return {{{{{2, 3}}, {{"dim", i64{2}}}}, "there is no axis 2"}}; }
};

inline Var dft(const Var& x, i64 dim, const std::string& part = "real", const std::string& norm = "none") {
  return apply<Dft>({x}, {.dim = {dim}, .part = part, .norm = norm});
}

}  // namespace weft::ops
