// Tensors for tests that speak to functions by name.
#pragma once
#include <vector>

#include "engine/key.h"
#include "engine/tensor.h"

namespace weft::tests {

/// Normal numbers times `scale`.
inline Tensor drawn(const Shape& shape, u64 seed, double scale = 1) {
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = scale * normal(Key{seed}, i);
  return Tensor::from(values, shape, DType::f64);
}

/// Positions begin .. end of [B, T, ...].
inline Tensor positions(const Tensor& x, i64 begin, i64 end) {
  const i64 rows = x.shape()[0], length = x.shape()[1], width = length ? x.size() / rows / length : 0;
  std::vector<double> values;
  for (i64 b = 0; b < rows; ++b) {
    for (i64 i = (b * length + begin) * width; i < (b * length + end) * width; ++i) values.push_back(x.at(i));
  }
  Shape shape = x.shape();
  shape[1] = end - begin;
  return Tensor::from(values, shape, DType::f64);
}

}  // namespace weft::tests
