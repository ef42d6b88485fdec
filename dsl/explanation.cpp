// The forms of a recurrence and the parts of a fold with what each takes, from the same lowering and the same cost rows
// as the model's own.
#include "dsl/explanation.h"

#include <fmt/format.h>

#include <algorithm>

#include "dsl/fold.h"
#include "dsl/shadow.h"
#include "dsl/terms.h"
#include "engine/run.h"

namespace weft::dsl {
namespace {

// A value that only has other names than the one it was made from is no memory of its own.
i32 unnamed(const Graph& graph, i32 id) {
  while (graph.value(id).node >= 0) {
    const Node& node = graph.node(graph.value(id).node);
    if (node.op->name != "reshape") break;
    id = node.inputs[0];
  }
  return id;
}

// A fold, or one form of a recurrence, as a graph of its own with its gradients.
class Alone {
 public:
  /// `lower` builds what computes `read`.
  Alone(Builder& model, const std::vector<Equation>& read, const std::function<void(Builder&)>& lower)
      : shadow_(model, Mode::train) {
    lower(shadow_.builder);
    Graph& g = shadow_.program.graph;
    reads_ = shadow_.reads(read);
    for (const Var& y : reads_) cotangents_.push_back(g.input("cotangent", y.dims()));
    std::vector<Var> wrt;
    for (const auto& [name, v] : shadow_.inputs) wrt.push_back(v);
    for (const WeightSlot& w : shadow_.program.weights) wrt.push_back(w.var);
    for (const Var& d : g.backward(reads_, cotangents_, wrt)) {
      if (d) gradients_.push_back(d);
    }
  }

  FormCost cost(i64 length, DType dtype) const {
    const Graph& g = shadow_.program.graph;
    const Bindings sizes = sizes_of(length);
    return {Run(g, reads_).flops(sizes), kept(sizes, dtype)};
  }
  /// Of one op in all of it.
  double flops(const std::string& op, i64 length) const {
    const Graph& g = shadow_.program.graph;
    const Run run(g, reads_);
    double sum = 0;
    for (const i32 n : run.order()) sum += g.node(n).op->name == op ? run.flops(g.node(n), sizes_of(length)) : 0;
    return sum;
  }
  /// Those of `names` that it has, in the order in which they run.
  std::vector<std::string> ops(const std::set<std::string>& names) const {
    std::vector<std::string> all;
    for (const Node& n : shadow_.program.graph.nodes()) {
      if (names.contains(n.op->name) && std::find(all.begin(), all.end(), n.op->name) == all.end())
        all.emplace_back(n.op->name);
    }
    return all;
  }

 private:
  static Bindings sizes_of(i64 length) { return {{"B", 1}, {"T", length}}; }
  // What there is one of at every position, or that forward made, and backward reads.
  double kept(const Bindings& sizes, DType dtype) const {
    const Graph& g = shadow_.program.graph;
    std::set<i32> read;
    const Run backward(g, gradients_);
    for (const i32 n : backward.order()) {
      if (g.node(n).phase == Phase::forward) continue;
      for (const i32 id : g.node(n).inputs) {
        if (id >= 0 && !g.value(id).derivative) read.insert(unnamed(g, id));
      }
    }
    for (const Var& c : cotangents_) read.erase(c.id());
    double bytes = 0;
    for (const i32 id : read) {
      const Dims& dims = g.value(id).dims;
      const bool varies = std::any_of(dims.begin(), dims.end(), [](const Dim& d) { return !d.known(); });
      if (varies) bytes += static_cast<double>(byte_count(weft::bind(dims, sizes), dtype));
    }
    return bytes;
  }

