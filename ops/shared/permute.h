// Copies of a tensor with its dimensions in another order.
#pragma once
#include <cstring>

#include "engine/kernel.h"

namespace weft::ops {

/// y[i0, i1, ...] = x at the same index, where dimension d of y has size `sizes[d]` and step `strides[d]` in x.
template <class T> void permute(const Kernel<T>& k, const T* x, Shape sizes, std::vector<i64> strides, T* y) {
  // Dimensions that lie behind each other in both become one.
  for (std::size_t d = sizes.size(); d-- > 1;) {
    if (strides[d - 1] != strides[d] * sizes[d] && sizes[d] != 1 && sizes[d - 1] != 1) continue;
    if (sizes[d] == 1) strides[d] = strides[d - 1];
    sizes[d - 1] *= sizes[d];
    strides[d - 1] = strides[d];
    sizes.erase(sizes.begin() + static_cast<std::ptrdiff_t>(d));
    strides.erase(strides.begin() + static_cast<std::ptrdiff_t>(d));
  }
  if (sizes.empty()) {
    y[0] = x[0];
    return;
  }
  const std::size_t rank = sizes.size();
  const i64 n = sizes[rank - 1], step = strides[rank - 1];
  const i64 rows = element_count(Shape(sizes.begin(), sizes.end() - 1));
  if (n == 0 || rows == 0) return;
  k.ranges(rows, std::max<i64>(1, kGrain / n), [&](i64 begin, i64 end) {
    for (i64 r = begin; r < end; ++r) {
      i64 from = 0, rest = r;
      for (std::size_t d = rank - 1; d-- > 0;) {
        from += rest % sizes[d] * strides[d];
        rest /= sizes[d];
      }
      T* out = y + r * n;
      if (step == 1) {
        std::memcpy(out, x + from, static_cast<std::size_t>(n) * sizeof(T));
      } else {
        for (i64 i = 0; i < n; ++i) out[i] = x[from + i * step];
      }
    }
  });
}

/// Steps of a row-major tensor.
inline std::vector<i64> row_major(const Shape& shape) {
  std::vector<i64> strides(shape.size(), 1);
  for (std::size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

}  // namespace weft::ops
