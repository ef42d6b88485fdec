#include "engine/run.h"

#include <algorithm>

#include "engine/kernel.h"
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

[[noreturn]] void refuse(const Value& value, const Tensor& tensor, const std::string& note) {
  throw Error(fmt::format("run: the input {} has the shape {}{}, but {} was given", value.name, text(value.dims), note,
                          text(tensor.shape())));
}

bool holds(const Tensor& tensor, DType dtype) { return tensor.dtype() == DType::i32 || tensor.dtype() == dtype; }

// Values that stay save a hundred nanoseconds of bookkeeping each; more than this the second cache does not hold.
constexpr std::size_t kStay = 1 << 20;

}  // namespace

// All that the runs of one graph have in common when their inputs have the same shapes.
struct Run::Plan {
  DType dtype;
  Bindings bindings;
  std::vector<i32> fed;
  std::vector<Shape> shapes;                            // by value
  std::vector<std::vector<AttributeValue>> attributes;  // by place in the order
  std::vector<Tensor> values;                           // by value: the calls read them here
  std::vector<KernelCall> calls;                        // by place in the order
  std::vector<i32> leaving;                             // values that do not last: inputs and outputs
  bool stay = false;                                    // values between these keep their memory

  bool fits(const Graph& graph, const Feeds& feeds, DType type) const {
    if (type != dtype || feeds.size() != fed.size()) return false;
    for (std::size_t i = 0; i < fed.size(); ++i) {
      const auto& [v, tensor] = feeds[i];
      if (v.id() != fed[i] || &v.graph() != &graph || tensor.shape() != shapes[static_cast<std::size_t>(fed[i])] ||
          (tensor.dtype() == DType::i32) != (graph.value(fed[i]).kind == Kind::index) || !holds(tensor, type)) {
        return false;
      }
    }
    return true;
  }
  void clear() {
    for (Tensor& t : values) t = Tensor();
  }
};

Run::~Run() = default;

Run::Run(const Graph& graph, std::vector<Var> outputs, Following following)
    : graph_(graph), outputs_(std::move(outputs)), following_(std::move(following)) {
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

  find_fixed();
  find_last_uses();
  if (!following_.growing.empty()) find_growing();
}

void Run::find_growing() {
  std::vector<bool> grows(graph_.values().size());
  for (std::size_t id = 0; id < grows.size(); ++id) {
    grows[id] = depends(graph_.values()[id].dims, following_.growing);
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
                    [&](const AttributeValue& a) { return depends(a, following_.growing); })) {
      growing_nodes_.push_back(at);
    }
  }
}

bool Run::lasts(i32 id) const {
  return graph_.value(id).constant || std::binary_search(kept_.begin(), kept_.end(), id);
}

