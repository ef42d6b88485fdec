// AdamW, the norm of the gradients, and what both need: elementwise passes over all weights at
// once.
//
// Everything is bitwise the same for any number of threads: elements do not depend on each other,
// and sums are made of blocks of a fixed size, added in order.
#pragma once
#include <vector>

#include "engine/runtime.h"
#include "engine/tensor.h"

namespace weft::train {

struct AdamWOptions {
  double lr = 3e-3;
  double beta1 = 0.9, beta2 = 0.99;
  double eps = 1e-8;
  double weight_decay = 0.1;
};

/// sqrt of the sum of squares over all tensors, and the first tensor with an element that is not
/// finite (-1: none).
struct Norm {
  double norm = 0;
  i64 not_finite = -1;
};
Norm global_norm(const Parallel& parallel, const std::vector<Tensor>& tensors);

/// into += factor * from, tensor by tensor; `into` must not be shared.
void add_scaled(const Parallel& parallel, std::vector<Tensor>& into, const std::vector<Tensor>& from, double factor);

/// Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, with bias correction.
class AdamW {
 public:
  /// Moments of zero for tensors like `weights`; `decays[i]` tells whether weight decay applies to
  /// weight i.
  AdamW(const AdamWOptions& options, const std::vector<Tensor>& weights, std::vector<bool> decays);
  /// One update with the gradients times `scale` (clipping) and the learning rate options.lr times
  /// `factor` (schedule). Weights are replaced, not overwritten: a tensor that someone else holds
  /// keeps its values.
  void step(const Runtime& runtime, std::vector<Tensor>& weights, const std::vector<Tensor>& gradients, double scale,
            double factor);

  i64 steps() const { return steps_; }
  const std::vector<Tensor>& first_moments() const { return first_; }
  const std::vector<Tensor>& second_moments() const { return second_; }
  /// Goes on from a checkpoint; the tensors must not be shared.
  void restore(i64 steps, std::vector<Tensor> first, std::vector<Tensor> second);

 private:
  AdamWOptions options_;
  std::vector<bool> decays_;
  std::vector<Tensor> first_, second_;
  i64 steps_ = 0;
};

}  // namespace weft::train
