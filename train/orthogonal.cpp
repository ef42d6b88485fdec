#include "train/orthogonal.h"

#include <algorithm>

#include "train/norms.h"
#include "train/pieces.h"

namespace weft::train {
namespace {

constexpr int kSteps = 5;
constexpr double kA = 3.4445, kB = -4.7750, kC = 2.0315;  // Jordan et al. 2024: the steepest slope at zero
constexpr double kLeast = 1e-7;                           // of the norm: a matrix of zeros stays one
constexpr i64 kRows = 64;                                 // of a tile: by shape alone, so that bits are too

// C = alpha A B + beta C in tiles of rows.
template <class T> void product(const Runtime& runtime, Product<T> whole) {
  const T* a = whole.a;
  T* c = whole.c;
  const i64 m = whole.m, step = whole.transpose_a ? 1 : whole.lda;
  runtime.parallel().ranges((m + kRows - 1) / kRows, 1, [&](i64 begin, i64 end) {
    for (i64 t = begin; t < end; ++t) {
      Product<T> tile = whole;
      tile.m = std::min(kRows, m - t * kRows);
      tile.a = a + t * kRows * step;
      tile.c = c + t * kRows * whole.ldc;
      runtime.products().multiply(tile);
    }
  });
}

// One step; `square` and `mixed` are [n, n] with n the smaller of the sizes. For a tall matrix A = X^T X stands on the
// right: the same iteration without a transpose.
template <class T> Tensor step(const Runtime& runtime, const Tensor& x, Tensor& square, Tensor& mixed) {
  const i64 rows = x.shape()[0], columns = x.shape()[1], n = std::min(rows, columns);
  const bool tall = rows > columns;
  const T* from = x.values<T>().data();
  T *s = square.mutable_values<T>().data(), *q = mixed.mutable_values<T>().data();
  product<T>(runtime, {tall, !tall, n, n, std::max(rows, columns), from, columns, from, columns, s, n, 1, 0});
  std::copy_n(s, n * n, q);
  product<T>(runtime, {false, false, n, n, n, s, n, s, n, q, n, static_cast<T>(kC), static_cast<T>(kB)});
  Tensor next = Tensor::uninitialised(x.shape(), x.dtype(), runtime.pool());
  T* to = next.mutable_values<T>().data();
  std::copy_n(from, x.size(), to);
  const T* left = tall ? from : q;
  const T* right = tall ? q : from;
  product<T>(runtime, {false, false, rows, columns, n, left, tall ? columns : n, right, tall ? n : columns, to, columns,
                       1, static_cast<T>(kA)});
  return next;
}

}  // namespace

Tensor orthogonalised(const Runtime& runtime, const Tensor& x) {
  check(x.shape().size() == 2, "Muon: {} is no matrix", text(x.shape()));
  Tensor result = Tensor::uninitialised(x.shape(), x.dtype(), runtime.pool());
  if (x.size() == 0) return result;
  const double norm = std::max(kLeast, global_norm(runtime, {x}).norm);
  const i64 n = std::min(x.shape()[0], x.shape()[1]);
  Tensor square = Tensor::uninitialised({n, n}, x.dtype(), runtime.pool()),
         mixed = Tensor::uninitialised({n, n}, x.dtype(), runtime.pool());
  with_type(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto from = x.values<T>();
    const auto to = result.mutable_values<T>();
    for (std::size_t i = 0; i < from.size(); ++i) to[i] = from[i] / static_cast<T>(norm);
    for (int i = 0; i < kSteps; ++i) result = step<T>(runtime, result, square, mixed);
  });
  return result;
}

}  // namespace weft::train
