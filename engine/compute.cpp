// One node: from its values to the call that its op's kernel takes, and back.
#include "engine/kernel.h"

namespace weft {
namespace {

AttributeValue bound(const AttributeValue& value, const Bindings& bindings) {
  if (const Dim* d = std::get_if<Dim>(&value)) return Dim(d->value(bindings));
  if (const Dims* d = std::get_if<Dims>(&value)) return to_dims(bind(*d, bindings));
  return value;
}

// All results but those that an op may share with its inputs.
void make_results(KernelCall& call, DType dtype) {
  const unsigned shared = call.node.phase == Phase::forward ? call.op.shares : 0;
  for (std::size_t i = 0; i < call.results.size(); ++i) {
    Tensor& result = call.results[i];
    if (!call.result_shapes[i] || result.is_sole_owner()) continue;
    result = Tensor();  // first: its block may serve again
    if (!bit(shared, i)) make_result(call, i, dtype);
  }
}

}  // namespace

void make_result(KernelCall& call, std::size_t i, DType dtype) {
  const DType type = call.graph.value(call.node.outputs[i]).kind == Kind::index ? DType::i32 : dtype;
  call.results[i] = Tensor::uninitialised(*call.result_shapes[i], type, call.runtime->pool());
}

std::vector<AttributeValue> bound_attributes(const Node& node, const Bindings& bindings) {
  std::vector<AttributeValue> all;
  all.reserve(node.attributes.size());
  for (const auto& a : node.attributes) all.push_back(bound(a, bindings));
  return all;
}

KernelCall kernel_call(const Graph& graph, const Node& node, const std::vector<AttributeValue>& attributes,
                       const std::vector<Tensor>& values, const std::vector<Shape>& shapes,
                       const std::vector<bool>* read) {
  const bool forward = node.phase == Phase::forward;
  const Node& f = forward ? node : graph.node(node.forward_node);
  KernelCall call{graph, node, *node.op, &attributes, read};
  const auto tensor = [&](i32 id) { return id < 0 ? nullptr : &values[static_cast<std::size_t>(id)]; };
  const auto shape = [&](i32 id) { return id < 0 ? nullptr : &shapes[static_cast<std::size_t>(id)]; };
  for (const i32 id : f.inputs) call.input_shapes.push_back(shape(id));
  for (const i32 id : f.outputs) call.output_shapes.push_back(shape(id));
  // A gradient that nobody reads is not made: of a product's two, a run may want one.
  for (const i32 id : node.outputs) {
    const bool wanted = id >= 0 && (forward || !read || (*read)[static_cast<std::size_t>(id)]);
    call.result_shapes.push_back(wanted ? shape(id) : nullptr);
  }
  call.results.resize(node.outputs.size());
  const std::size_t n_in = f.inputs.size(), n_out = f.outputs.size();
  for (std::size_t i = 0; i < n_in; ++i) call.inputs.push_back(tensor(node.inputs[i]));
  if (!forward) {
    for (std::size_t i = n_in; i < n_in + n_out; ++i) call.outputs.push_back(tensor(node.inputs[i]));
    for (std::size_t i = n_in + n_out; i < node.inputs.size(); ++i) call.cotangents.push_back(tensor(node.inputs[i]));
  }
  return call;
}

void perform(KernelCall& call, const Runtime& runtime, DType dtype, const RunSettings& settings) {
  const Op& op = call.op;
  const bool forward = call.node.phase == Phase::forward;
  const Node& f = forward ? call.node : call.graph.node(call.node.forward_node);
  call.runtime = &runtime;
  call.settings = &settings;
  make_results(call, dtype);
  const std::vector<AttributeValue>* const fixed = call.attributes;
  std::vector<AttributeValue> annealed;
  if (!f.annealed.empty()) {
    annealed = *fixed;
    for (const auto& [i, anneal] : f.annealed) annealed[i] = anneal.at(settings.step);
    call.attributes = &annealed;
    call.derived.reset();
  }
  const auto kernel =
      dtype == DType::f64 ? (forward ? op.forward_f64 : op.backward_f64) : (forward ? op.forward_f32 : op.backward_f32);
  kernel(call);
  call.attributes = fixed;
  if (forward && settings.intervention) (*settings.intervention)(call.node, call.results);
}

std::vector<Tensor> compute(const Graph& graph, const Node& node, const std::vector<AttributeValue>& attributes,
                            const std::vector<Tensor>& values, const std::vector<Shape>& shapes, const Runtime& runtime,
                            DType dtype, const RunSettings& settings) {
  KernelCall call = kernel_call(graph, node, attributes, values, shapes, nullptr);
  perform(call, runtime, dtype, settings);
  return std::move(call.results);
}

}  // namespace weft
