#include "engine/run.h"

#include <algorithm>

#include "engine/observer.h"
#include "engine/op.h"
#include "engine/plan.h"

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
bool depends(const Dims& dims, const std::string& symbol) {
  return std::any_of(dims.begin(), dims.end(), [&](const Dim& d) { return d.depends_on(symbol); });
}
bool depends(const AttributeValue& value, const std::string& symbol) {
  if (const Dim* d = std::get_if<Dim>(&value)) return d->depends_on(symbol);
  if (const Dims* d = std::get_if<Dims>(&value)) return depends(*d, symbol);
  return false;
}

// Gives the same in every run, of whatever length and at whatever position, if its inputs do.
bool repeats(const Graph& graph, const Node& node) {
  return node.phase == Phase::forward && !node.op->random && node.op->along == Along::pointwise &&
         node.annealed.empty() &&
         std::all_of(node.attributes.begin(), node.attributes.end(), [](const auto& a) { return is_known(a); }) &&
         std::all_of(node.outputs.begin(), node.outputs.end(),
                     [&](i32 id) { return id < 0 || is_known(graph.value(id).dims); });
}

}  // namespace

Run::~Run() = default;

Run::Run(const Graph& graph, std::vector<Var> outputs, RunMemory memory, const std::vector<Var>& given)
    : graph_(graph), outputs_(std::move(outputs)), given_(graph.values().size()), memory_(std::move(memory)) {
  for (const Var& v : given) given_[static_cast<std::size_t>(v.id())] = true;
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
                     [&](i32 id) { return id >= 0 && needed[static_cast<std::size_t>(id)] && !is_fed(id); })) {
      continue;
    }
    order_.push_back(n);
    for (const i32 id : node.inputs) {
      if (id >= 0) needed[static_cast<std::size_t>(id)] = true;
    }
  }
  std::reverse(order_.begin(), order_.end());
  read_ = std::move(needed);

  find_fixed();
  if (memory_.recompute) find_recomputed();
  find_last_uses();
  if (!memory_.growing.empty()) find_growing();
}

void Run::find_growing() {
  std::vector<bool> grows(graph_.values().size());
  for (std::size_t id = 0; id < grows.size(); ++id) {
    grows[id] = depends(graph_.values()[id].dims, memory_.growing);
    if (grows[id]) growing_values_.push_back(static_cast<i32>(id));
  }
  const auto any = [&](const std::vector<i32>& ids) {
    return std::any_of(ids.begin(), ids.end(), [&](i32 id) { return id >= 0 && grows[static_cast<std::size_t>(id)]; });
  };
  for (std::size_t at = 0; at < order_.size(); ++at) {
    const Node& node = graph_.node(order_[at]);
    const Node& f = node.phase == Phase::forward ? node : graph_.node(node.forward_node);
    if (any(f.inputs) || any(f.outputs) ||
        std::any_of(node.attributes.begin(), node.attributes.end(),
                    [&](const AttributeValue& a) { return depends(a, memory_.growing); })) {
      growing_nodes_.push_back(at);
    }
  }
}

bool Run::lasts(i32 id) const {
  return graph_.value(id).constant || std::binary_search(kept_.begin(), kept_.end(), id);
}

bool Run::is_fed(i32 id) const {
  const Value& value = graph_.value(id);
  return given_[static_cast<std::size_t>(id)] || (value.node < 0 && !value.constant);
}

void Run::find_last_uses() {
  std::vector<i32> last(graph_.values().size(), -1);
  last_use_.resize(order_.size());
  const auto end_use = [&](std::size_t id) {
    if (last[id] >= 0 && !lasts(static_cast<i32>(id)))
      last_use_[static_cast<std::size_t>(last[id])].push_back(static_cast<i32>(id));
  };
  for (std::size_t at = 0; at < order_.size(); ++at) {
    const Node& node = graph_.node(order_[at]);
    for (const i32 id : node.inputs) {
      if (id >= 0) last[static_cast<std::size_t>(id)] = static_cast<i32>(at);
    }
    for (const i32 id : node.outputs) {
      if (id < 0) continue;
      end_use(static_cast<std::size_t>(id));  // of the first time, where it is computed again
      last[static_cast<std::size_t>(id)] = static_cast<i32>(at);
    }
  }
  ready_.resize(order_.size());
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const i32 id = outputs_[i].id(), at = last[static_cast<std::size_t>(id)];
    const auto same = std::count_if(outputs_.begin(), outputs_.end(), [&](const Var& v) { return v.id() == id; });
    if (at >= 0 && same == 1 && !is_fed(id) && !lasts(id)) ready_[static_cast<std::size_t>(at)].push_back(i);
  }
  for (const Var& v : outputs_) last[static_cast<std::size_t>(v.id())] = -1;
  for (std::size_t id = 0; id < last.size(); ++id) end_use(id);
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
    if (read_[id] && graph_.values()[id].constant) constants_.push_back(static_cast<i32>(id));
  }
}

