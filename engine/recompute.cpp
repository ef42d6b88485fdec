// Which values are computed again for the backward instead of kept (`RunMemory::recompute`). Chen et al. 2016,
// arXiv:1604.06174, with the choice made by what a value costs.
#include <algorithm>

#include "engine/run.h"

namespace weft {

// A second time into the order, before the first node of the backward that reads what it makes, comes each cheap node
// whose inputs are there by then: kept for the backward anyway, or computed again themselves.
void Run::find_recomputed() {
  const auto place = [](i32 id) { return static_cast<std::size_t>(id); };
  std::vector<bool> stays(graph_.values().size());  // from the first node to the last
  for (const Var& v : outputs_) stays[place(v.id())] = true;
  for (std::size_t id = 0; id < stays.size(); ++id) {
    if (lasts(static_cast<i32>(id)) || is_fed(static_cast<i32>(id))) stays[id] = true;
  }
  std::vector<bool> there = stays;  // in the backward
  for (const i32 n : order_) {
    if (graph_.node(n).phase != Phase::backward) continue;
    for (const i32 id : graph_.node(n).inputs) {
      if (id >= 0) there[place(id)] = true;
    }
  }
  std::vector<i32> maker(graph_.values().size(), -1);  // of a value that is made again
  for (std::size_t at = 0; at < order_.size(); ++at) {
    const Node& node = graph_.node(order_[at]);
    const auto all = [&](const std::vector<i32>& ids, const auto& hold) {
      return std::all_of(ids.begin(), ids.end(), [&](i32 id) { return id < 0 || hold(place(id)); });
    };
    const bool again =
        node.phase == Phase::forward && !fixed_[at] && all(node.inputs, [&](std::size_t id) { return there[id]; }) &&
        all(node.outputs, [&](std::size_t id) { return !stays[id]; }) && !is_costly(node, *memory_.recompute);
    for (const i32 id : node.outputs) {
      if (again && id >= 0) there[place(id)] = true, maker[place(id)] = order_[at];
    }
  }

  std::vector<i32> order;
  std::vector<bool> fixed, done(graph_.nodes().size());
  const std::function<void(const Node&)> make_inputs = [&](const Node& node) {
    for (const i32 id : node.inputs) {
      const i32 n = id < 0 ? -1 : maker[place(id)];
      if (n < 0 || done[place(n)]) continue;
      done[place(n)] = true;
      make_inputs(graph_.node(n));
      order.push_back(n), fixed.push_back(false);
    }
  };
  for (std::size_t at = 0; at < order_.size(); ++at) {
    const Node& node = graph_.node(order_[at]);
    if (node.phase == Phase::backward) make_inputs(node);
    order.push_back(order_[at]), fixed.push_back(fixed_[at]);
  }
  order_ = std::move(order), fixed_ = std::move(fixed);
}

}  // namespace weft
