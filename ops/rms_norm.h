#pragma once
#include "ops/shared/norm.h"

namespace weft::ops {

struct RmsNorm : General {
  static constexpr Doc doc{"rows of the last dimension with mean square 1", "y = x / sqrt(mean(x^2) + eps) * gain",
                           "Zhang and Sennrich 2019, arXiv:1910.07467"};
  static constexpr const char* gradient =
      "dx = r * (h - z * mean(h * z)), h = dy * gain, z = x * r, r = 1 / sqrt(mean(x^2) + eps)\n"
      "dgain = sum over rows of dy * z";
  static constexpr std::array inputs{Input{"x", Input::plain, 1}, Input{"gain", Input::optional, 1}};
  static constexpr std::size_t saved = 2;  // mean and 1 / deviation of every row
  struct Attrs {
    double eps = 1e-6;
  };
  static auto attributes() { return std::tuple{attribute("eps", &Attrs::eps, "added to the mean square")}; }

  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    const Dim& D = in.at(0, -1);
    in.require(!in.has(1) || (in[1].size() == 1 && same_size(in[1][0], D)),
               fmt::format("the gain is [{}], not {}", D.text(), in.has(1) ? text(in[1]) : ""));
    Dims rows(in[0].begin(), in[0].end() - 1);
    return {in[0], rows, rows};
  }

  template <class T> static RowNorm<T> rows_of(const Attrs& attrs, const Kernel<T>& k) {
    return RowNorm<T>::of(k, 1, attrs.eps, false);
  }
  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) { rows_of(attrs, k).forward(k); }
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) { rows_of(attrs, k).backward(k); }
  static std::vector<Sample> samples() { return {{{{2, 6}, {-1}}}, {{{2, 3, 9}, {9}}, {{"eps", 0.1}}}}; }
  static std::vector<ErrorSample> error_samples() { return {{{{{2, 6}, {5}}}, "the gain is [6]"}}; }
};

inline Var rms_norm(const Var& x, const Var& gain = {}, double eps = 1e-6) {
  return apply<RmsNorm>({x, gain}, {.eps = eps});
}

}  // namespace weft::ops
