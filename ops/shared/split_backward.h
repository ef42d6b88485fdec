// The backward of a graph that an op runs many times, as for each level of a tree, taken apart so that nothing is
// computed twice and gradients of weights are made once. Gradients of rows flow from call to call; those of constants
// do not: what they are made of is collected, and in the end one product has the rows of all calls.
#pragma once
#include <algorithm>
#include <optional>

#include "engine/op.h"
#include "engine/run.h"

namespace weft::ops {

inline bool has_rows(const Dims& dims) { return !dims.empty() && dims[0].is("B") && !dims[0].known(); }
inline bool has_rows(const Var& v) { return has_rows(v.dims()); }

/// Whether every value of `graph` is one a row, of this row alone, at whatever position; or the same for all rows. The
/// first `varying` inputs are one a row.
inline bool rows_apart(const Graph& graph, std::size_t varying) {
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    if (has_rows(graph.inputs[i]) != (i < varying)) return false;
  }
  for (const Var& r : graph.results) {
    if (!has_rows(r)) return false;
  }
  const auto rows = [&](i32 id) { return id >= 0 && has_rows(graph.value(id).dims); };
  return std::all_of(graph.nodes().begin(), graph.nodes().end(), [&](const Node& n) {
    const i32 made = n.outputs[0];
    if (n.phase == Phase::backward || (made >= 0 && graph.value(made).derivative)) return true;
    const bool any = std::any_of(n.inputs.begin(), n.inputs.end(), rows);
    return n.op->along_with(n.attributes) == Along::pointwise &&
           std::all_of(n.outputs.begin(), n.outputs.end(), [&](i32 id) { return id < 0 || rows(id) == any; });
  });
}

/// Those that there are.
inline std::vector<Var> existing(const std::vector<Var>& all) {
  std::vector<Var> some;
  std::copy_if(all.begin(), all.end(), std::back_inserter(some), [](const Var& v) { return bool(v); });
  return some;
}

inline std::vector<Var> joined(std::vector<Var> all, const std::vector<Var>& others) {
  all.insert(all.end(), others.begin(), others.end());
  return all;
}

inline Var value_of(const Graph& graph, i32 id) { return {graph.results[0].graph(), id}; }

/// Values of rows that the backward of `graph` needs and that are kept for it: those that take long to compute again,
/// as products and draws do. All else it computes from them.
inline std::vector<Var> worth_keeping(const Graph& graph) {
  const Run run(graph, existing(graph.gradients));
  const Bindings one = {{"B", 1}};
  std::vector<bool> needed(graph.values().size());
  std::vector<Var> kept;
  for (auto n = run.order().rbegin(); n != run.order().rend(); ++n) {
    const Node& node = graph.node(*n);
    std::vector<i32> made;
    std::copy_if(node.outputs.begin(), node.outputs.end(), std::back_inserter(made), [&](i32 id) {
      return id >= 0 && node.phase == Phase::forward && needed[static_cast<std::size_t>(id)];
    });
    if (node.phase == Phase::forward && made.empty()) continue;
    const bool of_rows = !made.empty() && std::all_of(made.begin(), made.end(), [&](i32 id) {
      return has_rows(graph.value(id).dims) && graph.value(id).kind == Kind::real;
    });
    if (of_rows && run.is_costly(node, one)) {
      for (const i32 id : made) kept.push_back(value_of(graph, id));
      continue;
    }
    for (const i32 id : node.inputs) {
      if (id >= 0) needed[static_cast<std::size_t>(id)] = true;
    }
  }
  return kept;
}

/// The values of rows that `gradients`, the same for all rows, are made of. Nothing where something else than
/// constants and these is needed: then they are not those of all calls together.
inline std::optional<std::vector<Var>> rows_behind(const Graph& graph, const std::vector<Var>& gradients,
                                                   const std::vector<Var>& constants) {
  std::vector<bool> needed(graph.values().size());
  std::vector<Var> cut;
  const auto mark = [&](i32 id) {
    if (id < 0 || needed[static_cast<std::size_t>(id)]) return;
    needed[static_cast<std::size_t>(id)] = true;
    if (has_rows(graph.value(id).dims)) cut.push_back(value_of(graph, id));
  };
  for (const Var& g : gradients) mark(g.id());
  const auto& nodes = graph.nodes();
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    const bool mine = std::any_of(node->outputs.begin(), node->outputs.end(), [&](i32 id) {
      return id >= 0 && needed[static_cast<std::size_t>(id)] && !has_rows(graph.value(id).dims);
    });
    if (!mine) continue;
    if (node->op->random && node->phase == Phase::forward) return {};
    for (const i32 id : node->inputs) mark(id);
  }
  for (const Var& v : graph.inputs) {
    const bool known =
        has_rows(v) || std::any_of(constants.begin(), constants.end(), [&](const Var& c) { return c.id() == v.id(); });
    if (!known && needed[static_cast<std::size_t>(v.id())]) return {};
  }
  return cut;
}

}  // namespace weft::ops
