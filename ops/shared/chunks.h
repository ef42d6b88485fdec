// The linear recurrence of one head, in chunks of C positions. All three forms are this one: C = 1 is the recurrent
// form, C = T the parallel one.
//
//     S_t = a_t S_{t-1} + k_t^T v_t        y_t = q_t S_t
//
// Within a chunk, with S the state before it, b_i = a_1 ... a_i and D_ij = a_{j+1} ... a_i (1 on the diagonal, 0 above):
//
//     Y  = (Q K^T o D) V + diag(b) Q S
//     S' = b_C S + (diag(D_C.) K)^T V
//
// D and b are products of decays, never quotients or logarithms: a decay of 0 is exact, also in gradients.
// Yang et al. 2024, arXiv:2312.06635; the gradients are ours.
#pragma once
#include "engine/kernel.h"

namespace weft::ops {

template <class T> struct Head {
  const T *q = nullptr, *k = nullptr, *v = nullptr;
  const T* a = nullptr;     // decays, one a position or one in all; null: all 1
  i64 a_step = 0;           // 0: one for all positions
  const T* start = nullptr;  // [K, V]; null: zeros
  i64 length = 0, K = 0, V = 0;
  T decay(i64 t) const { return a ? a[t * a_step] : T(1); }
};

template <class T> class Chunks {
 public:
  Chunks(const Kernel<T>& kernel, i64 K, i64 V, i64 chunk)
      : kernel_(kernel), K_(K), V_(V), C_(chunk), scratch_(kernel.scratch({3 * chunk * chunk + chunk * (K + V + 3)})) {
    T* at = scratch_.template mutable_values<T>().data();
    const auto take = [&](i64 n) {
      T* p = at;
      at += n;
      return p;
    };
    D_ = take(C_ * C_), P_ = take(C_ * C_), G_ = take(C_ * C_), scaled_ = take(C_ * std::max(K, V));
    b_ = take(C_), d_ = take(C_), u_ = take(C_);
  }

  /// y [T, V] and the state after it [K, V].
  void forward(const Head<T>& h, T* y, T* state) {
    begin(h, state);
    for (i64 t = 0; t < h.length; t += C_) {
      const i64 c = std::min(C_, h.length - t);
      decays(h, t, c);
      const T *q = h.q + t * K_, *k = h.k + t * K_, *v = h.v + t * V_;
      scores(q, k, P_, c, K_);
      product(false, false, c, V_, c, P_, c, v, V_, y + t * V_, T(0));
      scaled(q, b_, c, K_);
      product(false, false, c, V_, K_, scaled_, K_, state, V_, y + t * V_, T(1));
      advance(k, v, c, state);
    }
  }

  /// The state before every chunk, [chunks, K, V], the first being the start.
  void states(const Head<T>& h, T* states) {
    const i64 size = K_ * V_;
    begin(h, states);
    for (i64 t = 0; t + C_ < h.length; t += C_) {
      decays(h, t, C_);
      std::copy(states, states + size, states + size);
      states += size;
      advance(h.k + t * K_, h.v + t * V_, C_, states);
    }
  }

  struct Gradients {
    T *q = nullptr, *k = nullptr, *v = nullptr;  // like q, k, v
    T* a = nullptr;  // [T]; null: not wanted
  };
  /// Gradients from dy [T, V]; `dstate` [K, V] holds the cotangent of the final state and becomes that of the start.
  void backward(const Head<T>& h, const T* states, const T* dy, T* dstate, const Gradients& g) {
    const i64 chunks = (h.length + C_ - 1) / C_;
    for (i64 n = chunks - 1; n >= 0; --n) {
      const i64 t = n * C_, c = std::min(C_, h.length - t);
      const T *q = h.q + t * K_, *k = h.k + t * K_, *v = h.v + t * V_, *up = dy + t * V_, *S = states + n * K_ * V_;
      decays(h, t, c);
      T *dq = g.q + t * K_, *dk = g.k + t * K_, *dv = g.v + t * V_;
      // G = dY V^T o D:  dQ = G K + diag(b) dY S^T,  dK = G^T Q + diag(d) V dS^T
      product(false, true, c, c, V_, up, V_, v, V_, G_, T(0));
      if (g.a) decay_gradient(h, t, c, S, up, dstate, g.a + t);
      masked(G_, c);
      scaled(up, b_, c, V_);
      product(false, true, c, K_, V_, scaled_, V_, S, V_, dq, T(0));
      product(false, false, c, K_, c, G_, c, k, K_, dq, T(1));
      scaled(v, d_, c, V_);
      product(false, true, c, K_, V_, scaled_, V_, dstate, V_, dk, T(0));
      product(true, false, c, K_, c, G_, c, q, K_, dk, T(1));
      // dV = (Q K^T o D)^T dY + diag(d) K dS
      scores(q, k, P_, c, K_);
      scaled(k, d_, c, K_);
      product(false, false, c, V_, K_, scaled_, K_, dstate, V_, dv, T(0));
      product(true, false, c, V_, c, P_, c, up, V_, dv, T(1));
      // dS_before = b_C dS + (diag(b) Q)^T dY
      scaled(q, b_, c, K_);
      product(true, false, K_, V_, c, scaled_, K_, up, V_, dstate, b_[c - 1]);
    }
  }

 private:
  void begin(const Head<T>& h, T* state) const {
    if (h.start) std::copy(h.start, h.start + K_ * V_, state);
    else std::fill(state, state + K_ * V_, T(0));
  }

  // D, b, and d = the last row of D.
  void decays(const Head<T>& h, i64 t, i64 c) {
    for (i64 i = 0; i < c; ++i) {
      const T a = h.decay(t + i);
      b_[i] = i ? b_[i - 1] * a : a;
      T* row = D_ + i * c;
      const T* above = row - c;
      for (i64 j = 0; j < i; ++j) row[j] = above[j] * a;
      row[i] = 1;
      for (i64 j = i + 1; j < c; ++j) row[j] = 0;
    }
    std::copy(D_ + (c - 1) * c, D_ + c * c, d_);
  }

  // P = X Z^T o D
  void scores(const T* x, const T* z, T* p, i64 c, i64 width) {
    product(false, true, c, c, width, x, width, z, width, p, T(0));
    masked(p, c);
  }
  void masked(T* p, i64 c) const {
    for (i64 i = 0; i < c * c; ++i) p[i] *= D_[i];  // D is finite, and 0 stands for "not yet"
  }

  // scaled_ = diag(s) x
  void scaled(const T* x, const T* s, i64 c, i64 width) {
    for (i64 i = 0; i < c; ++i) {
      for (i64 j = 0; j < width; ++j) scaled_[i * width + j] = s[i] * x[i * width + j];
    }
  }

  // S = b_C S + (diag(d) K)^T V
  void advance(const T* k, const T* v, i64 c, T* state) {
    scaled(k, d_, c, K_);
    product(true, false, K_, V_, c, scaled_, K_, v, V_, state, b_[c - 1]);
  }

  // With W_ij = (q_i k_j)(dy_i v_j) for what i takes from j, and column -1 and row C for the states before and after:
  // da_l = sum over j < l of U_lj D_{l-1,j}, where U_lj = sum over i >= l of W_ij D_il runs backwards over l.
  void decay_gradient(const Head<T>& h, i64 t, i64 c, const T* S, const T* up, const T* dstate, T* da) {
    const T *q = h.q + t * K_, *k = h.k + t * K_, *v = h.v + t * V_;
    product(false, true, c, c, K_, q, K_, k, K_, P_, T(0));
    T before = 0;  // U of column -1
    for (i64 x = 0; x < K_ * V_; ++x) before += dstate[x] * S[x];
    for (i64 j = 0; j < c; ++j) {
      T sum = 0;
      for (i64 x = 0; x < K_; ++x) {
        for (i64 y = 0; y < V_; ++y) sum += k[j * K_ + x] * dstate[x * V_ + y] * v[j * V_ + y];
      }
      u_[j] = sum;
    }
    for (i64 l = c - 1; l >= 0; --l) {
      const T after = l + 1 < c ? h.decay(t + l + 1) : T(1);
      T read = 0;  // dy_l . (q_l S)
      for (i64 x = 0; x < K_; ++x) {
        T dot = 0;
        for (i64 y = 0; y < V_; ++y) dot += S[x * V_ + y] * up[l * V_ + y];
        read += q[l * K_ + x] * dot;
      }
      before = read + after * before;
      T total = before * (l ? b_[l - 1] : T(1));
      for (i64 j = 0; j < c; ++j) u_[j] = (j <= l ? G_[l * c + j] * P_[l * c + j] : T(0)) + after * u_[j];
      for (i64 j = 0; j < l; ++j) total += u_[j] * D_[(l - 1) * c + j];
      da[l] = total;
    }
  }

  // Z = op(X) op(Y) + beta Z; the width of Z is n.
  void product(bool tx, bool ty, i64 m, i64 n, i64 inner, const T* x, i64 ldx, const T* y, i64 ldy, T* z, T beta) {
    if (m * n * inner <= 4096 && m * inner <= 256) return small(tx, ty, m, n, inner, x, ldx, y, ldy, z, beta);
    kernel_.multiply({tx, ty, m, n, inner, x, ldx, y, ldy, z, n, T(1), beta});
  }
  // One token of a stream is too little for a call of a library.
  static void small(bool tx, bool ty, i64 m, i64 n, i64 inner, const T* x, i64 ldx, const T* y, i64 ldy, T* z, T beta) {
    for (i64 i = 0; i < m; ++i) {
      T* row = z + i * n;
      for (i64 j = 0; j < n; ++j) row[j] = beta == T(0) ? T(0) : beta * row[j];
      for (i64 l = 0; l < inner; ++l) {
        const T s = tx ? x[l * ldx + i] : x[i * ldx + l];
        for (i64 j = 0; j < n; ++j) row[j] += s * (ty ? y[j * ldy + l] : y[l * ldy + j]);
      }
    }
  }

  const Kernel<T>& kernel_;
  i64 K_, V_, C_;
  Tensor scratch_;
  T *D_, *P_, *G_, *scaled_, *b_, *d_, *u_;
};

}  // namespace weft::ops
