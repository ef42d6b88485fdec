// Normalisation of rows, and the sums over rows that its gain and bias need.
#pragma once
#include "engine/kernel.h"

namespace weft::ops {

/// y[r, i] = (x[r, i] - mean) rstd gain[i] + bias[i] for rows of `n`; `groups` rows lie side by side in one line of the
/// gain. `centred` subtracts the mean. Saves the mean (0 when not centred) and rstd of every row.
template <class T> struct RowNorm {
  i64 rows = 0, n = 0, groups = 1;
  double eps = 0;
  bool centred = true;
  const T *x = nullptr, *gain = nullptr, *bias = nullptr;

  void forward(const Kernel<T>& k, T* y, T* mean, T* rstd) const {
    const RowNorm p = *this;
    k.rows(rows, n * 3, [=](i64 r) {
      const T* in = p.x + r * p.n;
      const i64 g = r % p.groups * p.n;
      const T m = p.centred ? sum(p.n, [=](i64 i) { return in[i]; }) / static_cast<T>(p.n) : T(0);
      const T square = sum(p.n, [=](i64 i) { return (in[i] - m) * (in[i] - m); });
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
      const auto h = [=](i64 i) { return w ? up[i] * w[i] : up[i]; };
      const T along = sum(p.n, [=](i64 i) { return h(i) * (in[i] - m) * s; }) / static_cast<T>(p.n);
      const T level = p.centred ? sum(p.n, h) / static_cast<T>(p.n) : T(0);
      T* out = dx + r * p.n;
      for (i64 i = 0; i < p.n; ++i) out[i] = s * (h(i) - level - (in[i] - m) * s * along);
    });
  }

  // dgain = sum over rows of dy z, dbias = sum over rows of dy; blocks of columns in parallel, rows in order.
  void backward_weights(const Kernel<T>& k, const T* dy, const T* mean, const T* rstd, T* dgain, T* dbias) const {
    const RowNorm p = *this;
    constexpr i64 kColumns = 64;
    const i64 width = n * groups, lines = rows / std::max<i64>(1, groups);
    k.rows((width + kColumns - 1) / kColumns, lines * kColumns, [=](i64 b) {
      double gains[kColumns] = {}, biases[kColumns] = {};
      const i64 first = b * kColumns, count = std::min(kColumns, width - first);
      for (i64 line = 0; line < lines; ++line) {
        for (i64 c = 0; c < count; ++c) {
          const i64 at = line * width + first + c, r = at / p.n;
          const double up = static_cast<double>(dy[at]);
          gains[c] += up * static_cast<double>((p.x[at] - mean[r]) * rstd[r]);
          biases[c] += up;
        }
      }
      for (i64 c = 0; c < count; ++c) {
        if (dgain) dgain[first + c] = static_cast<T>(gains[c]);
        if (dbias) dbias[first + c] = static_cast<T>(biases[c]);
      }
    });
  }

  // Eight running sums: vectorisable without reordering by the compiler, and more exact than one.
  template <class F> static T sum(i64 n, const F& f) {
    T lanes[8] = {};
    i64 i = 0;
    for (; i + 8 <= n; i += 8) {
      for (i64 j = 0; j < 8; ++j) lanes[j] += f(i + j);
    }
    T total = 0;
    for (; i < n; ++i) total += f(i);
    for (i64 j = 0; j < 8; ++j) total += lanes[j];
    return total;
  }
};

}  // namespace weft::ops
