// Sums and largest elements in lanes of fixed number: vector code although the compiler may not reorder a sum, one
// order of the sum on every machine, and smaller errors than one running sum has.
#pragma once
#include "engine/error.h"

namespace weft::ops {

/// Numbers that are added side by side: 32 bytes.
template <class T> struct Lanes {
  static constexpr i64 count = 32 / sizeof(T);
  typedef T Vector __attribute__((vector_size(32), aligned(sizeof(T)), may_alias));
};

/// The numbers of arrays at place `i`, and those behind it that make a vector: `at(p)` stands for p[i], as a T.
template <class T> struct At {
  i64 i;
  template <class U> [[gnu::always_inline]] T operator()(const U* p) const { return static_cast<T>(p[i]); }
};
template <class T> struct VectorAt {
  using Vector = typename Lanes<T>::Vector;
  i64 i;
  template <class U> [[gnu::always_inline]] Vector operator()(const U* p) const {
    typedef U Numbers __attribute__((vector_size(Lanes<T>::count * sizeof(U)), aligned(sizeof(U)), may_alias));
    return __builtin_convertvector(*reinterpret_cast<const Numbers*>(p + i), Vector);
  }
};

/// f(0) + ... + f(n - 1), f being written for one number and for a vector of them:
///     lane_sum<T>(n, [=](auto at) { return at(x) * at(y); })
/// Two vectors are added to in turn, each while the other is under way.
template <class T, class F> [[gnu::always_inline]] inline T lane_sum(i64 n, const F& f) {
  using V = typename Lanes<T>::Vector;
  constexpr i64 W = Lanes<T>::count;
  V even = {}, odd = {};
  i64 i = 0;
  for (; i + 2 * W <= n; i += 2 * W) {
    even += f(VectorAt<T>{i});
    odd += f(VectorAt<T>{i + W});
  }
  even += odd;
  T rest = 0;
  for (; i < n; ++i) rest += f(At<T>{i});
#pragma GCC unroll 4
  for (i64 w = W / 2; w > 0; w /= 2) {
#pragma GCC unroll 4
    for (i64 j = 0; j < w; ++j) even[j] += even[j + w];
  }
  return even[0] + rest;
}

/// The sum of each of eight vectors, in their order: three instructions a sum, where one by one it takes a dozen.
[[gnu::always_inline]] inline Lanes<float>::Vector sums_of_eight(const Lanes<float>::Vector (&x)[8]) {
  using V = Lanes<float>::Vector;
  typedef i32 Places __attribute__((vector_size(32)));
  V y[4], z[2];  // numbers of two vectors in turn, then pairs of four, then halves of all
  for (int i = 0; i < 4; ++i) {
    y[i] = __builtin_shuffle(x[2 * i], x[2 * i + 1], Places{0, 8, 2, 10, 4, 12, 6, 14}) +
           __builtin_shuffle(x[2 * i], x[2 * i + 1], Places{1, 9, 3, 11, 5, 13, 7, 15});
  }
  for (int i = 0; i < 2; ++i) {
    z[i] = __builtin_shuffle(y[2 * i], y[2 * i + 1], Places{0, 1, 8, 9, 4, 5, 12, 13}) +
           __builtin_shuffle(y[2 * i], y[2 * i + 1], Places{2, 3, 10, 11, 6, 7, 14, 15});
  }
  return __builtin_shuffle(z[0], z[1], Places{0, 1, 2, 3, 8, 9, 10, 11}) +
         __builtin_shuffle(z[0], z[1], Places{4, 5, 6, 7, 12, 13, 14, 15});
}

/// x[0] + ... + x[n - 1], in double: a sum of many floats loses digits. Numbers are `stride` apart; side by side in
/// memory, eight are added at a time.
template <class T> [[gnu::always_inline]] inline double sum_in_double(const T* x, i64 n, i64 stride) {
  if (stride == 1) return lane_sum<double>(n, [=](auto at) { return at(x); });
  double total = 0;
  for (i64 i = 0; i < n; ++i) total += static_cast<double>(x[i * stride]);
  return total;
}

/// The largest of x[0] ... x[n - 1], `least` when there is none. A NaN is passed over.
template <class T> [[gnu::always_inline]] inline T lane_max(i64 n, const T* x, T least) {
  using V = typename Lanes<T>::Vector;
  constexpr i64 W = Lanes<T>::count;
  V most = V{} + least;
  i64 i = 0;
  for (; i + W <= n; i += W) {
    const V next = VectorAt<T>{i}(x);
    most = next > most ? next : most;
  }
  for (; i < n; ++i) most[0] = x[i] > most[0] ? x[i] : most[0];
  for (i64 j = 1; j < W; ++j) most[0] = most[j] > most[0] ? most[j] : most[0];
  return most[0];
}

}  // namespace weft::ops
