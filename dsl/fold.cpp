#include "dsl/fold.h"

#include <fmt/format.h>

#include <algorithm>

#include "dsl/recurrence.h"
#include "ops/shared/tree.h"

namespace weft::dsl {
namespace {

// Of a choice only the side that is taken counts: prefixes that nobody reads are as much work as the tree.
bool calls(const Expr& e, std::string_view name, const Scope& scope) {
  const auto any = [&](const auto& list, auto get) {
    return std::any_of(list.begin(), list.end(), [&](const auto& x) { return calls(*get(x), name, scope); });
  };
  if (e.kind == Expr::Kind::conditional) {
    Diagnostics tried;
    const auto chosen = evaluate_bool(*e.args[0], scope, tried);
    if (chosen) return calls(*e.args[*chosen ? 1 : 2], name, scope);
  }
  return (e.kind == Expr::Kind::call && e.name == name) || any(e.args, [](const ExprPtr& x) { return x; }) ||
         any(e.named, [](const NamedArg& x) { return x.value; });
}

class Merging {
 public:
  Merging(Builder& outer, const Fold& fold)
      : outer_(outer),
        fold_(fold),
        program_(outer.program()),
        merge_(std::make_shared<Graph>(outer.graph().keeps_gradients() ? Graph::Gradients::yes : Graph::Gradients::no)),
        room_(inner_room(outer.room())),
        bridge_(outer, *merge_, InnerBridge::Time::refused),
        builder_(program_, *merge_, room_, &bridge_) {}

  FoldTree run() {
    if (program_.form == "chunkwise") {
      fail("E0316", fold_.span, "the chunkwise form cannot be derived here (`train.form`)",
           "leave `form` out of `train`: a fold is computed level by level, and token by token in a stream");
    }
    check_names();
    leaves();
    merge();
    FoldTree tree = apply();
    read_fold(outer_, fold_, tree);
    return tree;
  }

 private:
  [[noreturn]] void fail(std::string_view code, const Span& span, const std::string& message, const std::string& help) {
    program_.diagnostics.error(code, span, message).help(help);
    throw Failed{};
  }

  // `L`, `level` and `present` mean something in a fold.
  void check_names() {
    const Room& room = outer_.room();
    for (const char* name : {"L", "level", "present"}) {
      if (!room.numbers.contains(name) && !room.tensors.contains(name) && !room.weights.contains(name)) continue;
      fail("E0306", fold_.span,
           fmt::format("`{}` has a meaning of its own in a fold, and this def uses the name", name),
           fmt::format("rename the def's `{}`", name));
    }
    for (const Equation& e : fold_.leaf) {
      if (e.name == "count") {
        fail("E0306", e.name_span, "`count` is the number of tokens that a fold has seen", "call the value otherwise");
      }
    }
  }

  // Each as [B, T, node]. A number, such as the 1 that counts tokens, stands at every position.
  void leaves() {
    Room room = outer_.room();
    Builder builder(program_, outer_.graph(), room);
    std::vector<Var> made;
    for (const Equation& e : fold_.leaf) {
      builder.define(e);
      if (room.failed.contains(e.name)) throw Failed{};
      Expr name;
      name.kind = Expr::Kind::name;
      name.name = e.name;
      made.push_back(builder.tensor(name));
    }
    const auto varies = [](const Var& v) { return count_time(dims_of(v)) > 0; };
    if (std::none_of(made.begin(), made.end(), varies)) {
      fail("E0308", fold_.leaf[0].value->span,
           fmt::format("`{}` is {}: no leaf varies with time", fold_.leaf[0].name, text(dims_of(made[0]))),
           "make a leaf of an input that has T");
    }
    for (std::size_t i = 0; i < made.size(); ++i) leaf(fold_.leaf[i], made[i]);
  }

