// The kernel of our products: a tile of C stays in registers while the sum runs, and B lies in panels of whole vectors,
// so that each step of the sum is a few loads and as many multiply-adds as the CPU can start. Of engine/packed.cpp and
// engine/bf16.cpp alone.
#pragma once
#include <algorithm>
#include <vector>

#include "engine/loops.h"
#include "engine/runtime.h"

namespace weft::packed {

template <class T> T* room(std::vector<T>& own, i64 n) {
  if (std::ssize(own) < n) own.resize(static_cast<std::size_t>(n));
  return own.data();
}

// A register of the CPU: 32 bytes with AVX2, 64 with AVX-512.
template <class T, int bytes> struct Lanes {
  typedef T Vector __attribute__((vector_size(bytes), aligned(sizeof(T)), may_alias));
};

// What tiles are made of: M rows and V vectors of W columns.
template <class T, int bytes, int M_, int V_> struct Tiles {
  using Number = T;
  using Vector = typename Lanes<T, bytes>::Vector;
  static constexpr int M = M_, V = V_;
  static constexpr i64 W = bytes / sizeof(T), width = V * W;
  /// One step of the sum.
  [[gnu::always_inline]] static void add(Vector& sum, T x, Vector y) { sum += x * y; }
};

// Element (i, l) of the rows of A, wherever they lie.
template <class T> struct Rows {
  const T* data;
  i64 row, column;
};

// The part of C that one panel makes, and what becomes of it.
template <class T> struct Columns {
  T* data;
  i64 stride, count;
  T alpha, beta;
};

// What a tile does at each step of its sum beside it: nothing, or fetch `step` numbers of the next panel from memory,
// of which a row is `lines` of 64 bytes.
struct Nothing {
  void operator()() const {}
};
template <class T, i64 lines> struct Fetch {
  const T* next;
  i64 step;
  [[gnu::always_inline]] void operator()() {
    for (i64 i = 0; i < lines; ++i) __builtin_prefetch(next + i * 64 / static_cast<i64>(sizeof(T)));
    next += step;
  }
};

/// C[0 .. M) = alpha A panel + beta C: the sums of M rows and V vectors of columns are kept in registers. The loops
/// over them are unrolled by force, and nothing takes their address: else they are cleared in memory first, 8 % of a
/// sum of 128 and a quarter of a head's. A single row has four sums of each, which begin at neighbours: of one alone
/// each addition waits for the last.
template <class S, int M = S::M, class T, class Meanwhile>
[[gnu::always_inline]] inline void tile(i64 depth, Rows<T> a, const T* panel, const Columns<T>& c,
                                        Meanwhile meanwhile) {
  constexpr int V = S::V, W = S::W, parts = M == 1 ? 4 : 1;
  using Vector = typename S::Vector;
  Vector sums[M * parts][V];
#pragma GCC unroll 8
  for (int i = 0; i < M * parts; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) sums[i][v] = Vector{};
  }
  // C comes from memory while the sum runs: 2 % of a step.
#pragma GCC unroll 8
  for (int i = 0; i < (M > 1 ? M : 0); ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) __builtin_prefetch(c.data + i * c.stride + v * W, 1);
  }
  i64 l = 0;
  for (; l + parts <= depth; l += parts, panel += parts * V * W) {
    meanwhile();
#pragma GCC unroll 8
    for (int i = 0; i < M * parts; ++i) {
      const T x = a.data[i / parts * a.row + (l + i % parts) * a.column];
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v)
        S::add(sums[i][v], x, *reinterpret_cast<const Vector*>(panel + (i % parts * V + v) * W));
    }
  }
  if constexpr (parts > 1) {
    for (; l < depth; ++l, panel += V * W) {
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v)
        S::add(sums[0][v], a.data[l * a.column], *reinterpret_cast<const Vector*>(panel + v * W));
    }
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) sums[0][v] = (sums[0][v] + sums[1][v]) + (sums[2][v] + sums[3][v]);
  }
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i) {
    T* to = c.data + i * c.stride;
    T last[V * W];  // of a panel that has fewer columns
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      const Vector sum = c.alpha * sums[i][v];
      Vector& out = *reinterpret_cast<Vector*>((c.count == V * W ? to : last) + v * W);
      out = c.count < V * W || c.beta == T(0) ? sum : sum + c.beta * out;
    }
    for (i64 j = 0; c.count < V * W && j < c.count; ++j) to[j] = c.beta == T(0) ? last[j] : last[j] + c.beta * to[j];
  }
}

