// Copies along one dimension: what `slice` and `pad` share, each being the other's gradient.
#pragma once
#include "engine/op_entry.h"

namespace weft::ops {

/// to[.., first_to + i step_to, ..] = from[.., first_from + i step_from, ..] for 0 <= i < count along `axis` (from the
/// front or the back); the rest of `to` is filled with `value` where `count` is not all of it.
struct Run1d {
  i64 count, first_from, step_from, first_to, step_to;
};
template <class T> void copy_along(const Kernel<T>& k, i64 axis, const Run1d& run, const T* from,
                                   const Shape& from_shape, T* to, const Shape& to_shape, T value = 0) {
  const auto f = detail::line_of(from_shape, axis, "copy_along"), t = detail::line_of(to_shape, axis, "copy_along");
  k.rows(t.outer, t.length * t.inner, [=](i64 o) {
    T* out = to + o * t.length * t.inner;
    if (run.count != t.length) std::fill_n(out, t.length * t.inner, value);
    for (i64 i = 0; i < run.count; ++i) {
      const T* in = from + (o * f.length + run.first_from + i * run.step_from) * f.inner;
      std::copy_n(in, f.inner, out + (run.first_to + i * run.step_to) * t.inner);
    }
  });
}

}  // namespace weft::ops
