// Products of a single row, as when a token is generated: B is read once, as it lies, and there is nothing to pack. Of
// engine/packed.cpp alone; `S` is its kind of tile, whose vectors these loops have, too.
#pragma once
#include <utility>
#include <vector>

#include "engine/packed_tile.h"

namespace weft::packed {

// Up to these bytes B is taken to be in a cache, and four rows of it make one pass over C. From memory the CPU reads
// one row after the other ahead at 20 GB/s, and four at a time at 10.
constexpr i64 kNear = 256 << 10;

/// y += the sum of x[i] b[i] over R rows of B, n numbers each.
template <class S, int R, class T>
[[gnu::always_inline]] inline void add_rows(const T (&x)[R], const T* b, i64 stride, i64 n, T* y) {
  using Vector = typename S::Vector;
  i64 j = 0;
  for (; j + S::W <= n; j += S::W) {
    Vector sum = *reinterpret_cast<Vector*>(y + j);
#pragma GCC unroll 4
    for (int i = 0; i < R; ++i) sum += x[i] * *reinterpret_cast<const Vector*>(b + i * stride + j);
    *reinterpret_cast<Vector*>(y + j) = sum;
  }
  for (; j < n; ++j) {
    for (int i = 0; i < R; ++i) y[j] += x[i] * b[i * stride + j];
  }
}

/// Asks for a row of B long before it is read. Those of a head lie apart, where the CPU reads nothing ahead by itself:
/// a third of the time of a token that looks back at 4,000.
constexpr i64 kAhead = 32;  // rows
template <class T> [[gnu::always_inline]] inline void ask_for(const T* row, i64 n) {
  constexpr i64 kLine = 64 / sizeof(T);
  for (i64 j = 0; j < n; j += kLine) __builtin_prefetch(row + j);
}

/// y += the sum of x(l) b[l] over all rows of B, of four vectors each: those of C stay in registers.
template <class S, class T>
[[gnu::always_inline]] inline void add_narrow_rows(const auto& x, i64 k, const T* b, i64 stride, T* y) {
  using Vector = typename S::Vector;
  Vector sums[2][4] = {};  // of even and odd rows: an addition takes four cycles, and two can start in each
  i64 l = 0;
  for (; l + 2 <= k; l += 2) {
#pragma GCC unroll 2
    for (int r = 0; r < 2; ++r) {
      const T a = x(l + r);
      ask_for(b + (l + r + kAhead) * stride, 4 * S::W);
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) sums[r][v] += a * *reinterpret_cast<const Vector*>(b + (l + r) * stride + v * S::W);
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < 4; ++v) {
    Vector sum = sums[0][v] + sums[1][v];
    if (l < k) sum += x(l) * *reinterpret_cast<const Vector*>(b + l * stride + v * S::W);
    *reinterpret_cast<Vector*>(y + v * S::W) += sum;
  }
}

/// The sum of a b, n numbers, in four vectors so that no addition waits for the last.
template <class S, class T> [[gnu::always_inline]] inline T dot_row(const T* a, const T* b, i64 n) {
  using Vector = typename S::Vector;
  constexpr int kSums = 4;
  Vector sums[kSums] = {};
  i64 j = 0;
  for (; j + kSums * S::W <= n; j += kSums * S::W) {
#pragma GCC unroll 4
    for (int i = 0; i < kSums; ++i)
      sums[i] +=
          *reinterpret_cast<const Vector*>(a + j + i * S::W) * *reinterpret_cast<const Vector*>(b + j + i * S::W);
  }
  const Vector all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  T sum = 0;
  for (i64 w = 0; w < S::W; ++w) sum += all[w];
  for (; j < n; ++j) sum += a[j] * b[j];
  return sum;
}

// Sums of neighbours: those of `a`, then those of `b`.
template <class S, int... I, class Vector = typename S::Vector>
[[gnu::always_inline]] inline Vector pair_sums(Vector a, Vector b, std::integer_sequence<int, I...>) {
  using Index = std::conditional_t<sizeof(typename S::Number) == 4, i32, i64>;
  typedef Index Places __attribute__((vector_size(sizeof(Vector))));
  return __builtin_shuffle(a, b, Places{2 * I...}) + __builtin_shuffle(a, b, Places{(2 * I + 1)...});
}

/// y[j] = the sum of a b[j] for as many rows of B as a vector has numbers, and n a multiple of it. Turned in registers:
/// one after the other, as in `dot_row`, a key of a head took twice as long.
template <class S, class T>
[[gnu::always_inline]] inline typename S::Vector dot_rows(const T* a, const T* b, i64 stride, i64 n) {
  using Vector = typename S::Vector;
  constexpr int W = S::W;
  Vector sums[W] = {};
  for (i64 l = 0; l < n; l += W) {
    const Vector x = *reinterpret_cast<const Vector*>(a + l);
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i) sums[i] += x * *reinterpret_cast<const Vector*>(b + i * stride + l);
  }
#pragma GCC unroll 4
  for (int left = W / 2; left > 0; left /= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < left; ++i)
      sums[i] = pair_sums<S>(sums[2 * i], sums[2 * i + 1], std::make_integer_sequence<int, W>());
  }
  return sums[0];
}

/// C of one row; A's numbers lie behind each other or, transposed, in steps.
template <class S, class T> [[gnu::always_inline]] inline void row_product(const Product<T>& p, std::vector<T>& own) {
  const i64 step = p.transpose_a ? p.lda : 1;
  if (!p.transpose_b) {
    for (i64 j = 0; j < p.n; ++j) p.c[j] = p.beta == T(0) ? T(0) : p.beta * p.c[j];
    i64 l = 0;
    const auto x = [&](i64 i) { return p.alpha * p.a[i * step]; };
    if (p.n == 4 * S::W || p.n == 8 * S::W) {  // the values of a head
      for (i64 j = 0; j < p.n; j += 4 * S::W) add_narrow_rows<S>(x, p.k, p.b + j, p.ldb, p.c + j);
      return;
    }
    if (p.k * p.n * static_cast<i64>(sizeof(T)) <= kNear) {
      for (; l + 4 <= p.k; l += 4)
        add_rows<S, 4, T>({x(l), x(l + 1), x(l + 2), x(l + 3)}, p.b + l * p.ldb, p.ldb, p.n, p.c);
    }
    for (; l < p.k; ++l) add_rows<S, 1, T>({x(l)}, p.b + l * p.ldb, p.ldb, p.n, p.c);
    return;
  }
  const T* a = p.a;
  if (step != 1) {
    T* const line = room(own, p.k);
    for (i64 l = 0; l < p.k; ++l) line[l] = p.a[l * step];
    a = line;
  }
  i64 j = 0;
  if (p.k % S::W == 0 && p.k <= 8 * S::W) {  // keys of a head
    for (; j + S::W <= p.n; j += S::W) {
      for (i64 i = j + kAhead; i < j + kAhead + S::W; ++i) ask_for(p.b + i * p.ldb, p.k);
      const auto sums = p.alpha * dot_rows<S>(a, p.b + j * p.ldb, p.ldb, p.k);
      auto& to = *reinterpret_cast<typename S::Vector*>(p.c + j);
      to = p.beta == T(0) ? sums : sums + p.beta * to;
    }
  }
  for (; j < p.n; ++j) {
    const T sum = p.alpha * dot_row<S>(a, p.b + j * p.ldb, p.k);
    p.c[j] = p.beta == T(0) ? sum : sum + p.beta * p.c[j];
  }
}

}  // namespace weft::packed
