// Tensors of all sorts to stand for weights and gradients: a large matrix, a tall and a wide one, a vector, a scalar,
// and nothing.
#pragma once
#include <vector>

#include "engine/key.h"
#include "engine/tensor.h"

namespace weft::train {

inline std::vector<Tensor> drawn(u64 seed, DType dtype, double scale = 1) {
  std::vector<Tensor> tensors;
  for (const Shape& shape : {Shape{300, 170}, Shape{5}, Shape{}, Shape{0, 3}, Shape{70, 9}, Shape{6, 80}}) {
    std::vector<double> values;
    for (i64 i = 0; i < element_count(shape); ++i) {
      values.push_back(scale * normal(Key{seed}.fold(tensors.size()), static_cast<u64>(i)));
    }
    tensors.push_back(Tensor::from(values, shape, dtype));
  }
  return tensors;
}

}  // namespace weft::train
