#pragma once
#include "ops/shared/norm.h"

namespace weft::ops {

struct L2Norm : General {
  static constexpr Doc doc{"rows of the last dimension with length 1", "y = x / sqrt(sum(x^2) + eps)"};
  static constexpr const char* gradient = "dx = r * (dy - y * sum(y * dy)), r = 1 / sqrt(sum(x^2) + eps)";
  static constexpr std::array inputs{Input{"x", Input::plain, 1}};
  static constexpr std::size_t saved = 2;
  struct Attrs {
    double eps = 1e-6;
  };
  static auto attributes() { return std::tuple{attribute("eps", &Attrs::eps, "added to the sum of squares")}; }
  static std::vector<Dims> infer(const Attrs&, const InputDims& in) {
    in.at(0, -1);
    const Dims rows(in[0].begin(), in[0].end() - 1);
    return {in[0], rows, rows};
  }

  // rms_norm with eps / n, divided by sqrt(n): a constant factor of rows and gradients.
  template <class T> static RowNorm<T> rows_of(const Attrs& attrs, const Kernel<T>& k) {
    const i64 n = k.shape(0).back();
    return RowNorm<T>::of(k, 1, attrs.eps / static_cast<double>(std::max<i64>(1, n)), false);
  }
  template <class T> static void scale(Kernel<T>& k, std::span<T> y) {
    const T factor = T(1) / std::sqrt(static_cast<T>(std::max<i64>(1, k.shape(0).back())));
    T* out = y.data();
    k.each(std::ssize(y), [=](i64 i) { out[i] *= factor; });
  }
  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    rows_of(attrs, k).forward(k);
    scale(k, k.result());
  }
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    rows_of(attrs, k).backward(k);
    scale(k, k.gradient(0));
  }
  static std::vector<Sample> samples() { return {{{{2, 5}}}, {{{2, 3, 4}}, {{"eps", 0.3}}}}; }
  static std::vector<ErrorSample> error_samples() { return {{{{{}}}, "needs at least 1 dimension"}}; }
};

inline Var l2_norm(const Var& x, double eps = 1e-6) { return apply<L2Norm>({x}, {.eps = eps}); }

}  // namespace weft::ops
