#include "dsl/recurrence.h"

#include <fmt/format.h>

#include <algorithm>

namespace weft::dsl {
namespace {

// A form that was demanded and does not exist is an error at the demand.
void require_forms(Builder& builder, const Recurrence& r, const NotDerivable& why) {
  const auto hindered = [&](const std::string& form) {
    return form != "auto" && form != "recurrent" && (why.form.empty() || why.form == form);
  };
  const auto report = [&](const Span& at, const std::string& form) {
    builder.program()
        .diagnostics.error("E0316", at, fmt::format("the {} form cannot be derived here", form))
        .note(why.reason, why.where)
        .help("leave `forms` out: the sequential loop is always there");
    throw Failed{};
  };
  for (const Form& f : r.forms) {
    if (hindered(f.name)) report(f.span, f.name);
  }
  const std::string& all = builder.program().form;
  if (hindered(all)) report(r.span, all + " (`train.form`)");
}

// A state whose start and end the caller sees.
Var named_start(Builder& builder, const std::string& name, const Dims& dims, const Var& learned, double value) {
  Program& program = builder.program();
  const Dims full = with_batch(dims, true);
  NamedState s{name, dims, {}, {}, !learned || program.given_states.contains(name), value};
  s.start = s.is_input ? program.graph.input("initial." + name, full, Kind::real, true)
                       : append(program.graph, "expand", {learned}, {{"shape", full}})[0];
  program.named_states.push_back(s);
  return s.start;
}

bool all_finals_kept(Builder& builder, const Recurrence& r) {
  if (!builder.program().names_states) return true;
  return std::all_of(r.states.begin(), r.states.end(), [&](const StateDef& s) {
    const NamedState* named = builder.program().named_state(builder.room().below(s.name));
    return named && named->final;
  });
}

// Builds it for all positions at once, or says why not.
std::optional<NotDerivable> derive(Builder& builder, const Recurrence& r, const std::vector<StateForm>& forms) {
  const auto hindered = std::find_if(forms.begin(), forms.end(), [](const StateForm& f) { return !f.derivable(); });
  if (hindered != forms.end())
    return NotDerivable{fmt::format("{} ({})", hindered->reason, name(hindered->kind)), hindered->where};
  // What fails on the way is tried again by the sequential loop, which reports what is really wrong.
  Program& program = builder.program();
  const Diagnostics before = program.diagnostics;
  const std::size_t states = program.states.size(), named = program.named_states.size();
  const auto tensors = builder.room().tensors;
  NotDerivable why;
  try {
    lower_linear(builder, r, forms, form_of(builder, r));
    if (all_finals_kept(builder, r)) {
      confirm_linear(builder, r, forms);
      return {};
    }
    why = {"a state that nothing reads is computed by the loop alone", r.span};
  } catch (const NotDerivable& n) {
    why = n;
  } catch (const Failed&) {
    why = {"its parts cannot be computed for all positions at once", r.span};
  }
  program.diagnostics = before;
  program.states.resize(states);
  program.named_states.resize(named);
  builder.room().tensors = tensors;
  return why;
}

}  // namespace

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

std::string form_of(Builder& builder, const Recurrence& r) {
  const Program& program = builder.program();
  if (program.proof) return program.proof->form;
  if (program.mode == Mode::stream) return "auto";  // `train.form` is about training
  const std::string& all = program.form;
  return all == "auto" && r.forms.size() == 1 ? r.forms[0].name : all;
}

Dims state_dims(Builder& builder, const StateDef& state) {
  const Dims dims = builder.shape(state.shape);
  for (const Dim& d : dims) {
    if (d.known()) continue;
    builder.program()
        .diagnostics.error("E0304", state.shape_span, fmt::format("the state `{}` grows with time", state.name))
        .help("a state has one size at every position: leave T out of its shape");
    throw Failed{};
  }
  return dims;
}

Var initial_state(Builder& builder, const StateDef& state, const Dims& dims) {
  Program& program = builder.program();
  const std::string name = builder.room().below(state.name);
  if (const NamedState* known = program.named_state(name)) return known->start;
  const auto init =
      state.init ? Initialiser::parse(*state.init, builder.room().numbers, program.diagnostics) : Initialiser{};
  if (!init) throw Failed{};
  Var learned;
  if (state.learned) {
    learned = program.weight(name + ".init", dims, false, *init);
    if (builder.bridge()) learned = builder.bridge()->bring(learned);
  } else if (init->kind != Initialiser::Kind::constant) {
    program.diagnostics.error("E0206", state.init->span, "a state that is not learned starts from one number")
        .help("`learned: true` makes it a weight");
    throw Failed{};
  }
  if (program.names_states) return named_start(builder, name, dims, learned, init->value);
  if (learned || init->value == 0) return learned;
  return append(builder.graph(), "expand", {builder.constant(init->value)}, {{"shape", dims}})[0];
}

void keep_final(Builder& builder, const StateDef& state, const Var& final) {
  NamedState* s = builder.program().named_state(builder.room().below(state.name));
  if (s && !s->final) s->final = renamed(final, s->dims);
}

i64 chunk_of(Builder& builder, const Recurrence& recurrence) {
  if (const auto& proof = builder.program().proof; proof && proof->chunk) return proof->chunk;
  if (!recurrence.chunk) return 0;
  const auto chunk = evaluate_whole(*recurrence.chunk, builder.room().numbers, builder.program().diagnostics);
  if (!chunk) throw Failed{};
  return *chunk;
}

void lower_recurrence(Builder& builder, const Recurrence& written) {
  Recurrence r = written;  // with every choice between expressions made
  for (auto* equations : {&r.step, &r.read}) {
    for (Equation& e : *equations) e.value = chosen(e.value, builder);
  }
  const auto gradients = derive_gradients(builder, r);
  const auto forms = classify(r);
  const auto& proof = builder.program().proof;
  if (proof && proof->watch) proof->watch(builder, r, forms);
  if (proof && proof->form == "loop") return lower_scan(builder, r);
  const auto why = derive(builder, r, forms);
  if (why) {
    lower_scan(builder, r);  // what is wrong in the equations themselves comes first
    if (proof) builder.program().underived.push_back({r.span, why->reason, why->where});
    else require_forms(builder, r, *why);
  }
  if (builder.program().explains) explain(builder, r, forms, why, gradients);
}

}  // namespace weft::dsl
