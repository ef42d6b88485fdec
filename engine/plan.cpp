// Plans: found by the shapes of what is fed, made once, or bound anew where a size grows.
#include "engine/plan.h"

#include <algorithm>

namespace weft {
namespace {

[[noreturn]] void refuse(const Value& value, const Tensor& tensor, const std::string& note) {
  throw Error(fmt::format("run: the input {} has the shape {}{}, but {} was given", value.name, text(value.dims), note,
                          text(tensor.shape())));
}

}  // namespace

Bindings Run::bindings(const Feeds& feeds) const {
  Bindings found;
  for (const auto& [v, tensor] : feeds) {  // first the symbols by themselves, so that 2 * T may stand before T
    check(&v.graph() == &graph_, "run: a value of another graph was fed");
    const Value& value = graph_.value(v.id());
    const bool index = tensor.dtype() == DType::i32;
    check(index == (value.kind == Kind::index), "run: the input {} must hold {}", value.name,
          index ? "real numbers" : "indices");
    check(is_fed(v.id()), "run: a value that the graph computes was fed");
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
  // A fold has one for each level of its tree. A call takes about 1.5 KB: of a whole model, where the length changes
  // from step to step, no more are kept than two lanes of unequal rows need.
  constexpr std::size_t kPlans = 32, kCalls = 320;
  const std::size_t most = std::clamp<std::size_t>(kCalls / std::max<std::size_t>(1, order_.size()), 2, kPlans);
  const auto found =
      std::find_if(plans_.begin(), plans_.end(), [&](const auto& p) { return p->fits(graph_, feeds, dtype); });
  if (found != plans_.end()) {
    std::rotate(plans_.begin(), found, found + 1);
  } else if (Plan* p = memory_.growing.empty() ? nullptr : regrown(feeds, dtype)) {
    return *p;
  } else {
    if (plans_.size() >= most) plans_.resize(most - 1);
    plans_.insert(plans_.begin(), made_plan(feeds, dtype));
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
          return a.first == b.first && (a.second == b.second || a.first == memory_.growing);
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
  const auto is_there = [&](i32 id) { return std::find(p.fed.begin(), p.fed.end(), id) != p.fed.end(); };
  const auto add = [&](i32 id) {
    if (id >= 0) p.shapes[static_cast<std::size_t>(id)] = weft::bind(graph_.value(id).dims, p.bindings);
  };
  const auto need = [&](i32 id) {
    if (id >= 0 && is_fed(id) && !is_there(id))
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
  p.stay = may_stay(p.bindings, dtype);
  return made;
}

}  // namespace weft
