#pragma once
#include "engine/kernel.h"

namespace weft::ops {

struct NewOp : General {
  static constexpr Doc doc{"one line that says what it does", "y = scale (x - mean(x)), over the last dimension"};
  static constexpr const char* gradient = "dx = scale (dy - mean(dy))";
  static constexpr std::array inputs{Input{"x", Input::plain, 1}};  // its last dimension is the op's own
  static constexpr Reads reads{.inputs = 0};                        // the backward needs no input: x is freed early
  struct Attrs {
    double scale = 1;
  };
  static auto attributes() {
    return std::tuple{attribute("scale", &Attrs::scale, "what the difference is multiplied by")};
  }

  // x [..., n] -> [..., n]
  static std::vector<Dims> infer(const Attrs&, const InputDims& in) {
    in.at(0, -1);  // an error when x has no dimension
    return {in[0]};
  }
  // Both directions are the same map: its matrix is symmetric.
  template <class T> static void centre(const Attrs& a, const Kernel<T>& k, std::span<const T> x, std::span<T> y) {
    const i64 n = k.shape(0).back();
    k.rows(std::ssize(x) / std::max<i64>(1, n), n * 2, [=, in = x.data(), out = y.data()](i64 r) {
      T mean = 0;
      for (i64 i = 0; i < n; ++i) mean += in[r * n + i];
      mean /= static_cast<T>(n);
      for (i64 i = 0; i < n; ++i) out[r * n + i] = T(a.scale) * (in[r * n + i] - mean);
    });
  }
  template <class T> static void forward(const Attrs& a, Kernel<T>& k) { centre(a, k, k.input(0), k.result()); }
  // dx = scale (dy - mean(dy))
  template <class T> static void backward(const Attrs& a, Kernel<T>& k) { centre(a, k, k.cotangent(), k.gradient(0)); }

  // Shapes it is proved on; every attribute once with another value than its default.
  static std::vector<Sample> samples() { return {{{{2, 5}}}, {{{2, 3, 4}}, {{"scale", 0.7}}}}; }
  static std::vector<ErrorSample> error_samples() { return {{{{{}}}, "needs at least 1 dimension"}}; }
};

inline Var new_op(const Var& x, double scale = 1) { return apply<NewOp>({x}, {.scale = scale}); }

}  // namespace weft::ops
