#include "engine/tape.h"

#include "engine/op.h"

namespace weft {

Tape::Tape(const Runtime& runtime, DType dtype, Gradients gradients, RunSettings settings)
    : Graph(gradients), runtime_(runtime), dtype_(dtype), settings_(std::move(settings)) {
  check(dtype != DType::i32, "tape: it computes in f32 or f64");
}

Tensor Tape::converted(const Tensor& tensor) const {
  return tensor.dtype() == DType::i32 ? tensor : tensor.converted(dtype_);
}

void Tape::hold(i32 id, Tensor tensor) {
  const auto at = static_cast<std::size_t>(id);
  if (tensors_.size() <= at) {
    tensors_.resize(values().size());
    shapes_.resize(values().size());
  }
  shapes_[at] = tensor.shape();
  tensors_[at] = std::move(tensor);
}

Var Tape::leaf(const Tensor& tensor) {
  check(bool(tensor), "tape: a leaf needs a tensor, not an empty one");
  if (tensor.dtype() == DType::i32) return constant(tensor);
  const Var v = input("leaf", to_dims(tensor.shape()), Kind::real, true);
  hold(v.id(), converted(tensor));
  return v;
}

void Tape::appended_leaf(i32 id) { hold(id, converted(Graph::value(id).constant)); }

const Tensor& Tape::value(const Var& v) const {
  check(&v.graph() == this, "tape: a value of another tape");
  return tensors_[static_cast<std::size_t>(v.id())];
}

void Tape::appended(const Node& node) {
  tensors_.resize(values().size());
  shapes_.resize(values().size());
  for (const i32 id : node.outputs) {
    if (id >= 0) shapes_[static_cast<std::size_t>(id)] = bind(Graph::value(id).dims, {});
  }
  auto made = compute(*this, node, bound_attributes(node, {}), tensors_, shapes_, runtime_, dtype_, settings_);
  for (std::size_t i = 0; i < made.size(); ++i) {
    const bool kept = keeps_gradients() || i < node.outputs.size() - node.op->saved;
    if (node.outputs[i] >= 0 && kept) tensors_[static_cast<std::size_t>(node.outputs[i])] = std::move(made[i]);
  }
}

std::vector<Tensor> Tape::gradient(const Var& y, std::vector<Var> wrt, const Tensor& cotangent) {
  const Tensor seed = cotangent ? cotangent : Tensor::full(value(y).shape(), 1, dtype_);
  const Var g = constant(seed);
  std::vector<Tensor> tensors;
  for (const Var& v : backward({&y, 1}, {&g, 1}, wrt)) tensors.push_back(v ? value(v) : Tensor());
  return tensors;
}

}  // namespace weft