void Run::find_last_uses() {
  std::vector<i32> last(graph_.values().size(), -1);
  for (std::size_t at = 0; at < order_.size(); ++at) {
    const Node& node = graph_.node(order_[at]);
    for (const auto& list : {node.inputs, node.outputs}) {
      for (const i32 id : list) {
        if (id >= 0) last[static_cast<std::size_t>(id)] = static_cast<i32>(at);
      }
    }
  }
  for (const Var& v : outputs_) last[static_cast<std::size_t>(v.id())] = -1;
  last_use_.resize(order_.size());
  for (std::size_t id = 0; id < last.size(); ++id) {
    if (last[id] >= 0 && !lasts(static_cast<i32>(id)))
      last_use_[static_cast<std::size_t>(last[id])].push_back(static_cast<i32>(id));
  }
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

Run::Plan& Run::plan(const Feeds& feeds, DType dtype) {
  constexpr std::size_t kPlans = 32;  // a fold has one for each level of its tree
  const auto found =
      std::find_if(plans_.begin(), plans_.end(), [&](const auto& p) { return p->fits(graph_, feeds, dtype); });
  if (found != plans_.end()) {
    std::rotate(plans_.begin(), found, found + 1);
  } else if (Plan* p = following_.growing.empty() ? nullptr : regrown(feeds, dtype)) {
    return *p;
  } else {
    plans_.insert(plans_.begin(), made_plan(feeds, dtype));
    if (plans_.size() > kPlans) plans_.pop_back();
  }
  return *plans_.front();
}

// The plan that differs in what grows alone, bound anew to these inputs.
Run::Plan* Run::regrown(const Feeds& feeds, DType dtype) {
  Bindings now = bindings(feeds);
  for (const auto& plan : plans_) {
    Plan& p = *plan;
    const bool same_inputs = p.dtype == dtype && std::equal(feeds.begin(), feeds.end(), p.fed.begin(), p.fed.end(),
                                                            [&](const auto& feed, i32 id) {
                                                              return feed.first.id() == id && holds(feed.second, dtype);
                                                            });
    const bool same_sizes =
        std::equal(now.begin(), now.end(), p.bindings.begin(), p.bindings.end(), [&](const auto& a, const auto& b) {
          return a.first == b.first && (a.second == b.second || a.first == following_.growing);
        });
    if (!same_inputs || !same_sizes) continue;
    p.bindings = std::move(now);
    for (const i32 id : growing_values_) {
      const auto at = static_cast<std::size_t>(id);
      p.values[at] = Tensor();
      if (!p.shapes[at].empty()) p.shapes[at] = weft::bind(graph_.value(id).dims, p.bindings);
    }
    for (const std::size_t at : growing_nodes_) {
      p.attributes[at] = bound_attributes(p.calls[at].node, p.bindings);
      p.calls[at].derived.reset();
    }
    return &p;
  }
  return nullptr;
}

std::unique_ptr<Run::Plan> Run::made_plan(const Feeds& feeds, DType dtype) const {
  auto made = std::make_unique<Plan>(Plan{dtype, bindings(feeds), {}, {}, {}, {}, {}, {}});
  Plan& p = *made;
  p.shapes.resize(graph_.values().size());
  p.values.resize(graph_.values().size());
  for (const auto& [v, tensor] : feeds) {
    check(holds(tensor, dtype), "run: the input {} is {}, the run is {}", graph_.value(v.id()).name,
          name(tensor.dtype()), name(dtype));
    p.fed.push_back(v.id());
  }
  p.leaving = p.fed;
  const auto is_fed = [&](i32 id) { return std::find(p.fed.begin(), p.fed.end(), id) != p.fed.end(); };
  const auto add = [&](i32 id) {
    if (id >= 0) p.shapes[static_cast<std::size_t>(id)] = weft::bind(graph_.value(id).dims, p.bindings);
  };
  const auto need = [&](i32 id) {
    if (id >= 0 && graph_.value(id).node < 0 && !graph_.value(id).constant && !is_fed(id))
      throw Error("run: the input " + graph_.value(id).name + " is not given", Failure::internal);
    add(id);
  };
  for (const i32 id : p.fed) add(id);
  for (const Var& v : outputs_) {
    need(v.id());
    if (!lasts(v.id())) p.leaving.push_back(v.id());
  }
  p.attributes.reserve(order_.size());
  p.calls.reserve(order_.size());
  for (const i32 n : order_) {
    const Node& node = graph_.node(n);
    for (const i32 id : node.inputs) need(id);
    for (const i32 id : node.outputs) add(id);
    if (node.phase == Phase::backward) {  // shapes of what the backward does not read may matter to it
      for (const i32 id : graph_.node(node.forward_node).inputs) add(id);
      for (const i32 id : graph_.node(node.forward_node).outputs) add(id);
    }
    p.attributes.push_back(bound_attributes(node, p.bindings));
    p.calls.push_back(kernel_call(graph_, node, p.attributes.back(), p.values, p.shapes, &read_));
  }
  p.stay = following_.stay && inner_bytes(p.bindings, dtype) <= kStay;
  return made;
}

std::vector<Tensor> Run::operator()(const Runtime& runtime, DType dtype, const Feeds& feeds,
                                    const RunSettings& settings, Observer* observer) {
  Plan& p = plan(feeds, dtype);
  if (const auto batch = p.bindings.find("B"); settings.offsets.size() > 1 && batch != p.bindings.end()) {
    check(static_cast<i64>(settings.offsets.size()) == batch->second, "run: {} rows have {} offsets", batch->second,
          settings.offsets.size());
  }
  try {
    fill(p, feeds, settings);
    compute(p, runtime, settings, observer);
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

void Run::compute(Plan& p, const Runtime& runtime, const RunSettings& settings, Observer* observer) {
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

std::size_t Run::bytes(i32 id, const Bindings& bindings, DType dtype) const {
  const Value& v = graph_.value(id);
  return byte_count(weft::bind(v.dims, bindings), v.kind == Kind::index ? DType::i32 : dtype);
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
  const bool stay = following_.stay && inner_bytes(bindings, dtype) <= kStay;
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
      if (graph_.value(id).node >= 0 && !stay) live -= bytes(id, bindings, dtype);
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
