// The chunkwise form: c positions at a time by matrix products. With c = T it is the parallel form.
//
// With S the state before the chunk, U what its positions write, and for rows X that read the state
// X <- U for the scores of X against the keys (each times what the decays leave of it; zeros in the future):
//
//     E = V - b o R S - (R <- K) U,  U = diag(beta) E      without the delta rule: U = V
//     Y = b o Q S + (Q <- K) U
//     S' = b_C o S + (d o K)^T U
//
// Readers are alike: Q gives the outputs, R (the key, or `erase`) the errors. So are their gradients. Where both are
// there, they lie behind each other, X = [Q; R], and one product does for both.
// Hua et al. 2022, arXiv:2202.10447; Yang et al. 2024, arXiv:2312.06635 and 2406.06484; the gradients are ours.
#pragma once
#include "ops/shared/decay_weights.h"
#include "ops/shared/delta_solve.h"

namespace weft::ops {

template <class T> class Chunks final : public Form<T> {
 public:
  /// For heads alike in what they have (decay, delta), at most `chunk` positions at a time. `chunks` is 1, or for a
  /// backward the number of all: what `advance` finds of the errors is kept for it.
  Chunks(const Kernel<T>& kernel, const Head<T>& like, i64 chunk, i64 chunks)
      : kernel_(kernel), K_(like.K), V_(like.V), chunk_(chunk), chunks_(chunks), readers_(like.delta ? 2 : 1) {
    const i64 rows = readers_ * chunk, kept = like.delta ? chunks * chunk * (chunk + 2 * V_) : 0;
    memory_ = kernel.scratch({rows * (2 * chunk + 3 * K_ + V_) + chunk * (V_ + 2) + K_ + kept});
    if (like.by_channel()) decay_ = std::make_unique<ChannelDecay<T>>(kernel, K_, V_, chunk, rows);
    else decay_ = std::make_unique<ScalarDecay<T>>(kernel, K_, V_, chunk, rows);
    T* at = memory_.template mutable_values<T>().data();
    const auto take = [&](i64 n) { return std::exchange(at, at + n); };
    P_ = take(rows * chunk), G_ = take(rows * chunk);
    X_ = take(rows * K_), dX_ = take(rows * K_), M_ = take(rows * K_), Z_ = take(rows * V_);
    dU_ = take(chunk * V_), beta_ = take(chunk), dbeta_ = take(chunk), e_ = take(K_), kept_ = at;
  }

  void forward(const Head<T>& h, i64 t, i64 c, T* S, T* y) override {
    decay_->begin(h, t, c, false);
    const Reader<T> x = readers(h, t, c);
    const T* k = h.k + t * K_;
    decay_->scores(x, k, P_);
    if (!h.empty(t))
      multiply(kernel_, x.rows(), V_, K_, matrix(decay_->carried(x), K_), matrix<T>(S, V_), h.delta ? Z_ : y,
               h.delta ? V_ : h.stride);
    if (h.delta) {
      for (i64 i = 0; i < c && !h.empty(t); ++i) std::copy_n(Z_ + i * V_, V_, y + i * h.stride);
      const Errors e = errors(t);
      subtract(h, t, c, Z_ + c * V_, e.E);
      solve_errors(kernel_, c, V_, P_ + c * c, beta(h, t, c), e.E, e.U);
    }
    const Matrix<const T> U = written(h, t);
    multiply(kernel_, c, V_, c, matrix<T>(P_, c), U, y, h.stride, h.empty(t) ? T(0) : T(1));
    if (!h.done(t + c)) write(k, U, c, S);
  }

  void advance(const Head<T>& h, i64 t, i64 c, T* S) override {
    decay_->begin(h, t, c, false);
    if (h.delta) correct(h, t, c, S);
    write(h.k + t * K_, written(h, t), c, S);
  }

  void backward(const Head<T>& h, i64 t, i64 c, const T* S, const T* dy, T* dS, const HeadGradients<T>& g) override {
    decay_->begin(h, t, c, g.decay != nullptr);
    if (h.delta && t + c == h.length) correct(h, t, c, S);
    const Matrix<const T> U = written(h, t);
    const T* k = h.k + t * K_;
    T *dk = g.k + t * K_, *dv = g.v + t * h.stride, *dU = h.delta ? dU_ : dv;
    const i64 ldu = h.delta ? V_ : h.stride;
    // dU = (Q <- K)^T dY + d o K dS,  dK = d o (U dS^T)
    decay_->scores(query(h, t, c), k, P_);
    multiply(kernel_, c, V_, c, flipped<T>(P_, c), matrix(dy, h.stride), dU, ldu);
    std::fill_n(dk, c * K_, T(0));
    if (!h.done(t + c)) {
      multiply(kernel_, c, V_, K_, matrix(decay_->left(k), K_), matrix<T>(dS, V_), dU, ldu, T(1));
      multiply(kernel_, c, K_, V_, U, flipped<T>(dS, V_), M_, K_);
      if (g.decay) row_products(S, dS);
      decay_->writer_gradient(k, M_, e_, dk);
      decay_->decay_state(dS);
    }
    if (h.empty(t)) S = nullptr;
    if (t == 0 && !g.start) dS = nullptr;
    const Reader<T> x = readers(h, t, c);
    if (h.delta) {
      errors_backward(h, t, c, dy, g);
      readers_gradient(x, k, matrix<T>(Z_, V_), U, S, dS, dX_, dk);
      std::copy_n(dX_, c * K_, g.q + t * K_);
      if (g.erase) std::copy_n(dX_ + c * K_, c * K_, g.erase + t * K_);
      for (i64 i = 0; !g.erase && i < c * K_; ++i) dk[i] += dX_[c * K_ + i];
    } else {
      readers_gradient(x, k, matrix(dy, h.stride), U, S, dS, g.q + t * K_, dk);
    }
    if (g.decay) decay_->decay_gradient(g.decay + t * h.decay.width);
  }

 private:
  Reader<T> query(const Head<T>& h, i64 t, i64 c) const { return {h.q + t * K_, c, 1, {h.read}}; }
  Reader<T> eraser(const Head<T>& h, i64 t, i64 c) const { return {h.eraser() + t * K_, c, 1, {h.error}}; }
  // All that read the state.
  Reader<T> readers(const Head<T>& h, i64 t, i64 c) {
    if (!h.delta) return query(h, t, c);
    std::copy_n(h.q + t * K_, c * K_, X_);
    std::copy_n(h.eraser() + t * K_, c * K_, X_ + c * K_);
    return {X_, c, 2, {h.read, h.error}};
  }

  // What the delta rule makes of the chunk at t.
  struct Errors {
    T *L, *E, *U;
  };
  Errors errors(i64 t) const {
    T* at = kept_ + t / chunk_ % chunks_ * chunk_ * (chunk_ + 2 * V_);
    return {at, at + chunk_ * chunk_, at + chunk_ * (chunk_ + V_)};
  }
  // The same from what R reads alone.
  void correct(const Head<T>& h, i64 t, i64 c, const T* S) {
    const Errors e = errors(t);
    const Reader<T> r = eraser(h, t, c);
    if (!h.empty(t)) multiply(kernel_, c, V_, K_, matrix(decay_->carried(r), K_), matrix(S, V_), Z_, V_);
    subtract(h, t, c, Z_, e.E);
    decay_->scores(r, h.k + t * K_, e.L);
    solve_errors(kernel_, c, V_, e.L, beta(h, t, c), e.E, e.U);
  }
  Matrix<const T> written(const Head<T>& h, i64 t) const {
    return h.delta ? matrix<T>(errors(t).U, V_) : matrix(h.v + t * h.stride, h.stride);
  }
  // E = V - Z; without a state before the chunk, V.
  void subtract(const Head<T>& h, i64 t, i64 c, const T* Z, T* E) const {
    block(kernel_.isa(), [&] {
      for (i64 i = 0; i < c; ++i) {
        const T *v = h.v + (t + i) * h.stride, *z = Z + i * V_;
        if (h.empty(t)) std::copy_n(v, V_, E + i * V_);
        for (i64 y = 0; !h.empty(t) && y < V_; ++y) E[i * V_ + y] = v[y] - z[y];
      }
    });
  }
  const T* beta(const Head<T>& h, i64 t, i64 c) {
    for (i64 i = 0; i < c; ++i) beta_[i] = h.beta_at(t + i);
    return beta_;
  }

  // S = b_C o S + (d o K)^T U
  void write(const T* k, Matrix<const T> U, i64 c, T* S) {
    decay_->decay_state(S);
    multiply(kernel_, K_, V_, c, flipped(decay_->left(k), K_), U, S, V_, T(1));
  }

  // For rows with the cotangent C: G = C U^T, M = C S^T, dS += (b o X)^T C. S may be null, for zeros: what multiplies
  // it may overflow; and dS, unwanted.
  void readers_gradient(const Reader<T>& x, const T* k, Matrix<const T> C, Matrix<const T> U, const T* S, T* dS, T* dx,
                        T* dk) {
    multiply(kernel_, x.rows(), x.c, V_, C, flipped(U.data, U.stride), G_, x.c);
    if (S) multiply(kernel_, x.rows(), K_, V_, C, flipped(S, V_), M_, K_);
    else std::fill_n(M_, x.rows() * K_, T(0));
    if (dS) multiply(kernel_, K_, V_, x.rows(), flipped(decay_->carried(x), K_), C, dS, V_, T(1));
    decay_->reader_gradient(x, k, G_, M_, dx, dk);
  }

  // dU_ becomes the cotangent of the errors, and so of v; its negative is that of what R reads: Z = [dY; -dE].
  void errors_backward(const Head<T>& h, i64 t, i64 c, const T* dy, const HeadGradients<T>& g) {
    const Errors e = errors(t);
    solve_errors_backward(kernel_, c, V_, e.L, beta(h, t, c), e.E, dU_, dbeta_);
    if (g.beta) std::copy_n(dbeta_, c, g.beta + t);
    block(kernel_.isa(), [&] {
      for (i64 i = 0; i < c; ++i) {
        std::copy_n(dU_ + i * V_, V_, g.v + (t + i) * h.stride);
        std::copy_n(dy + i * h.stride, V_, Z_ + i * V_);
        for (i64 y = 0; y < V_; ++y) Z_[(c + i) * V_ + y] = -dU_[i * V_ + y];
      }
    });
  }

  // e_x = <S_x, dS_x>
  void row_products(const T* S, const T* dS) {
    block(kernel_.isa(), [&] {
      for (i64 x = 0; x < K_; ++x) {
        const T *a = S + x * V_, *b = dS + x * V_;
        e_[x] = lane_sum<T>(V_, [=](auto at) { return at(a) * at(b); });
      }
    });
  }

  const Kernel<T>& kernel_;
  i64 K_, V_, chunk_, chunks_, readers_;
  std::unique_ptr<DecayWeights<T>> decay_;
  Tensor memory_;
  T *P_, *G_, *X_, *dX_, *M_, *Z_, *dU_, *beta_, *dbeta_, *e_, *kept_;
};

}  // namespace weft::ops
