#include "dsl/recurrence.h"

#include <fmt/format.h>

#include <algorithm>

namespace weft::dsl {
namespace {

// A form that was demanded and does not exist is an error at the demand.
void require_forms(Builder& builder, const Recurrence& r, const NotDerivable& why) {
  const auto report = [&](const Span& at, const std::string& form) {
    builder.program().diagnostics.error("E0316", at, fmt::format("the {} form cannot be derived here", form))
        .note(why.reason, why.where)
        .help("leave `forms` out: the sequential loop is always there");
    throw Failed{};
  };
  for (const Form& f : r.forms) {
    if (f.name != "auto" && f.name != "recurrent") report(f.span, f.name);
  }
  const std::string& all = builder.program().form;
  if (all != "auto" && all != "recurrent") report(r.span, all + " (`train.form`)");
}

// The expression with each `a if c else b` replaced by what the params choose.
ExprPtr chosen(const ExprPtr& e, Builder& builder) {
  if (e->kind == Expr::Kind::conditional) {
    const auto first = evaluate_bool(*e->args[0], builder.room().numbers, builder.program().diagnostics);
    if (!first) throw Failed{};
    return chosen(e->args[*first ? 1 : 2], builder);
  }
  auto copy = std::make_shared<Expr>(*e);
  for (ExprPtr& arg : copy->args) arg = chosen(arg, builder);
  for (NamedArg& arg : copy->named) arg.value = chosen(arg.value, builder);
  return copy;
}

}  // namespace

Dims state_dims(Builder& builder, const StateDef& state) {
  const Dims dims = builder.shape(state.shape);
  for (const Dim& d : dims) {
    if (d.known()) continue;
    builder.program().diagnostics.error("E0304", state.shape_span, fmt::format("the state `{}` grows with time", state.name))
        .help("a state has one size at every position: leave T out of its shape");
    throw Failed{};
  }
  return dims;
}

Var initial_state(Builder& builder, const StateDef& state, const Dims& dims) {
  Program& program = builder.program();
  const auto init = state.init ? Initialiser::parse(*state.init, builder.room().numbers, program.diagnostics) : Initialiser{};
  if (!init) throw Failed{};
  if (state.learned) {
    const Var w = program.weight(builder.room().path + "." + state.name + ".init", dims, false, *init);
    return builder.bridge() ? builder.bridge()->bring(w) : w;
  }
  if (init->kind != Initialiser::Kind::constant) {
    program.diagnostics.error("E0206", state.init->span, "a state that is not learned starts from one number")
        .help("`learned: true` makes it a weight");
    throw Failed{};
  }
  if (init->value == 0) return {};
  return append(builder.graph(), "expand", {builder.constant(init->value)}, {{"shape", dims}})[0];
}

i64 chunk_of(Builder& builder, const Recurrence& recurrence) {
  if (!recurrence.chunk) return 0;
  const auto chunk = evaluate_whole(*recurrence.chunk, builder.room().numbers, builder.program().diagnostics);
  if (!chunk) throw Failed{};
  return *chunk;
}

void lower_recurrence(Builder& builder, const Recurrence& written) {
  Program& program = builder.program();
  Recurrence r = written;  // with every choice between expressions made
  for (auto* equations : {&r.step, &r.read}) {
    for (Equation& e : *equations) e.value = chosen(e.value, builder);
  }
  const auto forms = classify(r);
  const auto hindered = std::find_if(forms.begin(), forms.end(), [](const StateForm& f) { return !f.derivable(); });
  NotDerivable why;
  if (hindered == forms.end()) {
    // What fails on the way is tried again by the sequential loop, which reports what is really wrong.
    const Diagnostics before = program.diagnostics;
    const std::size_t states = program.states.size();
    const auto tensors = builder.room().tensors;
    try {
      std::string form = program.form;
      if (form == "auto" && r.forms.size() == 1) form = r.forms[0].name;
      lower_linear(builder, r, forms, program.mode == Mode::stream ? "auto" : form);
      return confirm_linear(builder, r, forms);
    } catch (const NotDerivable& n) {
      why = n;
    } catch (const Failed&) {
      why = {"its parts cannot be computed for all positions at once", r.span};
    }
    program.diagnostics = before;
    program.states.resize(states);
    builder.room().tensors = tensors;
  } else {
    why = {fmt::format("{} ({})", hindered->reason, name(hindered->kind)), hindered->where};
  }
  require_forms(builder, r, why);
  lower_scan(builder, r);
}

}  // namespace weft::dsl
