// What a causal op over the last few positions keeps of the past.
#pragma once
#include "engine/kernel.h"

namespace weft::ops {

/// x [lines, T, D] with `n` positions before it; without a past they are zeros.
template <class T> struct CausalWindow {
  i64 lines, steps, width, n;
  const T *x, *past;  // past [lines, n, D], or null

  CausalWindow(const Kernel<T>& k, i64 window, const T* values, const T* before)
      : steps(k.shape(0)[k.shape(0).size() - 2]), width(k.shape(0).back()), n(window), x(values), past(before) {
    lines = element_count(Shape(k.shape(0).begin(), k.shape(0).end() - 2));
  }
  /// Position `t` of a line, from -n on; null for a zero.
  const T* at(i64 line, i64 t) const {
    if (t >= 0) return x + (line * steps + t) * width;
    return past ? past + (line * n + n + t) * width : nullptr;
  }
  /// The last n positions, for the next call.
  void keep(T* last) const {
    for (i64 line = 0; line < lines; ++line) {
      for (i64 i = 0; i < n; ++i) {
        const T* from = at(line, steps - n + i);
        T* to = last + (line * n + i) * width;
        if (from) std::copy_n(from, width, to);
        else std::fill_n(to, width, T(0));
      }
    }
  }
};

}  // namespace weft::ops