  Shadow shadow_;
  std::vector<Var> reads_, cotangents_, gradients_;
};

// A form of a recurrence, and the parts that were found for it.
struct AloneForm {
  std::vector<PartReport> parts;
  Alone alone;
  AloneForm(Builder& model, const Recurrence& r, const std::vector<StateForm>& forms, const std::string& form)
      : alone(model, r.read, [&](Builder& b) {
          if (form == "scan") lower_scan(b, r);
          else parts = lower_linear(b, r, forms, form);
        }) {}
};

// The chunk that `auto` takes: the one whose cost is that of the chunkwise form.
i64 chunk_taken(Builder& builder, Recurrence r, const std::vector<StateForm>& forms, const FormReport& chunkwise) {
  if (const i64 written = chunk_of(builder, r)) return written;
  constexpr i64 kLength = 1 << 12;
  const double cost = chunkwise.cost(kLength, DType::f32).flops;
  for (i64 chunk = 1; chunk < kLength; chunk *= 2) {
    r.chunk = number_of(static_cast<double>(chunk), *r.step.at(0).value);
    if (AloneForm(builder, r, forms, "chunkwise").alone.cost(kLength, DType::f32).flops == cost) return chunk;
  }
  return 0;
}

void add_forms(Builder& builder, Recurrence r, const std::vector<StateForm>& forms,
               const std::optional<NotDerivable>& why, RecurrenceReport& report) {
  r.forms.clear();  // each is tried for itself
  for (const char* name : {"scan", "recurrent", "chunkwise", "parallel"}) {
    FormReport form{name, {}, {}};
    const bool loop = form.name == "scan" || (form.name == "recurrent" && why);
    try {
      if (why && !loop) throw *why;
      const auto one = std::make_shared<const AloneForm>(builder, r, forms, loop ? "scan" : name);
      form.cost = [one](i64 length, DType dtype) { return one->alone.cost(length, dtype); };
      if (report.ops.empty() && loop == why.has_value())
        report.ops = one->alone.ops({"linrec", "affine_scan", "scan"}), report.parts = one->parts;
    } catch (const NotDerivable& n) {
      form.hinder = Reason{n.reason, n.where};
    }
    report.forms.push_back(std::move(form));
  }
}

}  // namespace

void explain(Builder& builder, const Recurrence& r, const std::vector<StateForm>& forms,
             const std::optional<NotDerivable>& why, const std::vector<GradientReport>& gradients) {
  Program& program = builder.program();
  const std::string path = builder.room().path, id = identity(builder, r);
  for (RecurrenceReport& known : program.recurrences) {
    if (known.identity == id) return known.paths.push_back(path);
  }
  RecurrenceReport report;
  report.def = program.open.empty() ? "" : program.open.back()->name;
  report.identity = id;
  report.paths = {path};
  report.where = r.span;
  report.gradients = gradients;
  report.taken = why ? "scan" : form_of(builder, r);
  for (const StateForm& f : forms) {
    const std::string update = f.update ? expr_text(*f.update->value) : "";
    report.states.push_back(
        {f.state->name, std::string(name(f.kind)), update, state_dims(builder, *f.state), {f.reason, f.where}});
  }
  add_forms(builder, r, forms, why, report);
  const bool chunks = std::find(report.ops.begin(), report.ops.end(), "linrec") != report.ops.end();
  report.chunk_written = r.chunk != nullptr;
  if (chunks) report.chunk = chunk_taken(builder, r, forms, report.forms[2]);
  program.recurrences.push_back(std::move(report));
}

void explain(Builder& builder, const Fold& fold, const FoldTree& tree) {
  Program& program = builder.program();
  FoldReport report;
  report.identity = place_text(fold.span);
  const auto written = [&](const Equation& e) {
    std::string all = expr_text(*e.value);
    const Diagnostics before = program.diagnostics;
    try {
      all = expr_text(*chosen(e.value, builder));
    } catch (const Failed&) {  // a choice by a number of the merge's own stays as it is written
      program.diagnostics = before;
    }
    report.identity += e.name + ":" + all + ";";
    return all;
  };
  for (std::size_t i = 0; i < fold.leaf.size(); ++i) {
    const FoldTree::Value& v = tree.values[i];
    report.values.push_back({v.name, written(fold.leaf[i]), v.dims});
    report.identity += text(bind(v.dims, {}));
  }
  for (const Equation& e : fold.merge) report.merge.emplace_back(e.name, written(e));
  for (const Equation& e : fold.read) report.read.emplace_back(e.name, written(e));
  const std::string path = builder.room().path;
  for (FoldReport& known : program.folds) {
    if (known.identity == report.identity) return known.paths.push_back(path);
  }
  report.def = program.open.empty() ? "" : program.open.back()->name;
  report.paths = {path};
  report.where = fold.span;
  report.prefixes = bool(tree.values[0].prefix);
  const auto alone = std::make_shared<const Alone>(builder, fold.read, [&](Builder& b) { lower_fold(b, fold); });
  for (const std::string& op : alone->ops({"fold", "fold_sum", "fold_read"}))
    report.parts.push_back({op, [alone, op](i64 length) { return alone->flops(op, length); }});
  report.kept = [alone](i64 length, DType dtype) { return alone->cost(length, dtype).kept; };
  program.folds.push_back(std::move(report));
}

}  // namespace weft::dsl
