// What is read of a tree: sums over the levels and prefixes are sequences of their own; what is left is a graph over
// one position, run by `fold_read`.
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "dsl/fold.h"
#include "engine/run.h"

namespace weft::dsl {
namespace {

Dims by_level(Dims dims) {
  dims.insert(dims.begin(), Dim::symbol("L"));
  return dims;
}

// Relative to the largest element; what is not finite is so in both.
bool same(const Tensor& a, const Tensor& b) {
  double size = 1, worst = 0;
  for (i64 i = 0; i < a.size(); ++i) {
    if (std::isfinite(a.at(i)) != std::isfinite(b.at(i))) return false;
    if (!std::isfinite(a.at(i))) continue;
    size = std::max(size, std::abs(a.at(i)));
    worst = std::max(worst, std::abs(a.at(i) - b.at(i)));
  }
  return worst <= 1e-9 * size;
}

class Reading {
 public:
  Reading(Builder& outer, const Fold& fold, const FoldTree& tree)
      : outer_(outer),
        fold_(fold),
        tree_(tree),
        program_(outer.program()),
        read_(new_graph()),
        room_(inner_room(outer.room())),
        bridge_(outer, *read_, InnerBridge::Time::behind_batch),
        builder_(program_, *read_, room_, &bridge_) {
    room_.sizes["L"] = Dim::symbol("L");
    builder_.intercept = [this](const Expr& e) { return known(e); };
  }

  void run() {
    const int errors = program_.diagnostics.error_count();
    for (const Equation& e : fold_.read) equation(e);
    if (program_.diagnostics.error_count() > errors || !room_.failed.empty()) throw Failed{};
    program_.graph.set_origin(place_text(fold_.span));
    program_.graph.set_stream(Key{}.fold(outer_.room().path).fold("fold read"));
    std::vector<const Equation*> computed;
    for (const Equation& e : fold_.read) {
      const Var v = room_.tensors.at(e.name);
      if (has_levels(e, v)) continue;
      const auto direct = std::find_if(bridge_.sequences.begin(), bridge_.sequences.end(),
                                       [&](const auto& s) { return s.second.id() == v.id(); });
      if (direct != bridge_.sequences.end()) {
        outer_.room().tensors[e.name] = with_time_last(direct->first, 1);
        continue;
      }
      computed.push_back(&e);
      read_->results.push_back(v);
    }
    if (!computed.empty()) apply(computed);
  }

 private:
  std::shared_ptr<Graph> new_graph() const {
    return std::make_shared<Graph>(outer_.graph().keeps_gradients() ? Graph::Gradients::yes : Graph::Gradients::no);
  }

  // A name with the levels is for the others of `read`; `out` sees what varies with time alone.
  bool has_levels(const Equation& e, const Var& v) {
    const Dims dims = dims_of(v);
    if (std::all_of(dims.begin(), dims.end(), [](const Dim& d) { return d.known(); })) return false;
    const bool used = std::any_of(fold_.read.begin(), fold_.read.end(), [&](const Equation& other) {
      const auto names = names_in(*other.value);
      return std::find(names.begin(), names.end(), e.name) != names.end();
    });
    const std::string cure = fmt::format("sum over them, as in `sum({}, dim=L)`", expr_text(*e.value));
    outer_.room().hints[e.name] = "it has the levels, and is seen in `read` alone: " + cure;
    if (used) return true;
    program_.diagnostics
        .error("E0323", e.value->span, fmt::format("`{}` still has the levels: it is {}", e.name, text(dims)))
        .help(cure);
    throw Failed{};
  }

  // What a fold adds to the names of the def.
  std::optional<Term> known(const Expr& e) {
    if (e.kind == Expr::Kind::name && !room_.tensors.contains(e.name)) {
      if (e.name == "present") return present();
      if (const FoldTree::Value* v = tree_.find(e.name)) return view(*v);
    }
    if (e.kind != Expr::Kind::call) return {};
    for (const char* side : {"left", "right"}) {
      if (e.name != side) continue;
      program_.diagnostics.error("E0206", e.span, fmt::format("`{}` stands in `merge` alone", side))
          .help("in `read` a node value is there by level: sum over `L`, or write `prefix(..)`");
      throw Failed{};
    }
    if (const auto name = node_call(builder_, e, "prefix", tree_)) {
      const FoldTree::Value& v = *tree_.find(*name);
      Var& entry = prefixes_[v.name];
      return entry ? entry : entry = bridge_.enter("prefix", v.prefix, with_batch(v.dims, true));
    }
    if (const FoldSum sum = level_sum(outer_, tree_, room_, e); sum.sum) {
      return bridge_.enter("sum", sum.sum, sum.entry);
    }
    return {};
  }

  Var present() {
    if (!present_) present_ = read_->input("present", with_batch({Dim::symbol("L")}, true));
    return present_;
  }
  Var view(const FoldTree::Value& v) {
    Var& view = views_[v.name];
    return view ? view : view = read_->input(v.name, with_batch(by_level(v.dims), true), Kind::real, true);
  }

  void equation(const Equation& e) {
    const std::size_t first = read_->nodes().size();
    try {
      const Term t = builder_.value(e);
      const Var* v = std::get_if<Var>(&t);
      if (!v) room_.numbers[e.name] = std::get<Value>(t);
      require_rows(builder_, first, e);
      room_.tensors[e.name] = v ? *v : builder_.tensor(*e.value);
    } catch (const Failed&) {
      room_.failed.insert(e.name);
    }
  }

