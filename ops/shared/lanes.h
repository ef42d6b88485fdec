// Sums and largest elements in lanes of fixed number: vector code although the compiler may not reorder a sum, one
// order of the sum on every machine, and smaller errors than one running sum has.
#pragma once
#include "engine/error.h"

namespace weft::ops {

inline constexpr i64 kLanes = 16;  // two vectors of eight: the second is added while the first is under way

/// f(0) + ... + f(n - 1)
template <class T, class F> [[gnu::always_inline]] inline T lane_sum(i64 n, const F& f) {
  T lanes[kLanes] = {};
  i64 i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (i64 j = 0; j < kLanes; ++j) lanes[j] += f(i + j);
  }
  T total = 0;
  for (; i < n; ++i) total += f(i);
  for (i64 j = 0; j < kLanes; ++j) total += lanes[j];
  return total;
}

/// The largest of x[0] ... x[n - 1], `least` when there is none. A NaN is passed over.
template <class T> [[gnu::always_inline]] inline T lane_max(i64 n, const T* x, T least) {
  T lanes[kLanes];
  for (i64 j = 0; j < kLanes; ++j) lanes[j] = least;
  i64 i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (i64 j = 0; j < kLanes; ++j) lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
  }
  for (; i < n; ++i) lanes[0] = x[i] > lanes[0] ? x[i] : lanes[0];
  for (i64 j = 1; j < kLanes; ++j) lanes[0] = lanes[j] > lanes[0] ? lanes[j] : lanes[0];
  return lanes[0];
}

}  // namespace weft::ops
