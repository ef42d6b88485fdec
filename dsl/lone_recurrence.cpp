#include "dsl/lone_recurrence.h"

#include <cmath>

namespace weft::dsl {

LoneRecurrence::LoneRecurrence(Builder& model, const Recurrence& r, const std::vector<StateForm>& forms,
                               const std::string& form, i64 chunk, Graph::Gradients gradients)
    : program_(gradients == Graph::Gradients::yes ? Mode::train : Mode::evaluate, diagnostics_) {
  const bool differentiates = gradients == Graph::Gradients::yes;
  program_.vocab = model.program().vocab;
  program_.load = model.program().load;
  program_.open = model.program().open;
  program_.causal = model.program().causal;
  program_.names_states = differentiates;
  program_.proof = Proof{form, chunk};
  Room room = model.room();
  Builder builder{program_, program_.graph, room};
  for (const StateDef& s : r.states) {
    program_.given_states.insert(room.below(s.name));
    states_.push_back(state_dims(builder, s));
  }
  enter(model, room);
  if (form == "loop") lower_scan(builder, r);
  else lower_linear(builder, r, forms, form);
  for (const WeightSlot& w : program_.weights) inputs_.push_back({w.weight.name, w.var});
  for (const Equation& e : r.read) results_.push_back({e.name, room.tensors.at(e.name)});
  for (const NamedState& s : program_.named_states) {
    if (s.is_input) inputs_.push_back({"initial." + s.name, s.start});
    if (s.final) results_.push_back({"final." + s.name, s.final});
  }
  if (differentiates) differentiate();
}

// Fresh inputs for the tensors of the room, made when they are first read.
void LoneRecurrence::enter(Builder& model, Room& room) {
  room.failed.clear();
  std::vector<std::string> names;
  for (const auto& [name, v] : room.tensors) names.push_back(name);
  for (const auto& [name, make] : room.weights) names.push_back(name);
  room.tensors.clear();
  for (const std::string& name : names) {
    room.weights[name] = [this, name, &model] {
      for (const Named& known : inputs_) {
        if (known.name == name) return known.var;
      }
      Expr e;
      e.kind = Expr::Kind::name;
      e.name = name;
      const Var v = model.tensor(e);
      const Kind kind = model.graph().value(v.id()).kind;
      const bool real = kind == Kind::real && program_.mode == Mode::train;
      inputs_.push_back({name, program_.graph.input(name, v.dims(), kind, real)});
      return inputs_.back().var;
    };
  }
}

void LoneRecurrence::differentiate() {
  Graph& g = program_.graph;
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
    const weft::Value& value = program_.graph.value(in.var.id());
    feeds.emplace_back(in.var, draw(in.name, bind(value.dims, sizes), value.kind));
  }
  std::vector<Var> outputs;
  for (const Named& out : results_) outputs.push_back(out.var);
  const auto values = Run(program_.graph, outputs)(runtime, dtype, feeds);
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

std::string identity(Builder& builder, const Recurrence& r) {
  std::string all = place_text(r.span);
  for (const StateDef& s : r.states) all += text(state_dims(builder, s));
  for (const auto* equations : {&r.step, &r.read}) {
    for (const Equation& e : *equations) all += e.name + ":" + expr_text(*e.value) + ";";
  }
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
