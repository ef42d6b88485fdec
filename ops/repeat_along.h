#pragma once
#include "engine/op_entry.h"

namespace weft::ops {

struct RepeatAlong : General {
  static constexpr Doc doc{"repeats along one dimension, each element by itself or the whole",
                           "y_i = x_(i // times), or x_(i mod n) with `tile`"};
  static constexpr const char* gradient = "dx_j = sum of dy_i over the i with i // times = j, or i mod n = j with tile";
  static constexpr Reads reads{.inputs = 0};
  struct Attrs {
    Dim times = 1;
    Axis dim;
    bool tile = false;
  };
  static auto attributes() {
    return std::tuple{attribute("times", &Attrs::times, "how often"),
                      attribute("dim", &Attrs::dim, "the dimension that grows").required(),
                      attribute("tile", &Attrs::tile, "false: a a b b, as numpy.repeat; true: a b a b, as numpy.tile")};
  }

  static std::vector<Dims> infer(const Attrs& a, const InputDims& in) {
    Dims out = in[0];
    Dim& d = out[axis_from_front(a.dim.index, out.size(), "repeat_along")];
    in.require(a.times.known() && a.times.value() > 0,
               fmt::format("it repeats 1 time or more, not {}", a.times.text()));
    d = a.times * d;
    return {out};
  }
  // The element of a line of x that is element i of a line of y.
  static i64 source(const Attrs& a, i64 i, i64 n) { return a.tile ? i % n : i / a.times.value(); }

  template <class T> static void forward(const Attrs& a, Kernel<T>& k) {
    const auto l = detail::line_of(k.shape(0), a.dim.index, "repeat_along");
    const i64 length = l.length * a.times.value();
    const T* x = k.input(0).data();
    T* y = k.result().data();
    k.rows(l.outer * length, l.inner, [=, &a](i64 r) {
      const i64 from = r / length * l.length + source(a, r % length, l.length);
      std::copy_n(x + from * l.inner, l.inner, y + r * l.inner);
    });
  }
  // dx_j = the sum of dy over the copies of x_j
  template <class T> static void backward(const Attrs& a, Kernel<T>& k) {
    const auto l = detail::line_of(k.shape(0), a.dim.index, "repeat_along");
    const i64 length = l.length * a.times.value();
    const T* dy = k.cotangent().data();
    T* dx = k.gradient(0).data();
    k.rows(l.outer, length * l.inner, [=, &a](i64 o) {
      T* to = dx + o * l.length * l.inner;
      std::fill_n(to, l.length * l.inner, T(0));
      for (i64 i = 0; i < length; ++i) {
        const T* from = dy + (o * length + i) * l.inner;
        T* sum = to + source(a, i, l.length) * l.inner;
        for (i64 c = 0; c < l.inner; ++c) sum[c] += from[c];
      }
    });
  }
  static std::vector<Sample> samples() {
    return {{{{2, 3}}, {{"times", Dim(2)}}},
            {{{2, 3, 2}}, {{"times", Dim(3)}, {"dim", i64{1}}, {"tile", true}}},
            {{{2, 3}}, {{"times", Dim(2)}, {"dim", i64{0}}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{2, 3}}, {{"times", Dim(0)}}}, "it repeats 1 time or more, not 0"}};
  }
};

inline Var repeat_along(const Var& x, const Dim& times, i64 dim, bool tile = false) {
  return apply<RepeatAlong>({x}, {.times = times, .dim = {dim}, .tile = tile});
}

}  // namespace weft::ops
