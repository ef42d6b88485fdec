// The forms of a recurrence with what each takes, from the same lowering and the same cost rows as the model's own.
#include "dsl/explanation.h"

#include <fmt/format.h>

#include <algorithm>

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

// One form of a recurrence as a graph of its own, with its gradients.
class Alone {
 public:
  Alone(Builder& model, const Recurrence& r, const std::vector<StateForm>& forms, const std::string& form)
      : shadow_(model, Mode::train) {
    if (form == "scan") lower_scan(shadow_.builder, r);
    else parts = lower_linear(shadow_.builder, r, forms, form);
    Graph& g = shadow_.program.graph;
    reads_ = shadow_.reads(r);
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
    const Bindings sizes = {{"B", 1}, {"T", length}};
    return {Run(g, reads_).flops(sizes), kept(sizes, dtype)};
  }
  std::vector<std::string> ops() const {
    std::vector<std::string> all;
    for (const Node& n : shadow_.program.graph.nodes()) {
      const bool runs = n.op->name == "linrec" || n.op->name == "affine_scan" || n.op->name == "scan";
      if (runs && std::find(all.begin(), all.end(), n.op->name) == all.end()) all.emplace_back(n.op->name);
    }
    return all;
  }
  std::vector<PartReport> parts;

 private:
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

// The chunk that `auto` takes: the one whose cost is that of the chunkwise form.
i64 chunk_taken(Builder& builder, Recurrence r, const std::vector<StateForm>& forms, const FormReport& chunkwise) {
  if (const i64 written = chunk_of(builder, r)) return written;
  constexpr i64 kLength = 1 << 12;
  const double cost = chunkwise.cost(kLength, DType::f32).flops;
  for (i64 chunk = 1; chunk < kLength; chunk *= 2) {
    r.chunk = number_of(static_cast<double>(chunk), *r.step.at(0).value);
    if (Alone(builder, r, forms, "chunkwise").cost(kLength, DType::f32).flops == cost) return chunk;
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
      const auto alone = std::make_shared<const Alone>(builder, r, forms, loop ? "scan" : name);
      form.cost = [alone](i64 length, DType dtype) { return alone->cost(length, dtype); };
      if (report.ops.empty() && loop == why.has_value()) report.ops = alone->ops(), report.parts = alone->parts;
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

}  // namespace weft::dsl
