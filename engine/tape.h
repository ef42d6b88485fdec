// The eager tape: a graph that also holds values. Applying an op computes it at once.
//
//     Runtime runtime;
//     Tape tape(runtime, DType::f64);
//     Var x = tape.leaf(Tensor::from({1, 2, 3}, {3}));
//     Var y = ops::swish(x);
//     Tensor dx = tape.gradient(y, {x})[0];   // of the sum of y, or of <y, cotangent> when one is given
#pragma once
#include "engine/run.h"

namespace weft {

class Tape : public Graph {
 public:
  Tape(const Runtime& runtime, DType dtype, Gradients gradients = Gradients::yes, RunSettings settings = {});

  /// A value that gradients can be taken of; converted to the tape's type. Indices become constants.
  Var leaf(const Tensor& tensor);
  const Tensor& value(const Var& v) const;
  /// Gradients of <y, cotangent>; without a cotangent, of the sum of y. Empty where y does not depend on it.
  std::vector<Tensor> gradient(const Var& y, std::vector<Var> wrt, const Tensor& cotangent = {});

 protected:
  void appended(const Node& node) override;
  void appended_leaf(i32 id) override;

 private:
  Tensor converted(const Tensor& tensor) const;
  void hold(i32 id, Tensor tensor);
  const Runtime& runtime_;
  DType dtype_;
  RunSettings settings_;
  std::vector<Tensor> tensors_;
  std::vector<Shape> shapes_;
};

}  // namespace weft
