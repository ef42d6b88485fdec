#pragma once
#include "ops/shared/along.h"

namespace weft::ops {

struct Slice : General {
  static constexpr Doc doc{"some of the elements along one dimension", "y_i = x_(start + i step) for i < length"};
  static constexpr const char* gradient = "dx_(start + i step) = dy_i, and 0 elsewhere";
  static constexpr Reads reads{.inputs = 0};
  struct Attrs {
    i64 start = 0;
    Dim length = 0;
    Axis dim;
    i64 step = 1;
  };
  static auto attributes() {
    return std::tuple{attribute("start", &Attrs::start, "the first element; below 0 it counts from the end"),
                      attribute("length", &Attrs::length, "how many; 0: as many as there are"),
                      attribute("dim", &Attrs::dim, "the dimension that is cut").required(),
                      attribute("step", &Attrs::step, "from one to the next")};
  }

  static std::vector<Dims> infer(const Attrs& a, const InputDims& in) {
    Dims out = in[0];
    Dim& d = out[axis_from_front(a.dim.index, out.size(), "slice")];
    in.require(a.step > 0, fmt::format("a step is above 0, not {}", a.step));
    const bool all = a.length.known() && a.length.value() == 0;
    if (all && a.start == 0 && a.step == 1) return {out};
    in.require(d.known() && a.length.known(),
               fmt::format("{} of {}: what is not known before a run cannot be cut", a.length.text(), d.text()));
    const i64 n = d.value(), first = a.start < 0 ? a.start + n : a.start, rest = (n - first + a.step - 1) / a.step;
    const Dim length = all ? Dim(rest) : a.length;
    in.require(
        first >= 0 && first < n && length.value() <= rest,
        fmt::format("{} elements from {} on, {} apart, are not among {}", length.unnamed().text(), a.start, a.step, n));
    d = length;
    return {out};
  }
  // The run of a line of x that makes a line of y.
  template <class T> static Run1d run(const Attrs& a, const Kernel<T>& k) {
    const i64 n = detail::line_of(k.shape(0), a.dim.index, "slice").length;
    const i64 count = detail::line_of(k.output_shape(), a.dim.index, "slice").length;
    return {count, a.start < 0 ? a.start + n : a.start, a.step, 0, 1};
  }
  template <class T> static void forward(const Attrs& a, Kernel<T>& k) {
    copy_along(k, a.dim.index, run(a, k), k.input(0).data(), k.shape(0), k.result().data(), k.output_shape());
  }
  // dx is dy at its places, 0 elsewhere.
  template <class T> static void backward(const Attrs& a, Kernel<T>& k) {
    const Run1d r = run(a, k);
    copy_along(k, a.dim.index, {r.count, 0, 1, r.first_from, r.step_from}, k.cotangent().data(), k.output_shape(),
               k.gradient(0).data(), k.shape(0));
  }
  static std::vector<Sample> samples() {
    return {{{{2, 6}}, {{"start", i64{1}}, {"length", Dim(3)}}},
            {{{5, 3}}, {{"start", i64{-4}}, {"dim", i64{-2}}, {"step", i64{2}}}},
            {{{2, 4, 3}}, {{"dim", i64{1}}, {"length", Dim(2)}, {"step", i64{3}}}},
            {{{2, 3}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{2, 6}}, {{"start", i64{4}}, {"length", Dim(3)}}}, "3 elements from 4 on, 1 apart, are not among 6"},
            {{{{2, 6}}, {{"start", i64{-7}}}}, "are not among 6"},
            {{{{2, 6}}, {{"step", i64{0}}}}, "a step is above 0"}};
  }
};

/// As `x[..., start : start + length * step : step, ...]` of NumPy, along `dim`.
inline Var slice(const Var& x, i64 start, const Dim& length, i64 dim, i64 step = 1) {
  return apply<Slice>({x}, {.start = start, .length = length, .dim = {dim}, .step = step});
}

}  // namespace weft::ops
