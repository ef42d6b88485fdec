#pragma once
#include <cstring>

#include "engine/op_entry.h"

namespace weft::ops {

struct Concat : General {
  static constexpr Doc doc{"tensors behind each other along one dimension", "y = [x1; x2; ...]"};
  static constexpr const char* gradient = "[dx1; dx2; ...] = dy";
  static constexpr std::array inputs{Input{"x", Input::plain, 99}};
  static constexpr bool variadic = true;
  static constexpr Reads reads{.inputs = 0};
  struct Attrs {
    Axis dim;
  };
  static auto attributes() { return std::tuple{attribute("dim", &Attrs::dim, "the dimension that grows")}; }

  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    Dims out = in[0];
    const int axis = axis_from_front(attrs.dim.index, out.size(), "concat");
    Dim total = out[axis];
    for (std::size_t i = 1; i < in.size(); ++i) {
      Dims other = in[i];
      in.require(other.size() == out.size(), fmt::format("{} and {} have different ranks", text(in[0]), text(other)));
      total = total + other[axis];
      other[axis] = out[axis];
      in.require(same_size(other, out), fmt::format("{} and {} differ elsewhere too", text(in[0]), text(in[i])));
    }
    out[axis] = total;
    return {out};
  }

  // piece(i, part, whole, bytes) for every run of memory that lies together in one input and in the result.
  template <class T, class F> static void pieces(const Attrs& attrs, Kernel<T>& k, const F& piece) {
    const auto whole = detail::line_of(k.output_shape(), attrs.dim.index, "concat");
    i64 start = 0;
    for (std::size_t i = 0; i < k.input_count(); ++i) {
      const auto part = detail::line_of(k.shape(i), attrs.dim.index, "concat");
      const i64 run = part.length * part.inner;
      for (i64 o = 0; o < part.outer && run > 0; ++o) {
        piece(i, o * run, o * whole.length * whole.inner + start, static_cast<std::size_t>(run) * sizeof(T));
      }
      start += run;
    }
  }
  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    T* y = k.result().data();
    pieces(attrs, k, [&](std::size_t i, i64 part, i64 whole, std::size_t bytes) {
      std::memcpy(y + whole, k.input(i).data() + part, bytes);
    });
  }
  // Each dx is its piece of dy.
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    const T* dy = k.cotangent().data();
    pieces(attrs, k, [&](std::size_t i, i64 part, i64 whole, std::size_t bytes) {
      if (k.wants(i)) std::memcpy(k.gradient(i).data() + part, dy + whole, bytes);
    });
  }
  static std::vector<Sample> samples() {
    return {{{{2, 3}, {2, 4}}},
            {{{2, 3}, {4, 3}, {1, 3}}, {{"dim", i64{0}}}},
            {{{2, 2, 3}, {2, 1, 3}}, {{"dim", i64{-2}}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{2, 3}, {4, 4}}}, "differ elsewhere too"}, {{{{2, 3}, {3}}}, "different ranks"}};
  }
};

inline Var concat(std::vector<Var> x, i64 dim = -1) { return apply<Concat>(std::move(x), {.dim = {dim}}); }

}  // namespace weft::ops
