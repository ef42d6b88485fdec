// What the decay does inside a chunk of positions 0 .. c-1, for rows that read the state and rows that write to it.
//
// A row x_i read at time m (i, or i - 1 where it reads the state before its step) sees what position j wrote through
// D_mj = a_{j+1} ... a_m, and the state before the chunk through b_m = a_0 ... a_m. The state after the chunk is a
// reader at time c - 1. All are products of decays, never quotients or logarithms: a decay of 0 is exact, also in
// gradients, and no factor ever exceeds 1 when the decays do not.
//
// A decay for each channel of the key makes D_mj a vector, and the scores no matrix product: they are running products,
// exact for the same reason, at K times the work of one score. Chunks of 16 keep that below the work on the state.
#pragma once
#include <array>

#include "ops/shared/linear_head.h"
#include "ops/shared/small_product.h"

namespace weft::ops {

/// Rows that read the state: x [count c, K], those of one reader behind those of another.
template <class T> struct Reader {
  const T* x = nullptr;
  i64 c = 0, count = 1;
  std::array<Reading, 2> reading{};
  i64 rows() const { return count * c; }
  Reading of(i64 i) const { return reading[i < c ? 0 : 1]; }
  i64 time(i64 i) const { return of(i) == Reading::before ? i % c - 1 : i % c; }
  i64 seen(i64 i) const { return of(i) == Reading::after ? i % c + 1 : i % c; }  // writers 0 .. seen - 1
};

template <class T> class DecayWeights {
 public:
  virtual ~DecayWeights() = default;
  virtual void begin(const Head<T>& h, i64 t, i64 c, bool gradient) = 0;
  /// P_ij = sum over the channels of x_i k_j D_mj, zeros where j is not seen; [rows, c].
  virtual void scores(const Reader<T>& r, const T* k, T* P) = 0;
  /// The rows b_m o x_i.
  virtual const T* carried(const Reader<T>& r) = 0;
  /// The rows D_{c-1,j} o k_j: what is left of them at the end.
  virtual const T* left(const T* k) = 0;
  /// S = b_{c-1} o S
  virtual void decay_state(T* S) const = 0;

  /// Gradients of a reader, given G_ij = <cotangent of row i, what j wrote> and M_i = cotangent of row i times the
  /// state before, both as if nothing decayed: dx set, dk added to. G is spoilt.
  virtual void reader_gradient(const Reader<T>& r, const T* k, T* G, const T* M, T* dx, T* dk) = 0;
  /// The same of the state after: N_j is the row (what j wrote) dS^T, e that of the state before.
  virtual void writer_gradient(const T* k, const T* N, const T* e, T* dk) = 0;
  /// The gradient of the decays of this chunk, from all of the above: [c] or [c, K].
  virtual void decay_gradient(T* da) = 0;
};

// ---- one decay a position ---------------------------------------------------------------------------------------

template <class T> class ScalarDecay final : public DecayWeights<T> {
 public:
  ScalarDecay(const Kernel<T>& kernel, i64 K, i64 V, i64 chunk, i64 rows)
      : kernel_(kernel),
        isa_(kernel.isa()),
        K_(K),
        V_(V),
        memory_(kernel.scratch({2 * chunk * chunk + rows * (chunk + K) + chunk * 4})) {
    D_ = memory_.template mutable_values<T>().data();
    raw_ = D_ + chunk * chunk, W_ = raw_ + rows * chunk;
    U_ = W_ + chunk * (chunk + 1), rows_ = U_ + chunk + 1, b_ = rows_ + rows * K;
  }

  void begin(const Head<T>& h, i64 t, i64 c, bool gradient) override {
    const bool same = h.decay && h.decay.step == 0 && a_.data == h.decay.data && c == c_;
    a_ = h.decay, t_ = t, c_ = c, gradient_ = gradient;
    if (gradient) std::fill_n(W_, c * (c + 1), T(0));
    if (!a_ || same) return;
    block(isa_, [&] {
      for (i64 i = 0; i < c; ++i) {
        const T a = decay(i);
        b_[i] = i ? normal(b_[i - 1] * a) : a;
        for (i64 j = 0; j < i; ++j) D_[i * c + j] = normal(D_[(i - 1) * c + j] * a);
        D_[i * c + i] = 1;
      }
    });
  }
  void scores(const Reader<T>& r, const T* k, T* P) override {
    multiply(kernel_, r.rows(), c_, K_, matrix(r.x, K_), flipped(k, K_), P, c_);
    weigh(r, P);
  }
  const T* carried(const Reader<T>& r) override {
    if (!a_) return r.x;
    for (i64 i = 0; i < r.rows(); ++i) scale(before_start(r.time(i)), r.x + i * K_, rows_ + i * K_);
    return rows_;
  }
  const T* left(const T* k) override {
    if (!a_) return k;
    for (i64 j = 0; j < c_; ++j) scale(D_[(c_ - 1) * c_ + j], k + j * K_, rows_ + j * K_);
    return rows_;
  }
  void decay_state(T* S) const override {
    if (!a_) return;
    block(isa_, [&] {
      const T b = before_start(c_ - 1);
      for (i64 x = 0; x < K_ * V_; ++x) S[x] *= b;
    });
  }

  // With G o D for G:  dx = G K + b o M,  dk = G^T x
  void reader_gradient(const Reader<T>& r, const T* k, T* G, const T* M, T* dx, T* dk) override {
    if (gradient_) collect(r, k, G, M);
    weigh(r, G);
    for (i64 i = 0; i < r.rows(); ++i) scale(before_start(r.time(i)), M + i * K_, dx + i * K_);
    multiply(kernel_, r.rows(), K_, c_, matrix<T>(G, c_), matrix(k, K_), dx, K_, T(1));
    multiply(kernel_, c_, K_, r.rows(), flipped<T>(G, c_), matrix(r.x, K_), dk, K_, T(1));
  }
  void writer_gradient(const T* k, const T* N, const T* e, T* dk) override {
    block(isa_, [&] {
      T* last = W_ + (c_ - 1) * (c_ + 1);
      if (gradient_) last[0] += lane_sum<T>(K_, [=](auto at) { return at(e); });
      for (i64 j = 0; j < c_; ++j) {
        const T d = a_ ? D_[(c_ - 1) * c_ + j] : T(1), *n = N + j * K_, *key = k + j * K_;
        for (i64 x = 0; x < K_; ++x) dk[j * K_ + x] += d * n[x];
        if (gradient_) last[1 + j] += lane_sum<T>(K_, [=](auto at) { return at(n) * at(key); });
      }
    });
  }

  // W_mj holds what reader times m and writers j (0: the state before, 1 + j: position j) would give undecayed, so that
  // da_l = sum over j < l <= m of W_mj D_ml D_{l-1,j}: U_lj = sum over m >= l of W_mj D_ml runs backwards over l.
  void decay_gradient(T* da) override {
    block(isa_, [&] {
      std::fill_n(U_, c_ + 1, T(0));
      for (i64 l = c_ - 1; l >= 0; --l) {
        const T after = l + 1 < c_ ? decay(l + 1) : T(0), *w = W_ + l * (c_ + 1), *U = U_,
                *d = D_ + std::max<i64>(0, l - 1) * c_;
        for (i64 j = 0; j <= l; ++j) U_[j] = w[j] + after * U_[j];
        da[l] = U[0] * before_start(l - 1) + lane_sum<T>(l, [=](auto at) { return at(U + 1) * at(d); });
      }
    });
  }

 private:
  // Numbers too small for full precision would slow every product down, 100 times on some CPUs; they are nothing beside
  // what a decay multiplies.
  static T normal(T x) { return std::abs(x) < std::numeric_limits<T>::min() ? T(0) : x; }
  T decay(i64 i) const { return *a_.at(t_ + i); }
  T before_start(i64 m) const { return a_ && m >= 0 ? b_[m] : T(1); }
  void scale(T s, const T* from, T* to) const {
    block(isa_, [&] {
      for (i64 x = 0; x < K_; ++x) to[x] = s * from[x];
    });
  }
  // P = P o D, zeros where nothing is seen
  void weigh(const Reader<T>& r, T* P) const {
    block(isa_, [&] {
      for (i64 i = 0; i < r.rows(); ++i) {
        const i64 seen = r.seen(i);
        const T* d = D_ + std::max<i64>(0, r.time(i)) * c_;
        T* row = P + i * c_;
        for (i64 j = 0; a_ && j < seen; ++j) row[j] *= d[j];
        std::fill(row + seen, row + c_, T(0));
      }
    });
  }
  void collect(const Reader<T>& r, const T* k, const T* G, const T* M) {
    block(isa_, [&] {
      multiply(kernel_, r.rows(), c_, K_, matrix(r.x, K_), flipped(k, K_), raw_, c_);
      for (i64 i = 0; i < r.rows(); ++i) {
        if (r.time(i) < 0) continue;
        T* w = W_ + r.time(i) * (c_ + 1);
        const T *x = r.x + i * K_, *m = M + i * K_;
        w[0] += lane_sum<T>(K_, [=](auto at) { return at(x) * at(m); });
        for (i64 j = 0; j < r.seen(i); ++j) w[1 + j] += G[i * c_ + j] * raw_[i * c_ + j];
      }
    });
  }

  const Kernel<T>& kernel_;
  Isa isa_;
  i64 K_, V_, t_ = 0, c_ = 0;
  Along1<T> a_;
  bool gradient_ = false;
  Tensor memory_;
  T *D_, *raw_, *W_, *U_, *rows_, *b_;
};

// ---- a decay for each channel of the key ------------------------------------------------------------------------

template <class T> class ChannelDecay final : public DecayWeights<T> {
 public:
  ChannelDecay(const Kernel<T>& kernel, i64 K, i64 V, i64 chunk, i64 rows)
      : isa_(kernel.isa()), K_(K), V_(V), memory_(kernel.scratch({(chunk * 4 + rows + 2) * K})) {
    b_ = memory_.template mutable_values<T>().data();
    d_ = b_ + chunk * K, da_ = d_ + chunk * K, rows_ = da_ + chunk * K, w_ = rows_ + rows * K;
    prefix_ = w_ + K;  // chunk + 1 rows
  }

  void begin(const Head<T>& h, i64 t, i64 c, bool gradient) override {
    a_ = h.decay, t_ = t, c_ = c;
    if (gradient) std::fill_n(da_, c * K_, T(0));
    for (i64 i = 0; i < c; ++i) product(i ? b_ + (i - 1) * K_ : nullptr, decay(i), b_ + i * K_);
    std::fill_n(d_ + (c - 1) * K_, K_, T(1));
    for (i64 j = c - 2; j >= 0; --j) product(d_ + (j + 1) * K_, decay(j + 1), d_ + j * K_);
  }
  // For each row one running product, from its own time backwards.
  void scores(const Reader<T>& r, const T* k, T* P) override {
    block(isa_, [&] {
      for (i64 i = 0; i < r.rows(); ++i) {
        const i64 seen = r.seen(i);
        std::copy_n(r.x + i * K_, K_, w_);
        std::fill(P + i * c_ + seen, P + (i + 1) * c_, T(0));
        for (i64 j = r.time(i); j >= 0; --j) {
          const T *w = w_, *key = k + j * K_;
          if (j < seen) P[i * c_ + j] = lane_sum<T>(K_, [=](auto at) { return at(w) * at(key); });
          product(w_, decay(j), w_);
        }
      }
    });
  }
  const T* carried(const Reader<T>& r) override {
    for (i64 i = 0; i < r.rows(); ++i)
      product(r.time(i) < 0 ? nullptr : b_ + r.time(i) * K_, r.x + i * K_, rows_ + i * K_);
    return rows_;
  }
  const T* left(const T* k) override {
    for (i64 j = 0; j < c_; ++j) product(d_ + j * K_, k + j * K_, rows_ + j * K_);
    return rows_;
  }
  void decay_state(T* S) const override {
    block(isa_, [&] {
      for (i64 x = 0; x < K_; ++x) {
        const T b = b_[(c_ - 1) * K_ + x];
        for (i64 y = 0; y < V_; ++y) S[x * V_ + y] *= b;
      }
    });
  }

  void reader_gradient(const Reader<T>& r, const T* k, T* G, const T* M, T* dx, T* dk) override {
    block(isa_, [&] {
      for (i64 i = 0; i < r.rows(); ++i) {
        const T* g = G + i * c_;
        std::copy_n(r.x + i * K_, K_, w_);
        trace(r.time(i), r.seen(i), k, M + i * K_, dk, [=](i64 j, i64) { return g[j]; });
        std::copy_n(prefix_ + (r.time(i) + 1) * K_, K_, dx + i * K_);
      }
    });
  }
  void writer_gradient(const T* k, const T* N, const T* e, T* dk) override {
    block(isa_, [&] {
      std::fill_n(w_, K_, T(1));
      trace(c_ - 1, c_, k, e, dk, [=, this](i64 j, i64 x) { return N[j * K_ + x]; });
    });
  }
  void decay_gradient(T* da) override { std::copy_n(da_, c_ * K_, da); }

 private:
  const T* decay(i64 i) const { return a_.at(t_ + i); }
  void product(const T* x, const T* y, T* z) const {
    for (i64 i = 0; i < K_; ++i) z[i] = x ? x[i] * y[i] : y[i];
  }

  // One reader w at time m of the writers 0 .. seen - 1 with weights g. Forwards, what arrives:
  //     p_{-1} = M,  p_l = a_l o p_{l-1} + g_l k_l            (and dx = p_m)
  // backwards, with w = x D_ml:  dk_l += g_l w,  da_l += w o p_{l-1}.
  template <class G> void trace(i64 m, i64 seen, const T* k, const T* M, T* dk, const G& g) {
    std::copy_n(M, K_, prefix_);
    for (i64 l = 0; l <= m; ++l) {
      const T *a = decay(l), *key = k + l * K_, *p = prefix_ + l * K_;
      T* next = prefix_ + (l + 1) * K_;
      for (i64 x = 0; x < K_; ++x) next[x] = a[x] * p[x] + (l < seen ? g(l, x) * key[x] : T(0));
    }
    for (i64 l = m; l >= 0; --l) {
      const T *a = decay(l), *p = prefix_ + l * K_;
      T *to_key = dk + l * K_, *to_decay = da_ + l * K_, *w = w_;
      for (i64 x = 0; x < K_; ++x) {
        to_key[x] += l < seen ? g(l, x) * w[x] : T(0);
        to_decay[x] += w[x] * p[x];
        w[x] *= a[x];
      }
    }
  }

  Isa isa_;
  i64 K_, V_, t_ = 0, c_ = 0;
  Along1<T> a_;
  Tensor memory_;
  T *b_, *d_, *da_, *rows_, *w_, *prefix_;
};

}  // namespace weft::ops
