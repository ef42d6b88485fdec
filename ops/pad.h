#pragma once
#include "ops/shared/along.h"

namespace weft::ops {

struct Pad : General {
  static constexpr Doc doc{"puts a constant before and after x along one dimension",
                           "y = [value ... value, x, value ... value]"};
  static constexpr const char* gradient = "dx_i = dy_(before + i)";
  static constexpr Reads reads{.inputs = 0};
  struct Attrs {
    i64 before = 0, after = 0;
    Axis dim;
    double value = 0;
  };
  static auto attributes() {
    return std::tuple{attribute("before", &Attrs::before, "how many in front"),
                      attribute("after", &Attrs::after, "how many behind"),
                      attribute("dim", &Attrs::dim, "the dimension that grows").required(),
                      attribute("value", &Attrs::value, "what is put there")};
  }

  static std::vector<Dims> infer(const Attrs& a, const InputDims& in) {
    in.require(a.before >= 0 && a.after >= 0,
               fmt::format("it adds 0 or more, not {} and {}; `slice` takes away", a.before, a.after));
    Dims out = in[0];
    Dim& d = out[axis_from_front(a.dim.index, out.size(), "pad")];
    if (a.before + a.after > 0) d = d + Dim(a.before + a.after);
    return {out};
  }
  template <class T> static void forward(const Attrs& a, Kernel<T>& k) {
    const i64 n = detail::line_of(k.shape(0), a.dim.index, "pad").length;
    copy_along(k, a.dim.index, {n, 0, 1, a.before, 1}, k.input(0).data(), k.shape(0), k.result().data(),
               k.output_shape(), static_cast<T>(a.value));
  }
  // dx is dy between the two.
  template <class T> static void backward(const Attrs& a, Kernel<T>& k) {
    const i64 n = detail::line_of(k.shape(0), a.dim.index, "pad").length;
    copy_along(k, a.dim.index, {n, a.before, 1, 0, 1}, k.cotangent().data(), k.output_shape(), k.gradient(0).data(),
               k.shape(0));
  }
  static std::vector<Sample> samples() {
    return {{{{2, 3}}, {{"before", i64{1}}, {"after", i64{2}}}},
            {{{2, 3, 4}}, {{"after", i64{1}}, {"dim", i64{1}}, {"value", 0.5}}},
            {{{3}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{2, 3}}, {{"before", i64{-1}}}}, "`slice` takes away"},
            {{{{2, 3}}, {{"dim", i64{2}}}}, "there is no axis 2"}};
  }
};

inline Var pad(const Var& x, i64 before, i64 after, i64 dim, double value = 0) {
  return apply<Pad>({x}, {.before = before, .after = after, .dim = {dim}, .value = value});
}

}  // namespace weft::ops
