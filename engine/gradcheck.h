// Gradients against differences, in f64.
#pragma once
#include <optional>

#include "engine/op.h"
#include "engine/tape.h"

namespace weft {

/// An op with everything it needs to be applied.
struct Application {
  const Op* op = nullptr;
  std::vector<AttributeValue> attributes;
  std::vector<Tensor> inputs;  // an empty one is an absent optional input
  RunSettings settings{};
  /// What input `i` was declared as; a variadic op repeats its last.
  const Input& declared(std::size_t i) const { return op->inputs[std::min(i, op->inputs.size() - 1)]; }
  /// A gradient can flow into input `i`.
  bool takes_gradient(std::size_t i) const;
};

/// What is asked of one application besides its values.
struct Ask {
  bool gradients = true;
  unsigned wanted = ~0u;                                         // bit i: the gradient of input i
  std::vector<Tensor> cotangents = {};                           // one an output; without them, fixed random ones
  std::optional<std::pair<std::size_t, std::size_t>> same = {};  // two inputs that are one value
};
struct Evaluation {
  std::vector<Tensor> outputs;
  std::vector<Tensor> gradients;  // one an input, empty where none flows or none is wanted
};

/// An application on a tape of its own.
struct Applied {
  Tape tape;
  std::vector<Var> inputs, outputs;
  Applied(const Runtime& runtime, DType dtype, const Application& a, const Ask& ask = {});
  /// Of every input that takes part in `wrt`, in its order.
  std::vector<Tensor> gradients(std::span<const Var> wrt, const std::vector<Tensor>& cotangents = {});
};

Evaluation evaluate(const Runtime& runtime, DType dtype, const Application& a, const Ask& ask = {});

/// The fixed random cotangent of output number `output`: never ones, since sum(softmax(x)) has no gradient.
Tensor random_cotangent(const Shape& shape, std::size_t output);
double inner_product(const Tensor& a, const Tensor& b);
/// sum_i <outputs_i, random_cotangent_i>
double projection(const std::vector<Tensor>& outputs);

struct GradientCheck {
  double worst = 0;   // largest |gradient - difference| / max(1, |difference|)
  std::string where;  // "input 0, element 3: gradient 1.5, difference 1.2"
  i64 probes = 0;     // elements that were tried
  i64 refined = 0;    // probes repeated with a smaller step because a branch changed
  i64 skipped = 0;    // probes on a kink: no step was small enough
};

/// Checks the gradient of sum_i <y_i, c_i> with random cotangents c for every element of every differentiable input.
/// Differences are central at h and h / 2, combined to fourth order (Richardson): the error is near 1e-12, so that 1e-7
/// leaves room for functions with large derivatives and none for a wrong formula.
GradientCheck check_gradients(const Runtime& runtime, const Application& a);

/// The same along one random direction of signs for each input: a few evaluations whatever the size.
GradientCheck check_directions(const Runtime& runtime, const Application& a);

}  // namespace weft
