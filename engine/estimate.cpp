// What a run will take, from shapes alone: bytes and operations.
#include <algorithm>

#include "engine/observer.h"
#include "engine/plan.h"

namespace weft {
namespace {

// What an op's rules of cost are given.
struct Sizes {
  std::vector<AttributeValue> attributes;
  std::vector<Shape> inputs, outputs;
  Sizes(const Graph& graph, const Node& f, const Bindings& bindings) : attributes(bound_attributes(f, bindings)) {
    for (const i32 id : f.inputs) inputs.push_back(id < 0 ? Shape{0} : bind(graph.value(id).dims, bindings));
    for (const i32 id : f.outputs) outputs.push_back(bind(graph.value(id).dims, bindings));
  }
};

// Values that stay save a hundred nanoseconds of bookkeeping each; more than this the second cache does not hold.
constexpr std::size_t kStay = 1 << 20;

}  // namespace

bool Run::may_stay(const Bindings& bindings, DType dtype) const {
  return memory_.stay && inner_bytes(bindings, dtype) <= kStay;
}

std::size_t Run::bytes(i32 id, const Bindings& bindings, DType dtype) const {
  const Value& v = graph_.value(id);
  return byte_count(bind(v.dims, bindings), v.kind == Kind::index ? DType::i32 : dtype);
}

std::size_t Run::inner_bytes(const Bindings& bindings, DType dtype) const {
  std::size_t total = 0;
  for (std::size_t at = 0; at < order_.size(); ++at) {
    for (const i32 id : graph_.node(order_[at]).outputs) {
      const bool output = std::any_of(outputs_.begin(), outputs_.end(), [&](const Var& v) { return v.id() == id; });
      const bool grows = std::binary_search(growing_values_.begin(), growing_values_.end(), id);
      if (id >= 0 && !fixed_[at] && !output && !grows) total += bytes(id, bindings, dtype);
    }
  }
  return total;
}

std::size_t Run::peak_bytes(const Bindings& bindings, DType dtype) const {
  const bool stay = may_stay(bindings, dtype);
  std::vector<bool> counted(graph_.values().size());
  std::size_t live = 0;
  const auto add = [&](i32 id) {
    if (id < 0 || counted[static_cast<std::size_t>(id)]) return;
    counted[static_cast<std::size_t>(id)] = true;
    live += bytes(id, bindings, dtype);
  };
  // Inputs, constants and what hangs on them belong to the caller and to the run: they are there from the first node to
  // the last.
  for (const i32 id : kept_) add(id);
  for (const Var& v : outputs_) {
    if (is_fed(v.id())) add(v.id());
  }
  for (const i32 n : order_) {
    for (const i32 id : graph_.node(n).inputs) {
      if (id >= 0 && (is_fed(id) || graph_.value(id).constant)) add(id);
    }
  }
  std::size_t peak = live;
  for (std::size_t at = 0; at < order_.size(); ++at) {
    if (fixed_[at]) continue;
    const Node& node = graph_.node(order_[at]);
    for (const i32 id : node.outputs) {
      if (id >= 0 && (node.phase == Phase::forward || read_[static_cast<std::size_t>(id)])) add(id);
    }
    peak = std::max(peak, live);
    for (const i32 id : last_use_[at]) {
      if (is_fed(id) || graph_.value(id).constant || stay) continue;
      live -= bytes(id, bindings, dtype);
      counted[static_cast<std::size_t>(id)] = false;
    }
  }
  return peak;
}

double Run::flops(const Bindings& bindings) const {
  double total = 0;
  std::vector<bool> counted(graph_.nodes().size());
  for (const i32 n : order_) {
    if (!counted[static_cast<std::size_t>(n)]) total += flops(graph_.node(n), bindings);
    counted[static_cast<std::size_t>(n)] = true;
  }
  return total;
}

double Run::flops(const Node& node, const Bindings& bindings) const {
  const bool forward = node.phase == Phase::forward;
  const Node& f = forward ? node : graph_.node(node.forward_node);
  if (!f.op->cost) return 0;
  const Sizes s(graph_, f, bindings);
  return (forward ? 1 : f.op->backward_work) * f.op->cost(s.attributes, s.inputs, s.outputs).flops;
}

bool Run::is_costly(const Node& node, const Bindings& bindings) const {
  constexpr double kCostly = 32;  // operations a number; to write it and read it again takes as long as some ten
  double numbers = 0;
  for (const i32 id : node.outputs) {
    if (id >= 0) numbers += static_cast<double>(element_count(bind(graph_.value(id).dims, bindings)));
  }
  return node.op->random || flops(node, bindings) >= kCostly * numbers;
}

std::size_t Run::scratch_bytes(const Node& node, const Bindings& bindings, DType dtype) const {
  const bool forward = node.phase == Phase::forward;
  const Node& f = forward ? node : graph_.node(node.forward_node);
  if (!f.op->scratch) return 0;
  const Sizes s(graph_, f, bindings);
  const double numbers = f.op->scratch(s.attributes, s.inputs, s.outputs, !forward);
  return static_cast<std::size_t>(numbers) * byte_size(dtype);
}

void Run::tell(Observer& observer, const Node& node, double seconds, const Bindings& bindings,
               const std::vector<Tensor>& values) const {
  double bytes = 0;
  for (const auto& list : {node.inputs, node.outputs}) {
    for (const i32 id : list) {
      if (id >= 0) bytes += static_cast<double>(values[static_cast<std::size_t>(id)].bytes());
    }
  }
  observer.computed(graph_, node, seconds, flops(node, bindings), bytes);
}

}  // namespace weft