  void leaf(const Equation& e, Var v) {
    Dims dims = dims_of(v);
    if (count_time(dims) > 1) {
      fail("E0304", e.value->span,
           fmt::format("the leaf `{}` is {}, and a leaf stands at one position", e.name, text(dims)), "leave one T");
    }
    if (count_time(dims) == 0 || !has_batch(v)) {
      if (count_time(dims) == 0) {  // [B, D] as [B, 1, D], to be repeated over time
        dims.insert(dims.begin(), Dim(1));
        v = renamed(v, dims);
        dims[0] = Dim::symbol("T");
      }
      v = append(v.graph(), "expand", {v}, {{"shape", with_batch(dims, true)}})[0];
    }
    leaves_.push_back(with_time_at(v, 1));
    dims.erase(std::find_if(dims.begin(), dims.end(), is_time));
    tree_.values.push_back({e.name, dims, {}, {}});
  }

  void merge() {
    for (auto* side : {&left_, &right_}) {
      for (const FoldTree::Value& v : tree_.values) {
        const char* name = side == &left_ ? "left" : "right";
        (*side)[v.name] = merge_->input(name, with_batch(v.dims, true), Kind::real, true);
        merge_->inputs.push_back((*side)[v.name]);
      }
    }
    merge_->inputs.push_back(room_.tensors["level"] = merge_->input("level", {}));
    builder_.intercept = [this](const Expr& e) -> std::optional<Term> {
      if (const auto name = node_call(builder_, e, "left", tree_)) return left_[*name];
      if (const auto name = node_call(builder_, e, "right", tree_)) return right_[*name];
      if (e.kind == Expr::Kind::name && tree_.find(e.name) && !room_.tensors.contains(e.name)) before_it_is_made(e);
      return {};
    };
    const int errors = program_.diagnostics.error_count();
    for (const Equation& e : fold_.merge) equation(e);
    if (program_.diagnostics.error_count() > errors || !room_.failed.empty()) throw Failed{};
    for (const FoldTree::Value& v : tree_.values) merge_->results.push_back(room_.tensors[v.name]);
  }

  void before_it_is_made(const Expr& e) {
    if (room_.failed.contains(e.name)) throw Failed{};
    fail("E0201", e.span, fmt::format("`{}` has no value yet in this merge", e.name),
         fmt::format("write `left({0})` or `right({0})`", e.name));
  }

  void equation(const Equation& e) {
    const std::size_t first = merge_->nodes().size();
    try {
      if (!tree_.find(e.name)) {
        builder_.define(e);
      } else {
        const Term t = builder_.value(e);
        const Var* v = std::get_if<Var>(&t);
        room_.tensors[e.name] = fitted(builder_, e, v ? *v : builder_.tensor(*e.value), left_[e.name], "node value");
      }
      require_rows(builder_, first, e);
    } catch (const Failed&) {
      room_.failed.insert(e.name);
    }
  }

  // What a state starts from: the caller's, the stream's, or zeros.
  Var start(const StateDef& s, const Dims& dims) {
    Graph& g = program_.graph;
    Var from = initial_state(outer_, s, dims);
    if (streams(program_.mode)) from = program_.state_input(outer_.room().below(s.name), with_batch(dims, true), from);
    return from ? from : append(g, "zeros", {}, {{"shape", with_batch(dims, true)}})[0];
  }
  void finish(const StateDef& s, std::size_t slot, const Var& final) {
    if (streams(program_.mode)) program_.states[slot].out = final;
    keep_final(outer_, s, final);
  }

