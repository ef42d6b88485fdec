#include "dsl/shadow.h"

namespace weft::dsl {

Shadow::Shadow(Builder& model, Mode mode) : program(mode, diagnostics), room(model.room()) {
  program.vocab = model.program().vocab, program.classes = model.program().classes;
  program.load = model.program().load;
  program.open = model.program().open;
  program.causal = model.program().causal;
  room.failed.clear();
  std::vector<std::string> names;
  for (const auto& [name, v] : room.tensors) names.push_back(name);
  for (const auto& [name, make] : room.weights) names.push_back(name);
  room.tensors.clear();
  for (const std::string& name : names) {
    room.weights[name] = [this, name, &model] {
      Expr e;
      e.kind = Expr::Kind::name;
      e.name = name;
      const Var v = model.tensor(e);
      const Kind kind = model.graph().value(v.id()).kind;
      const bool learns = trains(program.mode) && kind == Kind::real;
      return inputs[name] = program.graph.input(name, v.dims(), kind, learns);
    };
  }
}

std::vector<Var> Shadow::reads(const std::vector<Equation>& read) const {
  std::vector<Var> all;
  for (const Equation& e : read) {
    if (const auto found = room.tensors.find(e.name); found != room.tensors.end()) all.push_back(found->second);
  }
  return all;
}

std::string identity(Builder& builder, const Recurrence& r) {
  std::string all = place_text(r.span);
  for (const StateDef& s : r.states) all += text(bind(state_dims(builder, s), {}));
  for (const auto* equations : {&r.step, &r.read}) {
    for (const Equation& e : *equations) all += e.name + ":" + expr_text(*e.value) + ";";
  }
  return all;
}

}  // namespace weft::dsl
