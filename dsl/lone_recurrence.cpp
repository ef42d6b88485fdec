#include "dsl/lone_recurrence.h"

#include <cmath>

namespace weft::dsl {

LoneRecurrence::LoneRecurrence(Builder& model, const Recurrence& r, const std::vector<StateForm>& forms,
                               const std::string& form, i64 chunk, Graph::Gradients gradients)
    : shadow_(model, gradients == Graph::Gradients::yes ? Mode::train : Mode::evaluate) {
  const bool differentiates = gradients == Graph::Gradients::yes;
  Program& program = shadow_.program;
  program.names_states = differentiates;
  program.proof = Proof{form, chunk};
  for (const StateDef& s : r.states) {
    program.given_states.insert(shadow_.room.below(s.name));
    states_.push_back(state_dims(shadow_.builder, s));
  }
  if (form == "loop") lower_scan(shadow_.builder, r);
  else lower_linear(shadow_.builder, r, forms, form);
  const bool some_unread = differentiates && program.named_states.size() < r.states.size();
  for (const NamedState& s : program.named_states) {
    if (!s.final || some_unread) throw NotDerivable{"a state that nothing reads is computed by the loop alone", r.span};
  }
  for (const auto& [name, var] : shadow_.inputs) inputs_.push_back({name, var});
  for (const WeightSlot& w : program.weights) inputs_.push_back({w.weight.name, w.var});
  const std::vector<Var> reads = shadow_.reads(r.read);
  for (std::size_t i = 0; i < reads.size(); ++i) results_.push_back({r.read[i].name, reads[i]});
  for (const NamedState& s : program.named_states) {
    if (s.is_input) inputs_.push_back({"initial." + s.name, s.start});
    if (s.final) results_.push_back({"final." + s.name, s.final});
  }
  if (differentiates) differentiate();
}

void LoneRecurrence::differentiate() {
  Graph& g = shadow_.program.graph;
  std::vector<Var> outputs, cotangents, wrt;
  std::vector<std::string> names;
  for (const Named& in : inputs_) {
    if (g.value(in.var.id()).kind != Kind::real) continue;
    names.push_back(in.name);
    wrt.push_back(in.var);
  }
  for (const Named& out : results_) {
    if (!out.var.needs_gradient()) continue;
    outputs.push_back(out.var);
    cotangents.push_back(g.input("cotangent." + out.name, out.var.dims()));
    inputs_.push_back({"cotangent." + out.name, cotangents.back()});
  }
  const auto gradients = g.backward(outputs, cotangents, wrt);
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    if (gradients[i]) results_.push_back({"grad." + names[i], gradients[i]});
  }
}

std::map<std::string, Tensor> LoneRecurrence::run(const Runtime& runtime, DType dtype, i64 rows, i64 length,
                                                  const Draw& draw) const {
  const Bindings sizes = {{"B", rows}, {"T", length}};
  Run::Feeds feeds;
  for (const Named& in : inputs_) {
    const weft::Value& value = shadow_.program.graph.value(in.var.id());
    feeds.emplace_back(in.var, draw(in.name, bind(value.dims, sizes), value.kind));
  }
  std::vector<Var> outputs;
  for (const Named& out : results_) outputs.push_back(out.var);
  const auto values = Run(shadow_.program.graph, outputs)(runtime, dtype, feeds);
  std::map<std::string, Tensor> named;
  for (std::size_t i = 0; i < values.size(); ++i) named[results_[i].name] = values[i];
  return named;
}

double LoneRecurrence::numbers(i64 rows, i64 length) const {
  double all = 0;
  const auto add = [&](const Dims& dims) {
    double count = 1;
    for (const Dim& d : dims) {
      count *= static_cast<double>(d.known() ? d.value() : is_batch(d) ? rows : length);
    }
    all += count;
  };
  for (const Named& in : inputs_) add(in.var.dims());
  for (const Dims& s : states_) add(s);
  return all;
}

double distance(const Tensor& a, const Tensor& b) {
  if (a.size() != b.size()) return HUGE_VAL;
  double worst = 0, size = 1e-30;
  for (i64 i = 0; i < a.size(); ++i) {
    const double x = a.at(i), y = b.at(i);
    if (!std::isfinite(x) || !std::isfinite(y)) {
      if (std::isfinite(x) != std::isfinite(y)) return HUGE_VAL;
      continue;
    }
    worst = std::max(worst, std::abs(x - y));
    size = std::max({size, std::abs(x), std::abs(y)});
  }
  return worst / size;
}

}  // namespace weft::dsl
