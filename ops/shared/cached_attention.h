// Softmax attention of one query a row over a cache, in which all rows and heads of a position lie together. The cache
// is read once and in the order of memory, by a task for each part of the positions; head by head, a task would pick a
// few numbers of every position. What parts find is joined in their order: Rabe and Staats 2021, arXiv:2112.05682.
#pragma once
#include <limits>

#include "engine/kernel.h"
#include "engine/math.h"
#include "ops/shared/lanes.h"

namespace weft::ops {

/// q [heads, dk], keys [positions, heads, dk], values [positions, heads, dv], all visible; heads of all rows.
template <class T> struct CachedAttention {
  i64 heads, positions, dk, dv;
  T scale;
  const T *q, *keys, *values;

  /// y [heads, dv], and the logarithms of the sums of e^score, [heads].
  void operator()(const Kernel<T>& k, T* y, T* lse) const {
    const i64 parts = std::clamp<i64>(positions * heads * dk / kPart, 1, std::min(positions, kParts));
    const i64 size = heads * (2 + dv);
    Tensor memory = k.scratch({parts, size});
    T* found = memory.template mutable_values<T>().data();
    k.ranges(parts, 1, [&](i64 begin, i64 end) {
      Tensor scores = k.scratch({heads, kBlock});
      for (i64 part = begin; part < end; ++part) {
        const Found at = found_at(found + part * size);
        block(k.isa(), [&] {
          read(part * positions / parts, (part + 1) * positions / parts, scores.template mutable_values<T>().data(),
               at);
        });
      }
    });
    for (i64 head = 0; head < heads; ++head) lse[head] = join(found, parts, size, head, y + head * dv);
  }

 private:
  static constexpr i64 kPart = 1 << 15, kParts = 8;  // numbers of keys worth a task; tasks
  // Positions between two looks at the highest score, and bytes of their keys: with 96 KB, and as many of values on
  // their way, a token of size M took an eighth longer.
  static constexpr i64 kBlock = 64, kBytes = 48 << 10;

  // Of the positions read so far, by head: the highest score, and the sums of e^(score - top), alone and times values.
  struct Found {
    T *top, *total, *sums;
  };
  Found found_at(T* memory) const { return {memory, memory + heads, memory + 2 * heads}; }

  [[gnu::always_inline]] void read(i64 begin, i64 end, T* s, const Found& found) const {
    std::fill_n(found.top, heads, -std::numeric_limits<T>::infinity());
    std::fill_n(found.total, heads * (1 + dv), T(0));
    const i64 fit = kBytes / static_cast<i64>(sizeof(T)) / (heads * std::max<i64>(1, dk)) / 8 * 8;
    for (i64 first = begin, n = 0; first < end; first += n) {
      n = std::min(std::clamp<i64>(fit, 8, kBlock), end - first);
      const T* value = values + first * heads * dv;
      const T* key = keys + first * heads * dk;
      i64 i = 0;
      if constexpr (sizeof(T) == 4) {  // f64 is for proofs
        for (; i + 8 <= n; i += 8) {
          fetch(value + i * heads * dv, 8 * heads * dv);
          score_eight(q, key + i * heads * dk, s + i);
        }
      }
      for (; i < n; ++i) score(q, key + i * heads * dk, s + i);
      for (i64 h = 0; h < heads; ++h) weigh(n, s + h * kBlock, found, h);
      i = 0;
      for (; i + 4 <= n; i += 4) {
        if (first + n < end) fetch(key + (n + i) * heads * dk, 4 * heads * dk);
        add<4>(s + i, value + i * heads * dv, found.sums);
      }
      for (; i < n; ++i) add<1>(s + i, value + i * heads * dv, found.sums);
    }
  }
  // Into the second cache, while the other of keys and values is computed with: eight positions are read side by side,
  // which the CPU does not foresee. Half of the time of a token (`./weft bench FILE --position 4000`, transformer S).
  [[gnu::always_inline]] static void fetch(const T* p, i64 n) {
    for (i64 i = 0; i < n; i += 64 / static_cast<i64>(sizeof(T))) __builtin_prefetch(p + i, 0, 2);
  }
  // Of a position, by head.
  [[gnu::always_inline]] void score(const T* x, const T* key, T* s) const {
    for (i64 h = 0; h < heads; ++h, x += dk, key += dk) {
      s[h * kBlock] = scale * lane_sum<T>(dk, [=](auto at) { return at(x) * at(key); });
    }
  }
  [[gnu::always_inline]] void score_eight(const T* x, const T* key, T* s) const {
    using V = typename Lanes<T>::Vector;
    const i64 W = Lanes<T>::count, whole = dk / W * W, step = heads * dk;
    for (i64 h = 0; h < heads; ++h, x += dk, key += dk, s += kBlock) {
      V sums[8] = {};
      for (i64 d = 0; d < whole; d += W) {
        const VectorAt<T> at{d};
#pragma GCC unroll 8
        for (int i = 0; i < 8; ++i) sums[i] += at(x) * at(key + i * step);
      }
      *reinterpret_cast<V*>(s) = scale * sums_of_eight(sums);
      for (i64 d = whole; d < dk; ++d) {
        for (int i = 0; i < 8; ++i) s[i] += scale * x[d] * key[i * step + d];
      }
    }
  }
  // Scores become their weights beside those before, which fade where a higher one is found.
  [[gnu::always_inline]] void weigh(i64 n, T* s, const Found& found, i64 h) const {
    const T top = lane_max(n, s, found.top[h]), fade = weft::exp(found.top[h] - top);
    for (i64 i = 0; i < n; ++i) s[i] = weft::exp(s[i] - top);
    found.top[h] = top;
    found.total[h] = fade * found.total[h] + lane_sum<T>(n, [=](auto at) { return at(s); });
    for (i64 d = 0; d < dv; ++d) found.sums[h * dv + d] *= fade;
  }
  // Positions at a time: what the sums take to read and to write is shared.
  template <int n> [[gnu::always_inline]] void add(const T* s, const T* value, T* sums) const {
    for (i64 h = 0; h < heads; ++h, s += kBlock, value += dv, sums += dv) {
      T weight[n];
      for (int i = 0; i < n; ++i) weight[i] = s[i];
#pragma GCC ivdep
      for (i64 d = 0; d < dv; ++d) {
        T sum = sums[d];
#pragma GCC unroll 4
        for (int i = 0; i < n; ++i) sum += weight[i] * value[i * heads * dv + d];
        sums[d] = sum;
      }
    }
  }
  T join(T* memory, i64 parts, i64 size, i64 head, T* y) const {
    T top = -std::numeric_limits<T>::infinity(), total = 0;
    for (i64 p = 0; p < parts; ++p) top = std::max(top, found_at(memory + p * size).top[head]);
    std::fill_n(y, dv, T(0));
    for (i64 p = 0; p < parts; ++p) {
      const Found found = found_at(memory + p * size);
      const T weight = weft::exp(found.top[head] - top);
      total += weight * found.total[head];
      for (i64 d = 0; d < dv; ++d) y[d] += weight * found.sums[head * dv + d];
    }
    for (i64 d = 0; d < dv; ++d) y[d] /= total;
    return top + std::log(total);
  }
};

}  // namespace weft::ops
