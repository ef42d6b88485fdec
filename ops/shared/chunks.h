// The chunkwise form: c positions at a time by matrix products. With c = T it is the parallel form.
//
// With S the state before the chunk, U what its positions write, and for rows X that read the state
// X <- U for the scores of X against the keys (each times what the decays leave of it; zeros in the future):
//
//     E = V - b o R S - (R <- K) U,  U = diag(beta) E      without the delta rule: U = V
//     Y = b o Q S + (Q <- K) U
//     S' = b_C o S + (d o K)^T U
//
// Readers are alike: Q gives the outputs, R (the key, or `erase`) the errors. So are their gradients.
// Hua et al. 2022, arXiv:2202.10447; Yang et al. 2024, arXiv:2312.06635 and 2406.06484; the gradients are ours.
#pragma once
#include "ops/shared/decay_weights.h"
#include "ops/shared/delta_solve.h"

namespace weft::ops {

template <class T> class Chunks final : public Form<T> {
 public:
  /// For heads alike in what they have (decay, delta), and at most `chunk` positions at a time.
  Chunks(const Kernel<T>& kernel, const Head<T>& like, i64 chunk)
      : kernel_(kernel),
        K_(like.K),
        V_(like.V),
        memory_(kernel.scratch({3 * chunk * chunk + 4 * chunk * V_ + 2 * chunk * K_ + 2 * chunk + K_})) {
    if (like.by_channel()) decay_ = std::make_unique<ChannelDecay<T>>(kernel, K_, V_, chunk);
    else decay_ = std::make_unique<ScalarDecay<T>>(kernel, K_, V_, chunk);
    T* at = memory_.template mutable_values<T>().data();
    const auto take = [&](i64 n) { return std::exchange(at, at + n); };
    P_ = take(chunk * chunk), L_ = take(chunk * chunk), G_ = take(chunk * chunk);
    E_ = take(chunk * V_), U_ = take(chunk * V_), dU_ = take(chunk * V_), minus_ = take(chunk * V_);
    rows_ = take(chunk * K_), dx_ = take(chunk * K_), beta_ = take(chunk), dbeta_ = take(chunk), e_ = take(K_);
  }

  void forward(const Head<T>& h, i64 t, i64 c, T* S, T* y) override {
    decay_->begin(h, t, c, false);
    const Matrix<const T> U = written(h, t, c, S);
    const Reader<T> q = query(h, t);
    const T* k = h.k + t * K_;
    decay_->scores(q, k, P_);
    multiply(kernel_, c, V_, c, matrix<T>(P_, c), U, y, h.stride);
    if (!h.empty(t)) multiply(kernel_, c, V_, K_, matrix(decay_->carried(q), K_), matrix<T>(S, V_), y, h.stride, T(1));
    if (!h.done(t + c)) write(k, U, c, S);
  }

  void advance(const Head<T>& h, i64 t, i64 c, T* S) override {
    decay_->begin(h, t, c, false);
    const Matrix<const T> U = written(h, t, c, S);
    write(h.k + t * K_, U, c, S);
  }

  void backward(const Head<T>& h, i64 t, i64 c, const T* S, const T* dy, T* dS, const HeadGradients<T>& g) override {
    decay_->begin(h, t, c, g.decay != nullptr);
    const Matrix<const T> U = written(h, t, c, S);
    const Reader<T> q = query(h, t);
    const T* k = h.k + t * K_;
    T *dk = g.k + t * K_, *dv = g.v + t * h.stride, *dU = h.delta ? dU_ : dv;
    const i64 ldu = h.delta ? V_ : h.stride;
    // dU = (Q <- K)^T dY + d o K dS,  dK = d o (U dS^T)
    decay_->scores(q, k, P_);
    multiply(kernel_, c, V_, c, flipped<T>(P_, c), matrix(dy, h.stride), dU, ldu);
    std::fill_n(dk, c * K_, T(0));
    if (!h.done(t + c)) {
      multiply(kernel_, c, V_, K_, matrix(decay_->left(k), K_), matrix<T>(dS, V_), dU, ldu, T(1));
      multiply(kernel_, c, K_, V_, U, flipped<T>(dS, V_), rows_, K_);
      if (g.decay) row_products(S, dS);
      decay_->writer_gradient(k, rows_, e_, dk);
      decay_->decay_state(dS);
    }
    if (h.empty(t)) S = nullptr;
    if (t == 0 && !g.start) dS = nullptr;
    reader_gradient(q, k, c, dy, h.stride, U, S, dS, g.q + t * K_, dk);
    if (h.delta) errors_backward(h, t, c, k, U, S, dS, g);
    if (g.decay) decay_->decay_gradient(g.decay + t * h.decay.width);
  }

 private:
  Reader<T> query(const Head<T>& h, i64 t) const { return {h.q + t * K_, h.read}; }
  Reader<T> eraser(const Head<T>& h, i64 t) const { return {h.eraser() + t * K_, h.error}; }

  // U: the values, or what the delta rule makes of them.
  Matrix<const T> written(const Head<T>& h, i64 t, i64 c, const T* S) {
    const T* v = h.v + t * h.stride;
    if (!h.delta) return matrix(v, h.stride);
    const Reader<T> r = eraser(h, t);
    for (i64 i = 0; i < c; ++i) {
      std::copy_n(v + i * h.stride, V_, E_ + i * V_);
      beta_[i] = h.beta_at(t + i);
    }
    if (!h.empty(t)) multiply(kernel_, c, V_, K_, matrix(decay_->carried(r), K_), matrix(S, V_), E_, V_, T(1), T(-1));
    decay_->scores(r, h.k + t * K_, L_);
    solve_errors(kernel_, c, V_, L_, beta_, E_, U_);
    return matrix<T>(U_, V_);
  }

  // S = b_C o S + (d o K)^T U
  void write(const T* k, Matrix<const T> U, i64 c, T* S) {
    decay_->decay_state(S);
    multiply(kernel_, K_, V_, c, flipped(decay_->left(k), K_), U, S, V_, T(1));
  }

  // For rows with the cotangent C: G = C U^T, M = C S^T, dS += (b o X)^T C. S may be null, for zeros: what multiplies
  // it may overflow; and dS, unwanted.
  void reader_gradient(const Reader<T>& r, const T* k, i64 c, const T* C, i64 stride, Matrix<const T> U, const T* S,
                       T* dS, T* dx, T* dk) {
    multiply(kernel_, c, c, V_, matrix(C, stride), flipped(U.data, U.stride), G_, c);
    if (S) multiply(kernel_, c, K_, V_, matrix(C, stride), flipped(S, V_), rows_, K_);
    else std::fill_n(rows_, c * K_, T(0));
    if (dS) multiply(kernel_, K_, V_, c, flipped(decay_->carried(r), K_), matrix(C, stride), dS, V_, T(1));
    decay_->reader_gradient(r, k, G_, rows_, dx, dk);
  }

  // dU_ becomes the cotangent of the errors, and so of v; its negative is that of what R reads.
  void errors_backward(const Head<T>& h, i64 t, i64 c, const T* k, Matrix<const T> U, const T* S, T* dS,
                       const HeadGradients<T>& g) {
    solve_errors_backward(kernel_, c, V_, L_, beta_, E_, dU_, dbeta_);
    if (g.beta) std::copy_n(dbeta_, c, g.beta + t);
    for (i64 i = 0; i < c; ++i) std::copy_n(dU_ + i * V_, V_, g.v + (t + i) * h.stride);
    for (i64 i = 0; i < c * V_; ++i) minus_[i] = -dU_[i];
    T *dk = g.k + t * K_, *dx = g.erase ? g.erase + t * K_ : dx_;
    reader_gradient(eraser(h, t), k, c, minus_, V_, U, S, dS, dx, dk);
    for (i64 i = 0; !g.erase && i < c * K_; ++i) dk[i] += dx[i];
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
  i64 K_, V_;
  std::unique_ptr<DecayWeights<T>> decay_;
  Tensor memory_;
  T *P_, *L_, *G_, *E_, *U_, *dU_, *minus_, *rows_, *dx_, *beta_, *dbeta_, *e_;
};

}  // namespace weft::ops