  void apply(const std::vector<const Equation*>& computed) {
    for (std::size_t r = 0; r < computed.size(); ++r) {
      Var& y = read_->results[r];
      const Dims dims = dims_of(y);
      if (!has_batch(y)) y = append(*read_, "expand", {y}, {{"shape", with_batch(dims, true)}})[0];
    }
    present();  // always an input: it tells the op how many levels there are
    std::vector<Var> inputs = {tree_.count};
    for (const FoldTree::Value& v : tree_.values) {
      if (!views_.contains(v.name)) continue;
      inputs.push_back(v.table);
      read_->inputs.push_back(views_[v.name]);
    }
    read_->inputs.push_back(present_);
    const i64 values = std::ssize(inputs) - 1;
    for (const auto& [outside, inside] : bridge_.sequences) {
      if (!is_read(inside)) continue;
      inputs.push_back(outside);
      read_->inputs.push_back(inside);
    }
    const i64 sequences = std::ssize(inputs) - 1 - values;
    for (const auto& [outside, inside] : bridge_.constants) {
      inputs.push_back(outside);
      read_->inputs.push_back(inside);
    }
    if (std::ssize(inputs) == 1 || values + sequences == 0) {
      program_.diagnostics.error("E0308", computed[0]->value->span, "nothing in this read varies with time")
          .help("read a node value");
      throw Failed{};
    }
    check_levels(computed);
    if (read_->keeps_gradients()) read_->differentiate();
    const auto made = append(program_.graph, "fold_read", inputs,
                             {{"read", std::shared_ptr<const Graph>(read_)},
                              {"values", values},
                              {"sequences", sequences},
                              {"length", Dim::symbol("T")}});
    for (std::size_t r = 0; r < computed.size(); ++r) {
      outer_.room().tensors[computed[r]->name] = with_time_last(made[r], 1);
    }
  }

  bool is_read(const Var& v) const {
    const auto& nodes = read_->nodes();
    return std::any_of(nodes.begin(), nodes.end(), [&](const Node& n) {
      return std::find(n.inputs.begin(), n.inputs.end(), v.id()) != n.inputs.end();
    });
  }

  // The length decides how many levels there are, and a text that goes on must not change what was read before: the
  // same two levels, alone and among five, on random numbers.
  void check_levels(const std::vector<const Equation*>& computed) {
    if (!program_.confirmed.insert(identity()).second) return;
    double numbers = 0;
    for (const Var& v : read_->inputs)
      numbers += static_cast<double>(element_count(bind(v.dims(), {{"B", 1}, {"L", 5}})));
    if (numbers > 1 << 23) return;  // 64 MB of doubles; the levels do not depend on the sizes
    const Runtime runtime({.products = "loops", .parallel = "serial", .threads = 0});
    for (const double low : {-1.0, 0.1}) {  // nodes below 0, and above: the largest and the least of them are seen
      for (const bool training : {false, true}) {
        const auto few = read_with(runtime, 2, low, training), many = read_with(runtime, 5, low, training);
        for (std::size_t r = 0; r < few.size(); ++r) {
          if (!same(few[r], many[r])) depends_on_levels(*computed[r]);
        }
      }
    }
  }

  // A def that is called again, as in a repeat, is checked once.
  std::string identity() const {
    std::string all = place_text(fold_.span);
    for (const Var& v : read_->inputs) all += text(v.dims());
    for (const Node& n : read_->nodes()) all += fmt::format(" {}({})", n.op->name, fmt::join(n.inputs, ","));
    return all;
  }

  [[noreturn]] void depends_on_levels(const Equation& e) {
    program_.diagnostics.error("E0323", e.value->span, fmt::format("`{}` depends on how many levels there are", e.name))
        .note("levels that no node has reached yet hold zeros, and a longer text has more of them")
        .help("weigh them by `present`: `sum(present * .., dim=L)`, `softmax(.., dim=L, mask=present)`");
    throw Failed{};
  }

  std::vector<Tensor> read_with(const Runtime& runtime, i64 levels, double low, bool training) const {
    Run::Feeds feeds;
    const Bindings sizes = {{"B", 1}, {"L", 2}}, all = {{"B", 1}, {"L", levels}};
    for (std::size_t i = 0; i < read_->inputs.size(); ++i) {
      const Var& v = read_->inputs[i];
      const bool leveled = v.dims().size() > 1 && v.dims()[1].is("L");
      Tensor two = v.id() == present_.id() ? Tensor::full({1, 2}, 1, DType::f64)
                   : leveled               ? drawn(v, sizes, i, low, low + 0.9)
                                           : drawn(v, sizes, i);
      if (leveled) {
        const auto some = two.values<double>();
        std::vector<double> values(some.begin(), some.end());
        values.resize(static_cast<std::size_t>(element_count(bind(v.dims(), all))));
        two = Tensor::from(values, bind(v.dims(), all), DType::f64);
      }
      feeds.emplace_back(v, two);
    }
    RunSettings settings;
    settings.key = Key{1};
    settings.training = training;
    return Run(*read_, read_->results)(runtime, DType::f64, feeds, settings);
  }

  Builder& outer_;
  const Fold& fold_;
  const FoldTree& tree_;
  Program& program_;
  std::shared_ptr<Graph> read_;
  Room room_;
  InnerBridge bridge_;
  Builder builder_;
  Var present_;
  std::map<std::string, Var> views_, prefixes_;
};

}  // namespace

void read_fold(Builder& builder, const Fold& fold, const FoldTree& tree) { Reading(builder, fold, tree).run(); }

}  // namespace weft::dsl
