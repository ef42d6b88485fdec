#pragma once
#include "engine/op_entry.h"

namespace weft::ops {

struct Gather : General {
  static constexpr Doc doc{
      "elements along one dimension, chosen by an index of their own for every place; `embedding` takes rows of a table",
      "y[.., i, ..] = x[.., index[.., i, ..], ..]; an index without the dimension takes one, and y lacks it too"};
  static constexpr const char* gradient = "dx[.., j, ..] = sum of dy[.., i, ..] over the i with index[.., i, ..] = j";
  static constexpr std::array inputs{Input{"x", Input::plain, 99}, Input{"index", Input::index, 99}};
  static constexpr Reads reads{.inputs = 0b10};
  struct Attrs {
    Axis dim;
  };
  static auto attributes() {
    return std::tuple{attribute("dim", &Attrs::dim, "the dimension of x that is chosen from").required()};
  }

  static std::vector<Dims> infer(const Attrs& a, const InputDims& in) {
    const std::size_t axis = axis_from_front(a.dim.index, in[0].size(), "gather");
    Dims x = in[0], index = in[1];
    if (index.size() + 1 == x.size()) index.insert(index.begin() + static_cast<std::ptrdiff_t>(axis), Dim(1));
    x[axis] = axis < index.size() ? index[axis] : Dim(1);
    in.require(x.size() == index.size() && same_size(x, index),
               fmt::format("the index {} and x {} differ in another dimension than the one chosen from", text(in[1]),
                           text(in[0])));
    return {in[1]};
  }
  // Of x, and how many are taken from each of its lines.
  template <class T> static std::pair<detail::Line, i64> lines(const Attrs& a, const Kernel<T>& k) {
    const auto l = detail::line_of(k.shape(0), a.dim.index, "gather");
    return {l, element_count(k.shape(1)) / std::max<i64>(1, l.outer * l.inner)};
  }
  // body(o, place in y, place in x) for one o, in the order of y.
  template <class F>
  static void each(const detail::Line& l, i64 count, i64 o, std::span<const i32> index, const F& body) {
    for (i64 i = 0; i < count * l.inner; ++i) {
      const i64 at = o * count * l.inner + i;
      body(at, (o * l.length + index[static_cast<std::size_t>(at)]) * l.inner + i % l.inner);
    }
  }
  template <class T> static void forward(const Attrs& a, Kernel<T>& k) {
    const auto [l, count] = lines(a, k);
    const auto index = k.indices(1);
    for (const i32 i : index)
      check(i >= 0 && i < l.length, "gather: the index {} is none of the {} places", i, l.length);
    const T* x = k.input(0).data();
    T* y = k.result().data();
    k.rows(l.outer, count * l.inner, [&, y, x, line = l, n = count](i64 o) {
      each(line, n, o, index, [=](i64 to, i64 from) { y[to] = x[from]; });
    });
  }
  // dx = the sum of dy over the places that took it, in their order.
  template <class T> static void backward(const Attrs& a, Kernel<T>& k) {
    const auto [l, count] = lines(a, k);
    const auto index = k.indices(1);
    const T* dy = k.cotangent().data();
    T* dx = k.gradient(0).data();
    k.rows(l.outer, (count + l.length) * l.inner, [&, dx, dy, line = l, n = count](i64 o) {
      std::fill_n(dx + o * line.length * line.inner, line.length * line.inner, T(0));
      each(line, n, o, index, [=](i64 from, i64 to) { dx[to] += dy[from]; });
    });
  }
  static std::vector<Sample> samples() {
    return {{{{4, 3}, {4}}},
            {{{4, 3}, {4, 5}}},
            {{{2, 3, 4}, {2, 2, 4}}, {{"dim", i64{1}}}},
            {{{3, 2}, {2}}, {{"dim", i64{0}}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{4, 3}, {5}}}, "differ in another dimension"},
            {{{{4, 3}, {2, 2, 2}}}, "differ in another dimension"},
            {{.shapes = {{9, 2}, {9}}, .classes = 1000}, "is none of the 2 places"}};
  }
};

/// torch.gather; with an index that lacks `dim`, one element of every line.
inline Var gather(const Var& x, const Var& index, i64 dim) { return apply<Gather>({x, index}, {.dim = {dim}}); }

}  // namespace weft::ops