  FoldTree apply() {
    program_.graph.set_origin(place_text(fold_.span));
    const std::size_t first = program_.states.size(), n = tree_.values.size();
    std::vector<StateDef> states(n + 1);
    for (std::size_t i = 0; i < n; ++i) states[i].name = tree_.values[i].name;
    states[n].name = "count";
    std::vector<Var> inputs = {{}};
    for (std::size_t i = 0; i < n; ++i) {
      Dims dims = tree_.values[i].dims;
      dims.insert(dims.begin(), Dim(ops::kTreeLevels));
      inputs.push_back(start(states[i], dims));
    }
    const Var count = start(states[n], {});
    if (NamedState* named = program_.named_state(outer_.room().below("count"))) named->counts = true;
    inputs[0] = tree_.count = append(program_.graph, "to_index", {count})[0];
    inputs.insert(inputs.end(), leaves_.begin(), leaves_.end());
    for (const auto& [outside, inside] : bridge_.constants) {
      inputs.push_back(outside);
      merge_->inputs.push_back(inside);
    }
    if (merge_->keeps_gradients()) merge_->differentiate();
    const bool prefixes = std::any_of(fold_.read.begin(), fold_.read.end(), [&](const Equation& e) {
      return calls(*e.value, "prefix", outer_.room().numbers);
    });
    // Not before the states: they take more nodes or fewer by the mode, and all modes must draw the same noise.
    program_.graph.set_stream(Key{}.fold(outer_.room().path).fold("fold"));
    const auto made = append(
        program_.graph, "fold", inputs,
        {{"merge", std::shared_ptr<const Graph>(merge_)}, {"values", static_cast<i64>(n)}, {"prefixes", prefixes}});
    for (std::size_t i = 0; i < n; ++i) {
      finish(states[i], first + i, made[i]);
      tree_.values[i].table = made[n + i];
      if (prefixes) tree_.values[i].prefix = made[2 * n + i];
    }
    const Var length = append(program_.graph, "size", {}, {{"length", Dim::symbol("T")}})[0];
    finish(states[n], first + n, append(program_.graph, "add", {count, length})[0]);
    return tree_;
  }

  Builder& outer_;
  const Fold& fold_;
  Program& program_;
  std::shared_ptr<Graph> merge_;
  Room room_;
  InnerBridge bridge_;
  Builder builder_;
  FoldTree tree_;
  std::vector<Var> leaves_;
  std::map<std::string, Var> left_, right_;
};

}  // namespace

const FoldTree::Value* FoldTree::find(const std::string& name) const {
  const auto found = std::find_if(values.begin(), values.end(), [&](const Value& v) { return v.name == name; });
  return found == values.end() ? nullptr : &*found;
}

std::optional<std::string> node_call(Builder& builder, const Expr& e, std::string_view name, const FoldTree& tree) {
  if (e.kind != Expr::Kind::call || e.name != name) return {};
  const bool one = e.args.size() == 1 && e.named.empty() && e.args[0]->kind == Expr::Kind::name;
  if (one && tree.find(e.args[0]->name)) return e.args[0]->name;
  std::vector<std::string> names;
  for (const FoldTree::Value& v : tree.values) names.push_back(v.name);
  builder.program()
      .diagnostics
      .error("E0206", one ? e.args[0]->span : e.span, fmt::format("`{}` takes the name of a node value", name))
      .note(fmt::format("`leaf` names {}", listed(names, "and")))
      .help(one ? guess_text(e.args[0]->name, names) : "");
  throw Failed{};
}

void require_rows(Builder& inner, std::size_t first_node, const Equation& e) {
  const auto& nodes = inner.graph().nodes();
  for (std::size_t i = first_node; i < nodes.size(); ++i) {
    if (!nodes[i].op->random || nodes[i].place.row_axis >= 0) continue;
    inner.program()
        .diagnostics
        .error("E0206", e.value->span, fmt::format("`{}` draws the same for all nodes here", nodes[i].op->name))
        .note("how many nodes are computed together depends on the form and on the cut, and the numbers must not")
        .help("give it a value that is made of the nodes");
    throw Failed{};
  }
}

void lower_fold(Builder& builder, const Fold& fold) {
  const FoldTree tree = Merging(builder, fold).run();
  if (builder.program().explains) explain(builder, fold, tree);
}

}  // namespace weft::dsl
