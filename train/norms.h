// Norms over all weights or gradients, and their sums.
//
// Everything is bitwise the same for any number of threads: sums are made of blocks of a fixed size, added in order.
#pragma once
#include <vector>

#include "engine/runtime.h"
#include "engine/tensor.h"

namespace weft::train {

/// sqrt of the sum of squares over all tensors, and the first tensor with an element that is not
/// finite (-1: none).
struct Norm {
  double norm = 0;
  i64 not_finite = -1;
};
Norm global_norm(const Runtime& runtime, const std::vector<Tensor>& tensors);
/// The same of a - b.
Norm global_distance(const Runtime& runtime, const std::vector<Tensor>& a, const std::vector<Tensor>& b);

/// into += factor * from, tensor by tensor; `into` must not be shared.
void add_scaled(const Runtime& runtime, std::vector<Tensor>& into, const std::vector<Tensor>& from, double factor);

}  // namespace weft::train
