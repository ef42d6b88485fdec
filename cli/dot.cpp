#include "cli/dot.h"

#include <set>

#include "engine/op.h"

namespace weft::cli {
namespace {

std::string quoted(const std::string& text) {
  std::string s = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') s += '\\';
    if (c == '\n') s += "\\n";
    else s += c;
  }
  return s + "\"";
}

class Drawing {
 public:
  explicit Drawing(const dsl::Function& function) : graph_(function.graph()) {
    for (const dsl::WeightSlot& w : function.slots()) weights_.insert(w.var.id());
    for (const Var& v : function.outputs()) need(v.id());
  }

  std::string text(const std::string& title) {
    std::string s =
        fmt::format("digraph {} {{\n  node [shape=box, fontname=\"monospace\", fontsize=10];\n", quoted(title));
    for (std::size_t id = 0; id < graph_.values().size(); ++id) {
      const Value& v = graph_.values()[id];
      if (v.node < 0 && needed_.contains(static_cast<i32>(id)) && !v.constant) s += leaf(static_cast<i32>(id), v);
    }
    for (std::size_t n = 0; n < graph_.nodes().size(); ++n) {
      if (drawn(graph_.nodes()[n])) s += node(n);
    }
    return s + "}\n";
  }

 private:
  // From an output back to all that it needs. Creation order is topological order, so one pass from the back would do,
  // too; a stack needs no second array.
  void need(i32 id) {
    std::vector<i32> open = {id};
    while (!open.empty()) {
      const i32 at = open.back();
      open.pop_back();
      if (at < 0 || !needed_.insert(at).second || graph_.value(at).node < 0) continue;
      const auto& inputs = graph_.node(graph_.value(at).node).inputs;
      open.insert(open.end(), inputs.begin(), inputs.end());
    }
  }
  static bool renames(const Node& node) { return node.op->name == "reshape"; }
  bool drawn(const Node& node) const { return node.phase == Phase::forward && !renames(node) && needed_of(node); }
  bool needed_of(const Node& node) const {
    for (const i32 id : node.outputs) {
      if (needed_.contains(id)) return true;
    }
    return false;
  }
  // The value before any renaming.
  i32 source(i32 id) const {
    while (id >= 0 && graph_.value(id).node >= 0 && renames(graph_.node(graph_.value(id).node))) {
      id = graph_.node(graph_.value(id).node).inputs[0];
    }
    return id;
  }
  std::string leaf(i32 id, const Value& v) const {
    return fmt::format("  v{} [shape=ellipse, style={}, label={}];\n", id, weights_.contains(id) ? "dotted" : "bold",
                       quoted(v.name + "\n" + weft::text(v.dims)));
  }
  std::string node(std::size_t n) const {
    const Node& node = graph_.nodes()[n];
    std::string numbers, edges;
    for (const i32 input : node.inputs) {
      const i32 id = source(input);
      if (id < 0) continue;
      const Value& v = graph_.value(id);
      if (v.constant) numbers += v.constant.size() == 1 ? fmt::format(" {:.4g}", v.constant.at(0)) : " constant";
      else edges += v.node < 0 ? fmt::format("  v{} -> n{};\n", id, n) : fmt::format("  n{} -> n{};\n", v.node, n);
    }
    const std::string label = node.op->name + numbers + "\n" + weft::text(graph_.value(node.outputs[0]).dims);
    return fmt::format("  n{} [label={}, tooltip={}];\n", n, quoted(label), quoted(graph_.origin_of(node))) + edges;
  }

  const Graph& graph_;
  std::set<i32> weights_, needed_;
};

}  // namespace

std::string dot(const dsl::Function& function, const std::string& title) { return Drawing(function).text(title); }

}  // namespace weft::cli
