#pragma once
#include "ops/shared/norm.h"

namespace weft::ops {

struct LayerNorm : General {
  static constexpr Doc doc{"rows of the last dimension with mean 0 and variance 1",
                           "y = (x - mean) / sqrt(variance + eps) * gain + bias",
                           "Ba, Kiros and Hinton 2016, arXiv:1607.06450"};
  static constexpr const char* gradient =
      "dx = r * (h - mean(h) - z * mean(h * z)), h = dy * gain, z = (x - mean) * r, r = 1 / sqrt(variance + eps)\n"
      "dgain = sum over rows of dy * z, dbias = sum over rows of dy";
  static constexpr std::array inputs{Input{"x", Input::plain, 1}, Input{"gain", Input::optional, 1},
                                     Input{"bias", Input::optional, 1}};
  static constexpr std::size_t saved = 2;  // mean and 1 / deviation of every row
  struct Attrs {
    double eps = 1e-5;
  };
  static auto attributes() { return std::tuple{attribute("eps", &Attrs::eps, "added to the mean square")}; }

  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    const Dim& D = in.at(0, -1);
    for (const std::size_t i : {1, 2}) {
      in.require(!in.has(i) || (in[i].size() == 1 && same_size(in[i][0], D)),
                 fmt::format("gain and bias are [{}], not {}", D.text(), in.has(i) ? text(in[i]) : ""));
    }
    Dims rows(in[0].begin(), in[0].end() - 1);
    return {in[0], rows, rows};
  }

  template <class T> static RowNorm<T> rows_of(const Attrs& attrs, const Kernel<T>& k) {
    return RowNorm<T>::of(k, 1, attrs.eps, true);
  }
  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) { rows_of(attrs, k).forward(k); }
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) { rows_of(attrs, k).backward(k); }
  static std::vector<Sample> samples() {
    return {{{{2, 6}, {-1}, {-1}}}, {{{2, 3, 6}, {6}, {6}}, {{"eps", 0.1}}}, {{{4, 9}, {9}, {-1}}}};
  }
  static std::vector<ErrorSample> error_samples() { return {{{{{2, 6}, {5}, {-1}}}, "gain and bias are [6]"}}; }
};

inline Var layer_norm(const Var& x, const Var& gain = {}, const Var& bias = {}, double eps = 1e-5) {
  return apply<LayerNorm>({x, gain, bias}, {.eps = eps});
}

}  // namespace weft::ops
