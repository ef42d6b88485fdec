#include "engine/run.h"

#include <algorithm>

#include "engine/observer.h"
#include "engine/op.h"

namespace weft {
namespace {

bool is_known(const Dims& dims) {
  return std::all_of(dims.begin(), dims.end(), [](const Dim& d) { return d.known(); });
}
bool is_known(const AttributeValue& value) {
  if (const Dim* d = std::get_if<Dim>(&value)) return d->known();
  if (const Dims* d = std::get_if<Dims>(&value)) return is_known(*d);
  return true;
}

// Gives the same in every run, of whatever length and at whatever position, if its inputs do.
bool repeats(const Graph& graph, const Node& node) {
  return node.phase == Phase::forward && !node.op->random && node.op->along == Along::pointwise &&
         node.annealed.empty() &&
         std::all_of(node.attributes.begin(), node.attributes.end(), [](const auto& a) { return is_known(a); }) &&
         std::all_of(node.outputs.begin(), node.outputs.end(),
                     [&](i32 id) { return id < 0 || is_known(graph.value(id).dims); });
}

[[noreturn]] void refuse(const Value& value, const Tensor& tensor, const std::string& note) {
  throw Error(fmt::format("run: the input {} has the shape {}{}, but {} was given", value.name, text(value.dims), note,
                          text(tensor.shape())));
}

}  // namespace

Run::Run(const Graph& graph, std::vector<Var> outputs) : graph_(graph), outputs_(std::move(outputs)) {
  // From the back: a node runs when something that runs needs one of its values.
  std::vector<bool> needed(graph.values().size());
  for (const Var& v : outputs_) {
    check(&v.graph() == &graph, "run: an output of another graph");
    needed[static_cast<std::size_t>(v.id())] = true;
  }
  const auto& nodes = graph.nodes();
  for (i32 n = static_cast<i32>(nodes.size()) - 1; n >= 0; --n) {
    const Node& node = nodes[static_cast<std::size_t>(n)];
    if (std::none_of(node.outputs.begin(), node.outputs.end(),
                     [&](i32 id) { return id >= 0 && needed[static_cast<std::size_t>(id)]; })) {
      continue;
    }
    order_.push_back(n);
    for (const i32 id : node.inputs) {
      if (id >= 0) needed[static_cast<std::size_t>(id)] = true;
    }
  }
  std::reverse(order_.begin(), order_.end());
  read_ = std::move(needed);

  std::vector<i32> last(graph.values().size(), -1);
  for (std::size_t at = 0; at < order_.size(); ++at) {
    const Node& node = graph.node(order_[at]);
    for (const auto& list : {node.inputs, node.outputs}) {
      for (const i32 id : list) {
        if (id >= 0) last[static_cast<std::size_t>(id)] = static_cast<i32>(at);
      }
    }
  }
  for (const Var& v : outputs_) last[static_cast<std::size_t>(v.id())] = -1;
  last_use_.resize(order_.size());
  for (std::size_t id = 0; id < last.size(); ++id) {
    if (last[id] >= 0) last_use_[static_cast<std::size_t>(last[id])].push_back(static_cast<i32>(id));
  }
  find_fixed();
}

void Run::find_fixed() {
  std::vector<bool> fixed(graph_.values().size()), read(graph_.values().size());  // read: by what is not fixed
  for (std::size_t id = 0; id < fixed.size(); ++id) fixed[id] = bool(graph_.values()[id].constant);
  for (const i32 n : order_) {
    const Node& node = graph_.node(n);
    fixed_.push_back(repeats(graph_, node) && std::all_of(node.inputs.begin(), node.inputs.end(), [&](i32 id) {
                       return id < 0 || fixed[static_cast<std::size_t>(id)];
                     }));
    for (const i32 id : fixed_.back() ? node.outputs : node.inputs) {
      if (id >= 0) (fixed_.back() ? fixed : read)[static_cast<std::size_t>(id)] = true;
    }
  }
  for (const Var& v : outputs_) read[static_cast<std::size_t>(v.id())] = true;
  for (std::size_t id = 0; id < fixed.size(); ++id) {
    if (fixed[id] && read[id] && graph_.values()[id].node >= 0) kept_.push_back(static_cast<i32>(id));
  }
}

Bindings Run::bindings(const Feeds& feeds) const {
  Bindings found;
  for (const auto& [v, tensor] : feeds) {  // first the symbols by themselves, so that 2 * T may stand before T
    check(&v.graph() == &graph_, "run: a value of another graph was fed");
    const Value& value = graph_.value(v.id());
    const bool index = tensor.dtype() == DType::i32;
    check(index == (value.kind == Kind::index), "run: the input {} must hold {}", value.name,
          index ? "real numbers" : "indices");
    check(value.node < 0, "run: a value that the graph computes was fed");
    if (value.dims.size() != tensor.shape().size()) refuse(value, tensor, "");
    for (std::size_t d = 0; d < value.dims.size(); ++d) {
      if (value.dims[d].is_symbol()) found.try_emplace(value.dims[d].text(), tensor.shape()[d]);
    }
  }
  for (const auto& [v, tensor] : feeds) {
    const Value& value = graph_.value(v.id());
    for (std::size_t d = 0; d < value.dims.size(); ++d) {
      const i64 expected = value.dims[d].value(found);
      if (expected != tensor.shape()[d]) refuse(value, tensor, fmt::format(" (here {})", expected));
    }
  }
  return found;
}

const Plan& Run::plan(const Bindings& bindings) {
  constexpr std::size_t kPlans = 8;
  if (const auto found = plans_.find(bindings); found != plans_.end()) return found->second;
  if (plans_.size() >= kPlans) plans_.clear();
  Plan plan;
  plan.shapes.resize(graph_.values().size());
  const auto add = [&](i32 id) {
    if (id >= 0) plan.shapes[static_cast<std::size_t>(id)] = bind(graph_.value(id).dims, bindings);
  };
  for (const i32 n : order_) {
    const Node& node = graph_.node(n);
    plan.attributes.push_back(bound_attributes(node, bindings));
    for (const i32 id : node.inputs) add(id);
    for (const i32 id : node.outputs) add(id);
    if (node.phase == Phase::backward) {  // shapes of what the backward does not read may matter to it
      for (const i32 id : graph_.node(node.forward_node).inputs) add(id);
      for (const i32 id : graph_.node(node.forward_node).outputs) add(id);
    }
  }
  return plans_[bindings] = std::move(plan);
}

std::vector<Tensor> Run::operator()(const Runtime& runtime, DType dtype, const Feeds& feeds,
                                    const RunSettings& settings, Observer* observer) {
  const Bindings bound = bindings(feeds);
  if (const auto batch = bound.find("B"); batch != bound.end() && settings.offsets.size() > 1) {
    check(static_cast<i64>(settings.offsets.size()) == batch->second, "run: {} rows have {} offsets", batch->second,
          settings.offsets.size());
  }
  const Plan& p = plan(bound);
  std::vector<Tensor> values(graph_.values().size());
  for (const auto& [v, tensor] : feeds) {
    const bool right_type = tensor.dtype() == DType::i32 || tensor.dtype() == dtype;
    check(right_type, "run: the input {} is {}, the run is {}", graph_.value(v.id()).name, name(tensor.dtype()),
          name(dtype));
    values[static_cast<std::size_t>(v.id())] = tensor;
  }
  const auto present = [&](i32 id) {
    Tensor& tensor = values[static_cast<std::size_t>(id)];
    if (tensor) return;
    const Value& value = graph_.value(id);
    if (value.constant) {
      Tensor& kept = constants_[{id, dtype}];
      if (!kept) kept = value.kind == Kind::index ? value.constant : value.constant.converted(dtype);
      tensor = kept;
      return;
    }
    throw Error("run: the input " + value.name + " is not given", Failure::internal);
  };
  // A proof may change what any node makes: then all are computed.
  Fixed none, &known = settings.intervention ? none : fixed_values_[dtype];
  if (!known.ready) known.values.clear();
  for (const auto& [id, tensor] : known.values) values[static_cast<std::size_t>(id)] = tensor;
  for (std::size_t at = 0; at < order_.size(); ++at) {
    if (fixed_[at] && known.ready) continue;
    const Node& node = graph_.node(order_[at]);
    for (const i32 id : node.inputs) {
      if (id >= 0) present(id);
    }
    const double start = observer ? observer->now() : 0;
    auto made = compute(graph_, node, p.attributes[at], values, p.shapes, runtime, dtype, settings, &read_);
    const double end = observer ? observer->now() : 0;
    for (std::size_t i = 0; i < made.size(); ++i) {
      const i32 id = node.outputs[i];
      if (id < 0) continue;
      if (fixed_[at] && std::binary_search(kept_.begin(), kept_.end(), id)) known.values.emplace_back(id, made[i]);
      values[static_cast<std::size_t>(id)] = std::move(made[i]);
    }
    if (observer) {
      tell(*observer, node, end - start, bound, values);
      observer->made(graph_, node, values);
    }
    for (const i32 id : last_use_[at]) values[static_cast<std::size_t>(id)] = Tensor();
  }
  known.ready = true;
  std::vector<Tensor> results;
  for (const Var& v : outputs_) {
    present(v.id());
    results.push_back(values[static_cast<std::size_t>(v.id())]);
  }
  return results;
}

std::size_t Run::peak_bytes(const Bindings& bindings, DType dtype) const {
  std::vector<std::size_t> bytes(graph_.values().size());
  std::vector<bool> counted(graph_.values().size());
  std::size_t live = 0;
  const auto add = [&](i32 id) {
    if (id < 0 || counted[static_cast<std::size_t>(id)]) return;
    const Value& v = graph_.value(id);
    const DType type = v.kind == Kind::index ? DType::i32 : dtype;
    counted[static_cast<std::size_t>(id)] = true;
    live += bytes[static_cast<std::size_t>(id)] = byte_count(bind(v.dims, bindings), type);
  };
  // Inputs, constants and what hangs on them belong to the caller and to the run: they are there from the first node to
  // the last.
  for (const i32 id : kept_) add(id);
  for (const Var& v : outputs_) {
    if (graph_.value(v.id()).node < 0) add(v.id());
  }
  for (const i32 n : order_) {
    for (const i32 id : graph_.node(n).inputs) {
      if (id >= 0 && graph_.value(id).node < 0) add(id);
    }
  }
  std::size_t peak = live;
  for (std::size_t at = 0; at < order_.size(); ++at) {
    if (fixed_[at]) continue;
    for (const i32 id : graph_.node(order_[at]).outputs) add(id);
    peak = std::max(peak, live);
    for (const i32 id : last_use_[at]) {
      if (graph_.value(id).node >= 0 && !std::binary_search(kept_.begin(), kept_.end(), id))
        live -= bytes[static_cast<std::size_t>(id)];
    }
  }
  return peak;
}

double Run::flops(const Bindings& bindings) const {
  double total = 0;
  for (const i32 n : order_) total += flops(graph_.node(n), bindings);
  return total;
}

double Run::flops(const Node& node, const Bindings& bindings) const {
  const bool forward = node.phase == Phase::forward;
  const Node& f = forward ? node : graph_.node(node.forward_node);
  if (!f.op->cost) return 0;
  const auto attributes = bound_attributes(f, bindings);
  std::vector<Shape> inputs, outputs;
  for (const i32 id : f.inputs) inputs.push_back(id < 0 ? Shape{0} : bind(graph_.value(id).dims, bindings));
  for (const i32 id : f.outputs) outputs.push_back(bind(graph_.value(id).dims, bindings));
  return (forward ? 1 : 2) * f.op->cost(attributes, inputs, outputs).flops;
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
