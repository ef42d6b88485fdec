// A sum over the levels of an expression in node values alone: the expression is computed once a node, and the sums of
// all tokens take a pass over the nodes.
#include <algorithm>

#include "dsl/fold.h"
#include "engine/run.h"
#include "ops/table.h"

namespace weft::dsl {
namespace {

class LevelSum {
 public:
  LevelSum(Builder& outer, const FoldTree& tree, const Room& read) : outer_(outer), tree_(tree), read_(read) {}

  bool is(const Expr& e) const {
    const bool by_name = e.args.size() == 1 && e.named.size() == 1 && e.named[0].name == "dim";
    const bool by_place = e.args.size() == 2 && e.named.empty();
    if (e.name != "sum" || !(by_name || by_place)) return false;
    const Expr& dim = by_name ? *e.named[0].value : *e.args[1];
    if (dim.kind != Expr::Kind::name || dim.name != "L") return false;
    const auto names = names_in(*e.args[0]);
    return std::any_of(names.begin(), names.end(), [&](const std::string& n) { return tree_.find(n); }) &&
           of_a_node(*e.args[0], false);
  }

  FoldSum build(const Expr& term) {
    Program& program = outer_.program();
    const auto map =
        std::make_shared<Graph>(outer_.graph().keeps_gradients() ? Graph::Gradients::yes : Graph::Gradients::no);
    Room room = inner_room(outer_.room());
    InnerBridge bridge(outer_, *map, InnerBridge::Time::refused);
    Builder builder(program, *map, room, &bridge);
    std::vector<Var> inputs = {tree_.count};
    const auto names = names_in(term);
    for (const FoldTree::Value& v : tree_.values) {
      if (std::find(names.begin(), names.end(), v.name) == names.end()) continue;
      room.tensors[v.name] = map->input(v.name, with_batch(v.dims, true), Kind::real, true);
      map->inputs.push_back(room.tensors[v.name]);
      inputs.push_back(v.table);
    }
    const i64 values = std::ssize(map->inputs);
    map->results = {builder.tensor(term)};
    for (const auto& [outside, inside] : bridge.constants) {
      inputs.push_back(outside);
      map->inputs.push_back(inside);
    }
    if (!zero_without_node(*map, values)) return {};
    if (map->keeps_gradients()) map->differentiate();
    program.graph.set_origin(place_text(term.span));
    const Var sum =
        append(program.graph, "fold_sum", inputs,
               {{"map", std::shared_ptr<const Graph>(map)}, {"values", values}, {"length", Dim::symbol("T")}})[0];
    return {sum, map->results[0].dims()};
  }

 private:
  // Whether it means the same for one node as for all levels: what is pointwise, and products with a matrix.
  bool of_a_node(const Expr& e, bool constant) const {
    const auto all = [&](bool c) {
      return std::all_of(e.args.begin(), e.args.end(), [&](const ExprPtr& a) { return of_a_node(*a, c); });
    };
    switch (e.kind) {
      case Expr::Kind::number:
      case Expr::Kind::boolean: return true;
      case Expr::Kind::name: return tree_.find(e.name) ? !constant : is_constant(e.name);
      case Expr::Kind::negate: return all(constant);
      case Expr::Kind::binary:
        return e.name == "@" ? of_a_node(*e.args[0], constant) && of_a_node(*e.args[1], true) : all(constant);
      case Expr::Kind::call: {
        const Op* op = ops::find(e.name);
        return op && op->family == Op::Family::pointwise && op->inputs.size() == e.args.size() && e.named.empty() &&
               all(constant);
      }
      default: return false;
    }
  }
  bool is_constant(const std::string& name) const {
    if (read_.tensors.contains(name)) return false;  // an earlier name of `read`
    const Room& room = outer_.room();
    const auto tensor = room.tensors.find(name);
    return room.numbers.contains(name) || room.weights.contains(name) ||
           (tensor != room.tensors.end() && count_time(dims_of(tensor->second)) == 0);
  }

  // A level that is not there yet has zeros, and must not count: on random constants.
  static bool zero_without_node(const Graph& map, i64 values) {
    if (!has_batch(map.results[0])) return false;
    Run::Feeds feeds;
    for (std::size_t i = 0; i < map.inputs.size(); ++i) {
      const Var& v = map.inputs[i];
      const bool node = static_cast<i64>(i) < values;
      feeds.emplace_back(v, node ? Tensor::zeros(bind(v.dims(), {{"B", 1}}), DType::f64) : drawn(v, {{"B", 1}}, i));
    }
    const Runtime runtime({.products = "loops", .parallel = "serial", .threads = 0});
    const Tensor y = Run(map, map.results)(runtime, DType::f64, feeds)[0];
    const auto all = y.values<double>();
    return std::all_of(all.begin(), all.end(), [](double x) { return x == 0; });
  }

  Builder& outer_;
  const FoldTree& tree_;
  const Room& read_;
};

}  // namespace

Tensor drawn(const Var& v, const Bindings& sizes, u64 key, double low, double high) {
  const Shape shape = bind(v.dims(), sizes);
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = low + (high - low) * uniform(Key{key}, i);
  return Tensor::from(values, shape, DType::f64);
}

FoldSum level_sum(Builder& outer, const FoldTree& tree, const Room& read, const Expr& e) {
  LevelSum sum(outer, tree, read);
  if (!sum.is(e)) return {};
  const Diagnostics before = outer.program().diagnostics;
  try {
    return sum.build(*e.args[0]);
  } catch (const Failed&) {
    outer.program().diagnostics = before;
    return {};
  }
}

}  // namespace weft::dsl
