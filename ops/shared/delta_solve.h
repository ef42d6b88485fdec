// The corrections of one chunk. Each position writes beta times the error that is left after those before it have
// written: with L_ij = what i reads of j (zeros from the diagonal on), and R the values less what i reads of the state
// before the chunk,
//
//     E = R - L U,  U = diag(beta) E        so  (I + diag(beta) L) U = diag(beta) R
//
// a unit lower triangular system against V columns; nothing is divided, so that beta = 0 is exact. Blocks of 16 rows:
// what comes from earlier blocks is one product, the rest goes row by row.
#pragma once
#include "ops/shared/lanes.h"
#include "ops/shared/small_product.h"

namespace weft::ops {

inline constexpr i64 kSolveBlock = 16;

/// row [V] -= sum over i of l[i step] U_i, for n rows of U: 32 columns at a time stay in registers.
template <class T>
[[gnu::always_inline]] inline void take_away(T* row, i64 V, const T* l, i64 step, const T* U, i64 n) {
  using Vector = typename Lanes<T>::Vector;
  constexpr i64 W = Lanes<T>::count, kVectors = 4;
  i64 y = 0;
  for (; y + kVectors * W <= V; y += kVectors * W) {
    Vector left[kVectors];
#pragma GCC unroll 4
    for (i64 v = 0; v < kVectors; ++v) left[v] = *reinterpret_cast<const Vector*>(row + y + v * W);
    for (i64 i = 0; i < n; ++i) {
      const T* u = U + i * V + y;
#pragma GCC unroll 4
      for (i64 v = 0; v < kVectors; ++v) left[v] -= l[i * step] * *reinterpret_cast<const Vector*>(u + v * W);
    }
#pragma GCC unroll 4
    for (i64 v = 0; v < kVectors; ++v) *reinterpret_cast<Vector*>(row + y + v * W) = left[v];
  }
  for (i64 i = 0; y < V && i < n; ++i) {
    for (i64 j = y; j < V; ++j) row[j] -= l[i * step] * U[i * V + j];
  }
}

/// E holds R [c, V] and becomes the errors; U = diag(beta) E.
template <class T> void solve_errors(const Kernel<T>& kernel, i64 c, i64 V, const T* L, const T* beta, T* E, T* U) {
  for (i64 first = 0; first < c; first += kSolveBlock) {
    const i64 end = std::min(c, first + kSolveBlock);
    multiply(kernel, end - first, V, first, matrix(L + first * c, c), matrix<T>(U, V), E + first * V, V, T(1), T(-1),
             true);
    block(kernel.isa(), [&] {
      for (i64 i = first; i < end; ++i) {
        T* error = E + i * V;
        take_away(error, V, L + i * c + first, 1, U + first * V, i - first);
        for (i64 y = 0; y < V; ++y) U[i * V + y] = beta[i] * error[y];
      }
    });
  }
}

/// dU [c, V] becomes the cotangent of the errors, which is also that of R: with G_i = dU_i - sum over j > i of L_ji
/// dE_j, dE_i = beta_i G_i and dbeta_i = <G_i, E_i>. The cotangent of L is -dE U^T.
template <class T> void solve_errors_backward(const Kernel<T>& kernel, i64 c, i64 V, const T* L, const T* beta,
                                              const T* E, T* dU, T* dbeta) {
  for (i64 first = (c - 1) / kSolveBlock * kSolveBlock; first >= 0; first -= kSolveBlock) {
    const i64 end = std::min(c, first + kSolveBlock);
    multiply(kernel, end - first, V, c - end, flipped(L + end * c + first, c), matrix<T>(dU + end * V, V),
             dU + first * V, V, T(1), T(-1), true);
    block(kernel.isa(), [&] {
      for (i64 i = end - 1; i >= first; --i) {
        T* g = dU + i * V;
        const T* error = E + i * V;
        take_away(g, V, L + (i + 1) * c + i, c, dU + (i + 1) * V, end - i - 1);
        dbeta[i] = lane_sum<T>(V, [=](auto at) { return at(g) * at(error); });
        for (i64 y = 0; y < V; ++y) g[y] *= beta[i];
      }
    });
  }
}

}  // namespace weft::ops