std::vector<Tensor> Run::operator()(const Runtime& runtime, DType dtype, const Feeds& feeds,
                                    const RunSettings& settings, Observer* observer, const Taker& taker) {
  Plan& p = plan(feeds, dtype);
  if (const auto batch = p.bindings.find("B"); settings.offsets.size() > 1 && batch != p.bindings.end()) {
    check(static_cast<i64>(settings.offsets.size()) == batch->second, "run: {} rows have {} offsets", batch->second,
          settings.offsets.size());
  }
  try {
    fill(p, feeds, settings);
    compute(p, runtime, settings, observer, taker);
  } catch (...) {
    p.clear();
    throw;
  }
  auto outputs = taken_outputs(p);
  if (settings.intervention) p.clear();
  return outputs;
}

void Run::fill(Plan& p, const Feeds& feeds, const RunSettings& settings) {
  for (const auto& [v, tensor] : feeds) p.values[static_cast<std::size_t>(v.id())] = tensor;
  for (const i32 id : constants_) {
    Tensor& tensor = p.values[static_cast<std::size_t>(id)];
    if (tensor) continue;
    const Value& value = graph_.value(id);
    Tensor& kept = converted_[{id, p.dtype}];
    if (!kept) kept = value.kind == Kind::index ? value.constant : value.constant.converted(p.dtype);
    tensor = kept;
  }
  Fixed& known = fixed_values_[p.dtype];
  if (!known.ready) known.values.clear();
  if (settings.intervention) return;
  for (const auto& [id, tensor] : known.values) {
    if (!p.values[static_cast<std::size_t>(id)]) p.values[static_cast<std::size_t>(id)] = tensor;
  }
}

void Run::compute(Plan& p, const Runtime& runtime, const RunSettings& settings, Observer* observer,
                  const Taker& taker) {
  // A proof may change what any node makes: then all are computed, and nothing of it stays.
  Fixed none, &known = settings.intervention ? none : fixed_values_[p.dtype];
  for (std::size_t at = 0; at < order_.size(); ++at) {
    if (fixed_[at] && known.ready) continue;
    KernelCall& call = p.calls[at];
    const auto& outputs = call.node.outputs;
    const double start = observer ? observer->now() : 0;
    for (std::size_t i = 0; p.stay && i < outputs.size(); ++i) {
      if (outputs[i] >= 0) call.results[i] = std::move(p.values[static_cast<std::size_t>(outputs[i])]);
    }
    perform(call, runtime, p.dtype, settings);
    const double end = observer ? observer->now() : 0;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const i32 id = outputs[i];
      if (id < 0) continue;
      if (fixed_[at] && lasts(id)) known.values.emplace_back(id, call.results[i]);
      p.values[static_cast<std::size_t>(id)] = std::move(call.results[i]);
    }
    if (observer) {
      tell(*observer, call.node, end - start, p.bindings, p.values);
      observer->made(graph_, call.node, p.values);
    }
    for (const i32 id : last_use_[at]) {
      Tensor& tensor = p.values[static_cast<std::size_t>(id)];
      if (!p.stay || fixed_[at] || !tensor.is_sole_owner()) tensor = Tensor();
    }
    for (std::size_t i = 0; taker && i < ready_[at].size(); ++i) {
      const std::size_t output = ready_[at][i];
      taker(output, p.values[static_cast<std::size_t>(outputs_[output].id())]);
    }
  }
  known.ready = true;
}

std::vector<Tensor> Run::taken_outputs(Plan& p) const {
  std::vector<Tensor> results;
  results.reserve(outputs_.size());
  for (const Var& v : outputs_) results.push_back(p.values[static_cast<std::size_t>(v.id())]);
  for (const i32 id : p.leaving) p.values[static_cast<std::size_t>(id)] = Tensor();
  return results;
}

void Run::release() {
  for (const auto& p : plans_) p->clear();
}

}  // namespace weft
