// Gradients against differences, in f64.
#pragma once
#include "engine/op.h"
#include "engine/tape.h"

namespace weft {

/// An op with everything it needs to be applied.
struct Application {
  const Op* op = nullptr;
  std::vector<AttributeValue> attributes;
  std::vector<Tensor> inputs;  // an empty one is an absent optional input
  RunSettings settings{};
};

struct GradientCheck {
  double worst = 0;      // largest |gradient - difference| / max(1, |difference|)
  std::string where;     // "input 0, element 3: gradient 1.5, difference 1.2"
  i64 probes = 0;        // elements that were tried
  i64 refined = 0;       // probes repeated with a smaller step because a branch changed
  i64 skipped = 0;       // probes on a kink: no step was small enough
};

/// Checks the gradient of sum_i <y_i, c_i> with random cotangents c for every element of every differentiable input.
/// Differences are central at h and h / 2, combined to fourth order (Richardson): the error is near 1e-12, so that 1e-7
/// leaves room for functions with large derivatives and none for a wrong formula.
GradientCheck check_gradients(const Runtime& runtime, const Application& a);

/// The outputs on a tape; `gradients` receives those of the inputs under the same random cotangents.
std::vector<Tensor> outputs_and_gradients(const Runtime& runtime, DType dtype, const Application& a,
                                          std::vector<Tensor>* gradients);

}  // namespace weft
