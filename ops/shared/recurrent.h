// The recurrent form: one position after the other. It is the meaning of the other forms, the way a stream takes, and
// the fastest while the state of a head stays in the first-level cache.
#pragma once
#include "ops/shared/linear_head.h"

namespace weft::ops {

template <class T> class Recurrent final : public Form<T> {
 public:
  /// For at most `chunk` positions at a time.
  Recurrent(const Kernel<T>& kernel, i64 K, i64 V, i64 chunk)
      : isa_(kernel.isa()), K_(K), V_(V), memory_(kernel.scratch({chunk * K * V + 3 * V})) {
    states_ = memory_.template mutable_values<T>().data();
    error_ = states_ + chunk * K * V, u_ = error_ + V, du_ = u_ + V;
  }

  void forward(const Head<T>& h, i64 t, i64 c, T* state, T* y) override {
    block(isa_, [&] {
      for (i64 i = t; i < t + c; ++i, y += h.stride) step(h, i, state, state, y);
    });
  }
  bool single(const Head<T>& h, T* last, T* y) override {
    if (h.length != 1) return false;
    block(isa_, [&] { step(h, 0, h.start, last, y); });
    return true;
  }
  void advance(const Head<T>& h, i64 t, i64 c, T* state) override {
    block(isa_, [&] {
      for (i64 i = t; i < t + c; ++i) step(h, i, state, state, nullptr);
    });
  }
  void backward(const Head<T>& h, i64 t, i64 c, const T* state, const T* dy, T* dstate,
                const HeadGradients<T>& g) override {
    block(isa_, [&] {
      const i64 size = K_ * V_;
      std::copy_n(state, size, states_);
      for (i64 i = 0; i + 1 < c; ++i) step(h, t + i, states_ + i * size, states_ + (i + 1) * size, nullptr);
      for (i64 i = c - 1; i >= 0; --i) back(h, t + i, states_ + i * size, dy + i * h.stride, dstate, g);
    });
  }

 private:
  T decay(const Head<T>& h, i64 t, i64 x) const { return h.decay ? h.decay.at(t)[h.by_channel() ? x : 0] : T(1); }
  // The weight of row x of the state where the error is taken.
  T erased(const Head<T>& h, i64 t, i64 x) const {
    return h.eraser()[t * K_ + x] * (h.error == Reading::decayed ? decay(h, t, x) : T(1));
  }

  // error = v - r (a o S), u = beta error; without the delta rule u = v
  const T* written(const Head<T>& h, i64 t, const T* S) {
    const T* v = h.v + t * h.stride;
    if (!h.delta) return v;
    std::copy_n(v, V_, error_);
    for (i64 x = 0; x < K_; ++x) {
      const T r = erased(h, t, x);
      for (i64 y = 0; y < V_; ++y) error_[y] -= r * S[x * V_ + y];
    }
    const T beta = h.beta_at(t);
    for (i64 y = 0; y < V_; ++y) u_[y] = beta * error_[y];
    return u_;
  }

  // next = a o S + k^T u, y = q next (or q S); in place when next is S. A column does not see the others.
  void step(const Head<T>& h, i64 t, const T* S, T* next, T* y) {
    using Vector = typename Lanes<T>::Vector;
    constexpr i64 W = Lanes<T>::count;
    i64 j = 0;
    for (; j + 4 * W <= V_; j += 4 * W) columns<Vector, 4>(h, t, S, next, y, j);
    for (; j + W <= V_; j += W) columns<Vector, 1>(h, t, S, next, y, j);
    for (; j < V_; ++j) columns<T, 1>(h, t, S, next, y, j);
  }
  // n vectors of columns from j on: what they sum stays in registers. In memory, steps were 17 % of a
  // token of RetNet S; now 4 (`perf record ./build/weft generate RUN`).
  template <class X, int n>
  [[gnu::always_inline]] void columns(const Head<T>& h, i64 t, const T* S, T* next, T* y, i64 j) {
    constexpr i64 W = sizeof(X) / sizeof(T);
    const T *q = h.q + t * K_, *k = h.k + t * K_, one = 1, *a = h.decay ? h.decay.at(t) : &one;
    const i64 channel = h.by_channel() ? 1 : 0;
    const auto at = [j](auto* p, i64 v) -> auto& {
      using Place = std::conditional_t<std::is_const_v<std::remove_pointer_t<decltype(p)>>, const X, X>;
      return *reinterpret_cast<Place*>(p + j + v * W);
    };
    X u[n], read[n];
#pragma GCC unroll 4
    for (int v = 0; v < n; ++v) u[v] = at(h.v + t * h.stride, v), read[v] = X{};
    if (h.delta) {
      for (i64 x = 0; x < K_; ++x) {
        const T r = erased(h, t, x);
#pragma GCC unroll 4
        for (int v = 0; v < n; ++v) u[v] -= r * at(S + x * V_, v);
      }
      const T beta = h.beta_at(t);
#pragma GCC unroll 4
      for (int v = 0; v < n; ++v) u[v] = beta * u[v];
    }
    const bool before = h.read == Reading::before;
    for (i64 x = 0; x < K_; ++x) {
      const T decay = a[x * channel], key = k[x], query = q[x];
#pragma GCC unroll 4
      for (int v = 0; v < n; ++v) {
        const X from = at(S + x * V_, v), to = decay * from + key * u[v];
        at(next + x * V_, v) = to;
        read[v] += query * (before ? from : to);
      }
    }
#pragma GCC unroll 4
    for (int v = 0; y && v < n; ++v) at(y, v) = read[v];
  }

  // dS_t += q^T dy;  dq = dy S_t^T;  dk = u dS_t^T;  du = k dS_t;  then through u, and
  // da = <dS_t, S_{t-1}>,  dS_{t-1} = a o dS_t, each with the share of the error.
  void back(const Head<T>& h, i64 t, const T* S, const T* dy, T* dS, const HeadGradients<T>& g) {
    const T *u = written(h, t, S), *q = h.q + t * K_, *k = h.k + t * K_;
    const bool after = h.read == Reading::after,
               empty = h.empty(t);  // zeros: what multiplies them may overflow
    T *dq = g.q + t * K_, *dk = g.k + t * K_, *dv = g.v + t * h.stride;
    std::fill_n(du_, V_, T(0));
    for (i64 x = 0; x < K_; ++x) {
      const T a = decay(h, t, x), key = k[x], query = after ? q[x] : T(0);
      const T* row = S + x * V_;
      T* drow = dS + x * V_;
      dq[x] = after ? lane_sum<T>(V_, [=](auto at) { return at(dy) * (a * at(row) + key * at(u)); })
                    : lane_sum<T>(V_, [=](auto at) { return at(dy) * at(row); });
      for (i64 j = 0; j < V_; ++j) {
        drow[j] += query * dy[j];
        du_[j] += key * drow[j];
      }
      dk[x] = lane_sum<T>(V_, [=](auto at) { return at(drow) * at(u); });
    }
    if (g.decay && !h.by_channel()) g.decay[t] = 0;
    if (h.delta) into_error(h, t, g);
    else std::copy_n(du_, V_, dv);
    if (g.decay && !h.by_channel()) g.decay[t] = 0;
    for (i64 x = 0; x < K_; ++x) {
      const T a = decay(h, t, x), r = h.delta ? erased(h, t, x) : T(0), query = after ? T(0) : q[x];
      const T* row = S + x * V_;
      T* drow = dS + x * V_;
      T to_decay = g.decay && !empty ? lane_sum<T>(V_, [=](auto at) { return at(drow) * at(row); }) : T(0);
      const T* du = du_;
      const T to_error = h.delta && !empty ? -lane_sum<T>(V_, [=](auto at) { return at(du) * at(row); }) : T(0);
      for (i64 j = 0; j < V_; ++j) drow[j] = a * drow[j] + query * dy[j] - r * du[j];
      if (h.delta) erase_gradient(h, t, x, to_error, to_decay, g);
      if (g.decay && h.by_channel()) g.decay[t * K_ + x] = to_decay;
      else if (g.decay) g.decay[t] += to_decay;
    }
  }
  // du becomes the cotangent of the error, which is that of v.
  void into_error(const Head<T>& h, i64 t, const HeadGradients<T>& g) {
    const T beta = h.beta_at(t);
    T total = 0;
    for (i64 j = 0; j < V_; ++j) {
      total += du_[j] * error_[j];
      du_[j] *= beta;
    }
    if (g.beta) g.beta[t] = total;
    std::copy_n(du_, V_, g.v + t * h.stride);
  }
  void erase_gradient(const Head<T>& h, i64 t, i64 x, T to_error, T& to_decay, const HeadGradients<T>& g) {
    const bool decayed = h.error == Reading::decayed;
    const T share = decayed ? decay(h, t, x) * to_error : to_error;
    if (decayed) to_decay += h.eraser()[t * K_ + x] * to_error;
    if (g.erase) g.erase[t * K_ + x] = share;
    else g.k[t * K_ + x] += share;
  }

  Isa isa_;
  i64 K_, V_;
  Tensor memory_;
  T *states_, *error_, *u_, *du_;
};

}  // namespace weft::ops
