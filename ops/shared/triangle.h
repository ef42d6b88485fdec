// One triangle of the matrices in the last two dimensions.
#pragma once
#include "engine/kernel.h"

namespace weft::ops {

template <bool lower> struct Triangle : General {
  static constexpr std::array inputs{Input{"x", Input::plain, 2}};
  static constexpr Reads reads{.inputs = 0};
  struct Attrs {
    i64 k = 0;
  };
  static auto attributes() {
    return std::tuple{attribute("k", &Attrs::k, "which diagonal: 0 the main one, above 0 those over it, as in NumPy")};
  }

  static std::vector<Dims> infer(const Attrs&, const InputDims& in) {
    const Dim &rows = in.at(0, -2), &columns = in.at(0, -1);
    in.require(rows.known() == columns.known(),
               fmt::format("a triangle of {} depends on the place in the sequence, which a part of it does not know",
                           text(in[0])));
    return {in[0]};
  }
  template <class T> static void keep(const Attrs& a, Kernel<T>& k, const T* x, T* y) {
    const Shape& s = k.shape(0);
    const i64 rows = s[s.size() - 2], columns = s.back(), diagonal = a.k;
    k.rows(element_count(s) / std::max<i64>(1, columns), columns, [=](i64 r) {
      const i64 edge =
          std::clamp<i64>(r % rows + diagonal + (lower ? 1 : 0), 0, columns);  // the triangle begins or ends here
      const i64 begin = lower ? 0 : edge, end = lower ? edge : columns;
      T* out = y + r * columns;
      std::fill_n(out, columns, T(0));
      std::copy(x + r * columns + begin, x + r * columns + end, out + begin);
    });
  }
  template <class T> static void forward(const Attrs& a, Kernel<T>& k) {
    keep(a, k, k.input(0).data(), k.result().data());
  }
  // dx is the same triangle of dy.
  template <class T> static void backward(const Attrs& a, Kernel<T>& k) {
    keep(a, k, k.cotangent().data(), k.gradient(0).data());
  }
  static std::vector<Sample> samples() {
    return {{{{4, 4}}}, {{{2, 3, 5}}, {{"k", i64{1}}}}, {{{4, 3}}, {{"k", i64{-2}}}}, {{{2, 2}}, {{"k", i64{-9}}}}};
  }
  static std::vector<ErrorSample> error_samples() { return {{{{{4}}}, "needs at least 2 dimensions"}}; }
};

}  // namespace weft::ops
