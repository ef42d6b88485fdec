// The discrete Fourier transform of many lines at once, for any length: O(n (p1 + p2 + ...)) for n = p1 p2 ..., so
// n log n where the factors are small.
#pragma once
#include <numbers>

#include "engine/op_entry.h"

namespace weft::ops {

/// X_k = sum over j of x_j e^(-2 pi i j k / n), for kLanes lines side by side: element j of line l at [j * kLanes + l].
///
/// Decimation in time (Cooley and Tukey 1965): with n = p m, X_(k + m j) = sum over q < p of w^(q (k + m j)) Y_q[k],
/// Y_q being the transform of every p-th element from q on, and w = e^(-2 pi i / n).
template <class T> class Fourier {
 public:
  static constexpr i64 kLanes = 16;  // a vector of f32 with AVX-512

  explicit Fourier(i64 n) : n_(n), cosine_(static_cast<std::size_t>(n)), sine_(cosine_.size()), place_(cosine_.size()) {
    for (i64 j = 0; j < n; ++j) {
      const double angle = -2 * std::numbers::pi * static_cast<double>(j) / static_cast<double>(n);
      cosine_[j] = static_cast<T>(std::cos(angle));
      sine_[j] = static_cast<T>(std::sin(angle));
    }
    for (i64 rest = n; rest > 1; rest /= factors_.back()) {
      i64 p = rest % 4 == 0 ? 4 : 2;
      while (rest % p != 0) p = p * p > rest ? rest : p + 1;
      factors_.push_back(p);
    }
    // Where the transforms of one element lie: every p-th element makes a block of its own, again and again.
    for (i64 j = 0; j < n; ++j) {
      i64 rest = j, size = n;
      for (const i64 p : factors_) {
        size /= p;
        place_[j] += rest % p * size;
        rest /= p;
      }
    }
  }

  /// Elements of memory for one call: re and im, each [n, kLanes], and two columns of a butterfly.
  i64 memory() const {
    return (2 * n_ + 2 * (factors_.empty() ? 1 : *std::max_element(factors_.begin(), factors_.end()))) * kLanes;
  }
  /// Where x_j is put before; X_k is element k after.
  i64 place(i64 j) const { return place_[j]; }

  void operator()(T* memory) const {
    T *re = memory, *im = re + n_ * kLanes, *column = im + n_ * kLanes;
    i64 m = 1;
    for (std::size_t depth = factors_.size(); depth-- > 0; m *= factors_[depth]) {
      const i64 p = factors_[depth], step = n_ / (p * m);
      for (i64 first = 0; first < n_; first += p * m) {
        for (i64 k = 0; k < m; ++k)
          butterfly(p, m, k, step, re + (first + k) * kLanes, im + (first + k) * kLanes, column);
      }
    }
  }

 private:
  // Elements k, k + m, ... of Y_0, Y_1, ... become X_k, X_(k + m), ...
  void butterfly(i64 p, i64 m, i64 k, i64 step, T* re, T* im, T* column) const {
    T *a = column, *b = column + p * kLanes;
    for (i64 q = 0; q < p; ++q) {
      const T c = cosine_[q * k * step], s = sine_[q * k * step];
      const T *x = re + q * m * kLanes, *y = im + q * m * kLanes;
      for (i64 l = 0; l < kLanes; ++l) {
        a[q * kLanes + l] = x[l] * c - y[l] * s;
        b[q * kLanes + l] = x[l] * s + y[l] * c;
      }
    }
    if (p == 2) return radix2(m, a, b, re, im);
    if (p == 4) return radix4(m, a, b, re, im);
    for (i64 j = 0; j < p; ++j) {
      T *x = re + j * m * kLanes, *y = im + j * m * kLanes;
      std::copy_n(a, kLanes, x);
      std::copy_n(b, kLanes, y);
      for (i64 q = 1; q < p; ++q) {
        const i64 turn = q * j % p * (n_ / p);
        const T c = cosine_[turn], s = sine_[turn];
        for (i64 l = 0; l < kLanes; ++l) {
          x[l] += a[q * kLanes + l] * c - b[q * kLanes + l] * s;
          y[l] += a[q * kLanes + l] * s + b[q * kLanes + l] * c;
        }
      }
    }
  }
  static void radix2(i64 m, const T* a, const T* b, T* re, T* im) {
    for (i64 l = 0; l < kLanes; ++l) {
      re[l] = a[l] + a[kLanes + l], re[m * kLanes + l] = a[l] - a[kLanes + l];
      im[l] = b[l] + b[kLanes + l], im[m * kLanes + l] = b[l] - b[kLanes + l];
    }
  }
  // The roots are 1, -i, -1, i: nothing is multiplied.
  static void radix4(i64 m, const T* a, const T* b, T* re, T* im) {
    for (i64 l = 0; l < kLanes; ++l) {
      const T *x = a + l, *y = b + l;
      const T sx = x[0] + x[2 * kLanes], dx = x[0] - x[2 * kLanes], sy = y[0] + y[2 * kLanes],
              dy = y[0] - y[2 * kLanes];
      const T tx = x[kLanes] + x[3 * kLanes], ux = x[kLanes] - x[3 * kLanes], ty = y[kLanes] + y[3 * kLanes],
              uy = y[kLanes] - y[3 * kLanes];
      re[l] = sx + tx, re[m * kLanes + l] = dx + uy, re[2 * m * kLanes + l] = sx - tx, re[3 * m * kLanes + l] = dx - uy;
      im[l] = sy + ty, im[m * kLanes + l] = dy - ux, im[2 * m * kLanes + l] = sy - ty, im[3 * m * kLanes + l] = dy + ux;
    }
  }

  i64 n_;
  std::vector<T> cosine_, sine_;  // of -2 pi j / n
  std::vector<i64> factors_, place_;
};

/// Transforms all lines of x along `axis`: load(j, line, step, re, im) gives element j of a line of x whose elements
/// are `step` apart, store(k, line, step, re, im) puts element k of the transform into a line of y.
template <class T, class Load, class Store>
void fourier_lines(const Kernel<T>& k, i64 axis, const T* x, T* y, const Load& load, const Store& store) {
  constexpr i64 kLanes = Fourier<T>::kLanes;
  const auto line = detail::line_of(k.shape(0), axis, "fourier");
  const i64 lines = line.outer * line.inner, n = line.length;
  if (lines == 0 || n == 0) return;
  const Fourier<T> transform(n);
  k.ranges((lines + kLanes - 1) / kLanes, std::max<i64>(1, kGrain / (n * kLanes)), [&](i64 begin, i64 end) {
    Tensor scratch = k.scratch({transform.memory()});
    T* re = scratch.template mutable_values<T>().data();
    T* im = re + n * kLanes;
    for (i64 b = begin; b < end; ++b) {
      const i64 first = b * kLanes, count = std::min(kLanes, lines - first);
      i64 at[kLanes];  // the first element of each line; the last block repeats its last one
      for (i64 l = 0; l < kLanes; ++l) {
        const i64 r = first + std::min(l, count - 1);
        at[l] = r / line.inner * n * line.inner + r % line.inner;
      }
      block(k.isa(), [&] {
        for (i64 j = 0; j < n; ++j) {
          const i64 to = transform.place(j) * kLanes;
          for (i64 l = 0; l < kLanes; ++l) load(j, x + at[l], line.inner, re[to + l], im[to + l]);
        }
        transform(re);
        for (i64 j = 0; j < n; ++j) {
          for (i64 l = 0; l < count; ++l) store(j, y + at[l], line.inner, re[j * kLanes + l], im[j * kLanes + l]);
        }
      });
    }
  });
}

}  // namespace weft::ops
