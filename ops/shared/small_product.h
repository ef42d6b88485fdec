// Products of the matrices of one chunk: the library's, or plain loops where a call costs more than the work.
#pragma once
#include "engine/kernel.h"

namespace weft::ops {

template <class T> struct Matrix {
  T* data = nullptr;
  i64 stride = 0;  // from row to row
  bool transposed = false;
};
template <class T> Matrix<const T> matrix(const T* data, i64 stride) { return {data, stride}; }
template <class T> Matrix<const T> flipped(const T* data, i64 stride) { return {data, stride, true}; }

/// z = alpha x y + beta z, with x m x inner and y inner x n as used.
template <class T> void multiply(const Kernel<T>& kernel, i64 m, i64 n, i64 inner, Matrix<const T> x, Matrix<const T> y,
                                 T* z, i64 stride, T beta = 0, T alpha = 1, bool exactly = false) {
  if (m * n * inner > 512) {
    const Product<T> product{x.transposed, y.transposed, m, n,      inner, x.data, x.stride,
                             y.data,       y.stride,     z, stride, alpha, beta};
    return exactly ? kernel.multiply_exactly(product) : kernel.multiply(product);
  }
  for (i64 i = 0; i < m; ++i) {
    T* row = z + i * stride;
    for (i64 j = 0; j < n; ++j) row[j] = beta == T(0) ? T(0) : beta * row[j];
    for (i64 l = 0; l < inner; ++l) {
      const T s = alpha * (x.transposed ? x.data[l * x.stride + i] : x.data[i * x.stride + l]);
      for (i64 j = 0; j < n; ++j) row[j] += s * (y.transposed ? y.data[j * y.stride + l] : y.data[l * y.stride + j]);
    }
  }
}

}  // namespace weft::ops