/// Of `left` rows, those that the next tile takes: the last two are alike, because a tile of a row or two has too few
/// sums to hide how long each takes.
inline i64 rows_of_tile(i64 M, i64 left) { return left >= 2 * M ? M : left > M ? (left + 1) / 2 : left; }

/// As `tile`, for m <= M rows.
template <class S, int M = S::M, class T, class Meanwhile>
[[gnu::always_inline]] inline void tile_of(i64 m, i64 depth, Rows<T> a, const T* panel, const Columns<T>& c,
                                           const Meanwhile& meanwhile) {
  if (m == M) return tile<S, M>(depth, a, panel, c, meanwhile);
  if constexpr (M > 1) tile_of<S, M - 1>(m, depth, a, panel, c, meanwhile);
}

// Rows of a panel's width behind each other, the columns beyond `n` being zero.
template <class S, class T>
[[gnu::always_inline]] inline void pack_rows(const T* from, i64 stride, i64 depth, i64 n, T* to) {
  using Vector = typename S::Vector;
  for (i64 l = 0; n == S::width && l < depth; ++l) {
    Vector row[S::V];  // read before it is written: the compiler does not know that they are apart
    for (int v = 0; v < S::V; ++v) row[v] = *reinterpret_cast<const Vector*>(from + l * stride + v * S::W);
    for (int v = 0; v < S::V; ++v) *reinterpret_cast<Vector*>(to + l * S::width + v * S::W) = row[v];
  }
  for (i64 l = 0; n < S::width && l < depth; ++l) {
    for (i64 j = 0; j < S::width; ++j) to[l * S::width + j] = j < n ? from[l * stride + j] : T(0);
  }
}

// The same of B^T, in squares of eight by eight that are turned in registers: a number at a time takes as long as a
// sixth of the product.
template <class T> [[gnu::always_inline]] inline void turn(const T* from, i64 stride, T* to, i64 width) {
  typedef T Row __attribute__((vector_size(8 * sizeof(T)), aligned(sizeof(T)), may_alias));
  using Index = std::conditional_t<sizeof(T) == 4, i32, i64>;
  typedef Index Places __attribute__((vector_size(8 * sizeof(T))));
  Row x[8], y[8];
  for (int i = 0; i < 8; ++i) x[i] = *reinterpret_cast<const Row*>(from + i * stride);
  for (int i = 0; i < 8; i += 2) {
    y[i] = __builtin_shuffle(x[i], x[i + 1], Places{0, 8, 2, 10, 4, 12, 6, 14});
    y[i + 1] = __builtin_shuffle(x[i], x[i + 1], Places{1, 9, 3, 11, 5, 13, 7, 15});
  }
  for (const int i : {0, 1, 4, 5}) {
    x[i] = __builtin_shuffle(y[i], y[i + 2], Places{0, 1, 8, 9, 4, 5, 12, 13});
    x[i + 2] = __builtin_shuffle(y[i], y[i + 2], Places{2, 3, 10, 11, 6, 7, 14, 15});
  }
  for (int i = 0; i < 4; ++i) {
    *reinterpret_cast<Row*>(to + i * width) = __builtin_shuffle(x[i], x[i + 4], Places{0, 1, 2, 3, 8, 9, 10, 11});
    *reinterpret_cast<Row*>(to + (i + 4) * width) =
        __builtin_shuffle(x[i], x[i + 4], Places{4, 5, 6, 7, 12, 13, 14, 15});
  }
}

template <i64 width, class T>
[[gnu::always_inline]] inline void pack_columns(const T* from, i64 stride, i64 depth, i64 n, T* to) {
  for (i64 j = 0; j < width; j += 8) {
    i64 l = 0;
    for (; j + 8 <= n && l + 8 <= depth; l += 8) turn(from + j * stride + l, stride, to + l * width + j, width);
    for (; l < depth; ++l) {
      for (i64 i = j; i < j + 8; ++i) to[l * width + i] = i < n ? from[i * stride + l] : T(0);
    }
  }
}

