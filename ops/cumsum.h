#pragma once
#include "engine/op_entry.h"

namespace weft::ops {

struct Cumsum : General {
  static constexpr Doc doc{"running sum along one dimension", "y_i = x_1 + ... + x_i"};
  static constexpr const char* gradient = "dx_i = dy_i + dy_i+1 + ... + dy_n";
  static constexpr bool causal_axis = true;
  static constexpr Reads reads{.inputs = 0};
  struct Attrs {
    Axis dim;
  };
  static auto attributes() {
    return std::tuple{attribute("dim", &Attrs::dim, "the dimension along which it runs").required()};
  }
  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    axis_from_front(attrs.dim.index, in[0].size(), "cumsum");
    return {in[0]};
  }
  // dx_i = dy_i + dy_{i+1} + ...: the same sum from the other end.
  template <class T> static void run(const Attrs& attrs, Kernel<T>& k, const T* x, T* y, bool back) {
    const auto l = detail::line_of(k.shape(0), attrs.dim.index, "cumsum");
    k.rows(l.outer * l.inner, l.length * 2, [=](i64 r) {
      const i64 at = r / l.inner * l.length * l.inner + r % l.inner;
      double total = 0;
      for (i64 i = 0; i < l.length; ++i) {
        const i64 place = at + (back ? l.length - 1 - i : i) * l.inner;
        y[place] = static_cast<T>(total += static_cast<double>(x[place]));
      }
    });
  }
  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    run(attrs, k, k.input(0).data(), k.result().data(), false);
  }
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    run(attrs, k, k.cotangent().data(), k.gradient(0).data(), true);
  }
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3, 4}}, {{"dim", i64{1}}}}}; }
  static std::vector<ErrorSample> error_samples() { return {{{{{2, 3}}, {{"dim", i64{2}}}}, "there is no axis 2"}}; }
};

inline Var cumsum(const Var& x, i64 dim) { return apply<Cumsum>({x}, {.dim = {dim}}); }

}  // namespace weft::ops
