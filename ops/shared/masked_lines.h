// What the softmaxes share: lines along one dimension, and which of their elements a mask keeps.
#pragma once
#include <limits>

#include "engine/math.h"
#include "ops/shared/axis.h"

namespace weft::ops {

struct MaskedLines : General {
  static constexpr std::array inputs{Input{"x"}, Input{"mask", Input::optional | Input::fixed}};
  struct Attrs {
    Axis dim;
  };
  static auto attributes() { return std::tuple{attribute("dim", &Attrs::dim, "the dimension that sums to one")}; }

  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    axis_of(in, attrs.dim);
    if (!in.has(1)) return {in[0]};
    const Dims &x = in[0], &mask = in[1];
    bool fits = mask.size() <= x.size();
    for (std::size_t d = 1; fits && d <= mask.size(); ++d) {
      const Dim &own = mask[mask.size() - d], &whole = x[x.size() - d];
      fits = is_one(own) || same_size(own, whole);
    }
    in.require(fits, fmt::format("the mask {} does not fit {}", text(mask), text(x)));
    return {x};
  }

  /// body(at, keep, n, step) for every line: its first element, the mask there (null: all is kept), its elements and
  /// the distance from one to the next.
  template <class T, class F> static void each_line(const Attrs& attrs, const Kernel<T>& k, const F& body) {
    const auto l = detail::line_of(k.shape(0), attrs.dim.index, "softmax");
    Tensor mask;  // in the shape of x
    if (k.has(1) && element_count(k.shape(0)) > 0) {
      mask = k.scratch(k.shape(0));
      const auto m = mask.template mutable_values<T>();
      expand_block(k.shape(0), broadcast_strides(k.shape(1), k.shape(0)), k.input(1).data(), 0, std::ssize(m),
                   m.data());
    }
    const T* keep = mask ? mask.template values<T>().data() : nullptr;
    k.rows(l.outer * l.inner, l.length * 4, [=](i64 r) {
      const i64 at = r / l.inner * l.length * l.inner + r % l.inner;
      body(at, keep ? keep + at : nullptr, l.length, l.inner);
    });
  }
  /// The largest element that is kept, -infinity when there is none. A NaN is taken, so that it shows in the result.
  template <class T> static T largest(const T* x, const T* keep, i64 n, i64 step) {
    T top = -std::numeric_limits<T>::infinity();
    for (i64 i = 0; i < n; ++i) {
      const T v = keep && keep[i * step] == 0 ? -std::numeric_limits<T>::infinity() : x[i * step];
      top = v <= top ? top : v;
    }
    return top;
  }
  template <class T> static bool none(T top) { return top == -std::numeric_limits<T>::infinity(); }

  static std::vector<Sample> samples() {
    return {{{{2, 5}, {-1}}},
            {{{2, 3, 4}, {-1}}, {{"dim", i64{1}}}},
            {{{2, 3, 4}, {3, 4}}},
            {{{3, 4}, {4}}},
            {{{2, 3, 4}, {3, 1}}, {{"dim", i64{0}}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{3}, {2, 3}}}, "the mask [2, 3] does not fit [3]"},
            {{{{2, 3}, {-1}}, {{"dim", i64{2}}}}, "there is no axis 2"}};
  }
};

}  // namespace weft::ops