// Of a part of a sum: a panel, 24 KB, stays in the first cache; with AVX-512 it is twice that. Parts of 256 cost 10 %
// where 384 numbers are summed.
constexpr i64 kDepth = 384;

/// The panels of one part of the sum, the first at `to`.
template <class S, class T> [[gnu::always_inline]] inline void pack(const Product<T>& p, i64 l, i64 depth, T* to) {
  for (i64 j = 0; j < p.n; j += S::width, to += depth * S::width) {
    const i64 n = std::min(S::width, p.n - j);
    if (p.transpose_b) pack_columns<S::width>(p.b + j * p.ldb + l, p.ldb, depth, n, to);
    else pack_rows<S>(p.b + l * p.ldb + j, p.ldb, depth, n, to);
  }
}

// Rows of A for which all panels are read in turn: they stay in the second cache meanwhile, in part in the first. 3 %
// against all rows of a lane at once.
constexpr i64 kRows = 96;

/// Rows top .. bottom of C: panel by panel and from top to bottom, so that a panel is read from the first cache.
template <class S, class T> [[gnu::always_inline]] inline void rows_of_product(const Product<T>& p, i64 l, i64 depth,
                                                                               i64 top, i64 bottom, const T* panel) {
  const i64 row = p.transpose_a ? 1 : p.lda, column = p.transpose_a ? p.lda : 1;
  // One or two tiles compute as long as their panel takes to come from memory, and each fetches its part of the next.
  // With more, the wait hardly shows. Eight texts of size M at once took a fifth longer without.
  using FetchNext = Fetch<T, S::width * sizeof(T) / 64>;
  const bool few = p.m > 1 && p.m <= 2 * S::M;
  const i64 step = p.m > S::M ? S::width / 2 : S::width;
  for (i64 j = 0; j < p.n; j += S::width, panel += depth * S::width) {
    const i64 n = std::min(S::width, p.n - j);
    for (i64 i = top, m; i < bottom; i += m) {
      const Rows<T> a{p.a + i * row + l * column, row, column};
      const Columns<T> c{p.c + i * p.ldc + j, p.ldc, n, p.alpha, l ? T(1) : p.beta};
      m = rows_of_tile(S::M, bottom - i);
      if (few) tile_of<S>(m, depth, a, panel, c, FetchNext{panel + depth * (S::width + (i > top ? step : 0)), step});
      else tile_of<S>(m, depth, a, panel, c, Nothing());
    }
  }
}

/// Of `p`, columns begin .. end alone.
template <class T> Product<T> columns_of(Product<T> p, i64 begin, i64 end) {
  p.b += begin * (p.transpose_b ? p.ldb : 1);
  p.n = end - begin;
  return p;
}

template <class S> constexpr i64 padded(i64 columns) { return (columns + S::width - 1) / S::width * S::width; }

/// C; `own` holds the panels of one part of the sum where nobody laid B out before.
template <class S, class T> [[gnu::always_inline]] inline void product(const Product<T>& p, std::vector<T>& own) {
  const bool shared = p.panels.data != nullptr;
  const i64 columns = padded<S>(p.panels.columns);
  for (i64 l = 0; l < p.k; l += kDepth) {
    const i64 depth = std::min(kDepth, p.k - l);
    const T* panel = p.panels.data + l * columns + p.panels.begin * depth;
    if (!shared) {
      T* const made = room(own, (p.n + S::width) * depth);
      pack<S>(p, l, depth, made);
      panel = made;
    }
    for (i64 top = 0, bottom; top < p.m; top = bottom) {
      bottom = p.m - top < 2 * kRows ? p.m : top + kRows;
      rows_of_product<S>(p, l, depth, top, bottom, panel);
    }
  }
}

/// Panels of the columns of `p`, which are those from `begin` on of `columns`, to where they belong behind `to`: those
/// of one part of the sum after the other.
template <class S, class T>
[[gnu::always_inline]] inline void lay_out(const Product<T>& p, i64 begin, i64 columns, T* to) {
  for (i64 l = 0; l < p.k; l += kDepth) {
    const i64 depth = std::min(kDepth, p.k - l);
    pack<S>(p, l, depth, to + l * padded<S>(columns) + begin * depth);
  }
}

}  // namespace weft::packed
