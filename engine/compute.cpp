// One node: from its values to the call that its op's kernel takes, and back.
#include "engine/kernel.h"

namespace weft {
namespace {

AttributeValue bound(const AttributeValue& value, const Bindings& bindings) {
  if (const Dim* d = std::get_if<Dim>(&value)) return Dim(d->value(bindings));
  if (const Dims* d = std::get_if<Dims>(&value)) return to_dims(bind(*d, bindings));
  return value;
}

void make_results(KernelCall& call, const Graph& graph, const std::vector<Shape>& shapes, DType dtype) {
  for (const i32 id : call.node.outputs) {
    if (id < 0) {
      call.results.emplace_back();
      continue;
    }
    const DType type = graph.value(id).kind == Kind::index ? DType::i32 : dtype;
    call.results.push_back(Tensor::uninitialised(shapes[static_cast<std::size_t>(id)], type, call.runtime.pool()));
  }
}

}  // namespace

std::vector<AttributeValue> bound_attributes(const Node& node, const Bindings& bindings) {
  std::vector<AttributeValue> all;
  all.reserve(node.attributes.size());
  for (const auto& a : node.attributes) all.push_back(bound(a, bindings));
  return all;
}

std::vector<Tensor> compute(const Graph& graph, const Node& node, const std::vector<AttributeValue>& attributes,
                            const std::vector<Tensor>& values, const std::vector<Shape>& shapes, const Runtime& runtime,
                            DType dtype, const RunSettings& settings, const std::vector<bool>* read) {
  const Op& op = *node.op;
  const bool forward = node.phase == Phase::forward;
  const Node& f = forward ? node : graph.node(node.forward_node);
  std::vector<AttributeValue> annealed;
  if (!f.annealed.empty()) annealed = attributes;
  for (const auto& [i, anneal] : f.annealed) annealed[i] = anneal.at(settings.step);
  KernelCall call{runtime, settings, graph, node, op, annealed.empty() ? attributes : annealed, read, {},
                  {},      {},       {},    {},   {}};
  call.inputs.reserve(f.inputs.size());
  call.input_shapes.reserve(f.inputs.size());
  call.output_shapes.reserve(f.outputs.size());
  call.results.reserve(node.outputs.size());
  const auto tensor = [&](i32 id) { return id < 0 ? nullptr : &values[static_cast<std::size_t>(id)]; };
  for (const i32 id : f.inputs) call.input_shapes.push_back(id < 0 ? nullptr : &shapes[static_cast<std::size_t>(id)]);
  for (const i32 id : f.outputs) call.output_shapes.push_back(&shapes[static_cast<std::size_t>(id)]);
  const std::size_t n_in = f.inputs.size(), n_out = f.outputs.size();
  for (std::size_t i = 0; i < n_in; ++i) call.inputs.push_back(tensor(node.inputs[i]));
  if (!forward) {
    for (std::size_t i = n_in; i < n_in + n_out; ++i) call.outputs.push_back(tensor(node.inputs[i]));
    for (std::size_t i = n_in + n_out; i < node.inputs.size(); ++i) call.cotangents.push_back(tensor(node.inputs[i]));
  }
  make_results(call, graph, shapes, dtype);
  const auto kernel =
      dtype == DType::f64 ? (forward ? op.forward_f64 : op.backward_f64) : (forward ? op.forward_f32 : op.backward_f32);
  kernel(call);
  if (forward && settings.intervention) (*settings.intervention)(node, call.results);
  return std::move(call.results);
}

}  // namespace weft
