// Normalisation of rows, and the sums over rows that its gain and bias need.
#pragma once
#include "engine/kernel.h"
#include "ops/shared/lanes.h"

namespace weft::ops {

/// y[r, i] = (x[r, i] - mean) rstd gain[i] + bias[i] for rows of `n`; `groups` rows lie side by side in one line of the
/// gain. `centred` subtracts the mean. Saves the mean (0 when not centred) and rstd of every row.
template <class T> struct RowNorm {
  i64 rows = 0, n = 0, groups = 1;
  double eps = 0;
  bool centred = true;
  const T *x = nullptr, *gain = nullptr, *bias = nullptr;

  /// Of an op with the inputs x and, as far as it has them and they are given, gain and bias.
  static RowNorm of(const Kernel<T>& k, i64 groups, double eps, bool centred) {
    const Shape& s = k.shape(0);
    const i64 lines = element_count(Shape(s.begin(), s.end() - 1)), n = s.back() / std::max<i64>(1, groups);
    return {lines * groups, n, groups, eps, centred, k.input(0).data(), k.input(1).data(), k.input(2).data()};
  }
  void forward(Kernel<T>& k) const { forward(k, k.result().data(), k.save(0).data(), k.save(1).data()); }
  void backward(Kernel<T>& k) const {
    const T *dy = k.cotangent().data(), *mean = k.saved(0).data(), *rstd = k.saved(1).data();
    if (k.wants(0)) backward_x(k, dy, mean, rstd, k.gradient(0).data());
    if (k.wants(1) || k.wants(2)) backward_weights(k, dy, mean, rstd, k.gradient(1).data(), k.gradient(2).data());
  }

 private:
  void forward(const Kernel<T>& k, T* y, T* mean, T* rstd) const {
    const RowNorm p = *this;
    k.rows(rows, n * 3, [=](i64 r) {
      const T* in = p.x + r * p.n;
      const i64 g = r % p.groups * p.n;
      const T m = p.centred ? lane_sum<T>(p.n, [=](auto at) { return at(in); }) / static_cast<T>(p.n) : T(0);
      const T square = lane_sum<T>(p.n, [=](auto at) { return (at(in) - m) * (at(in) - m); });
      const T s = T(1) / std::sqrt(square / static_cast<T>(p.n) + static_cast<T>(p.eps));
      T* out = y + r * p.n;
      for (i64 i = 0; i < p.n; ++i) out[i] = (in[i] - m) * s;
      if (p.gain) {
        for (i64 i = 0; i < p.n; ++i) out[i] *= p.gain[g + i];
      }
      if (p.bias) {
        for (i64 i = 0; i < p.n; ++i) out[i] += p.bias[g + i];
      }
      mean[r] = m;
      rstd[r] = s;
    });
  }

  // With h = dy gain and z = (x - mean) rstd: dx = rstd (h - mean(h) - z mean(h z)); without centring mean(h) is 0.
  void backward_x(const Kernel<T>& k, const T* dy, const T* mean, const T* rstd, T* dx) const {
    const RowNorm p = *this;
    k.rows(rows, n * 4, [=](i64 r) {
      const T *in = p.x + r * p.n, *up = dy + r * p.n, *w = p.gain ? p.gain + r % p.groups * p.n : nullptr;
      const T m = mean[r], s = rstd[r];
      T* h = dx + r * p.n;
      for (i64 i = 0; i < p.n; ++i) h[i] = up[i];
      for (i64 i = 0; w && i < p.n; ++i) h[i] *= w[i];
      const T along = lane_sum<T>(p.n, [=](auto at) { return at(h) * (at(in) - m) * s; }) / static_cast<T>(p.n);
      const T level = p.centred ? lane_sum<T>(p.n, [=](auto at) { return at(h); }) / static_cast<T>(p.n) : T(0);
      for (i64 i = 0; i < p.n; ++i) h[i] = s * (h[i] - level - (in[i] - m) * s * along);
    });
  }

  // dgain = sum over rows of dy z, dbias = sum over rows of dy; blocks of columns in parallel, rows in order.
  void backward_weights(const Kernel<T>& k, const T* dy, const T* mean, const T* rstd, T* dgain, T* dbias) const {
    const RowNorm p = *this;
    constexpr i64 kColumns = 64;
    const i64 lines = rows / std::max<i64>(1, groups), blocks = (n + kColumns - 1) / kColumns;
    k.rows(groups * blocks, lines * kColumns, [=](i64 b) {
      double gains[kColumns] = {}, biases[kColumns] = {};
      const i64 group = b / blocks, first = b % blocks * kColumns, count = std::min(kColumns, p.n - first);
      for (i64 line = 0; line < lines; ++line) {
        const i64 r = line * p.groups + group;
        const T *up = dy + r * p.n + first, *in = p.x + r * p.n + first;
        const T m = mean[r], s = rstd[r];
        for (i64 c = 0; c < count; ++c) {
          gains[c] += static_cast<double>(up[c] * ((in[c] - m) * s));
          biases[c] += static_cast<double>(up[c]);
        }
      }
      for (i64 c = 0; c < count; ++c) {
        if (dgain) dgain[group * p.n + first + c] = static_cast<T>(gains[c]);
        if (dbias) dbias[group * p.n + first + c] = static_cast<T>(biases[c]);
      }
    });
  }
};

}  // namespace weft::ops
