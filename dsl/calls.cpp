// Calls in equations: arguments of ops and of defs.
//
// Required inputs come first, by position; then attributes in their declared order, or by name; optional inputs by
// name only.
#include <fmt/format.h>

#include <algorithm>

#include "dsl/define.h"
#include "ops/table.h"

namespace weft::dsl {
namespace {

std::vector<std::string> argument_names(const Op& op) {
  std::vector<std::string> names;
  for (const Input& i : op.inputs) names.emplace_back(i.name);
  for (const AttributeInfo& a : op.attributes) names.push_back(a.name);
  return names;
}

// "rms_norm(x, eps=1e-06; gain)": what can be given, for messages.
std::string signature(const Op& op) {
  std::string s, optional;
  for (const Input& i : op.inputs) {
    std::string& to = i.is(Input::optional) ? optional : s;
    to += (to.empty() ? "" : ", ") + std::string(i.name);
  }
  if (op.variadic) s += ", ...";
  for (const AttributeInfo& a : op.attributes) s += (s.empty() ? "" : ", ") + a.name + "=" + text(a.standard);
  return fmt::format("{}({}{}{})", op.name, s, optional.empty() ? "" : "; by name: ", optional);
}

// What is called in one place only.
const std::map<std::string_view, const char*> kPlaces = {{"anneal", "the attribute of an op, and in params"},
                                                         {"left", "the `merge` of a fold"},
                                                         {"right", "the `merge` of a fold"},
                                                         {"prefix", "the `read` of a fold"},
                                                         {"prev", "the `step` of a recurrence"}};

bool has_graph(const Op& op) {
  return std::any_of(op.attributes.begin(), op.attributes.end(),
                     [](const AttributeInfo& a) { return a.type == AttributeInfo::Type::graph; });
}

[[noreturn]] void refuse(Diagnostics& diagnostics, const Op& op, const Span& span, const std::string& message,
                         const std::string& help = {}) {
  diagnostics.error("E0206", span, message).note(signature(op)).help(help);
  throw Failed{};
}

// The arguments of a call at the places they are meant for; null where none is given.
struct Slots {
  std::vector<const Expr*> inputs, attributes;
  std::vector<const Expr*> more;  // of a variadic op
};

Slots slots_of(const Op& op, const Expr& call, Diagnostics& diagnostics) {
  Slots s{std::vector<const Expr*>(op.inputs.size()), std::vector<const Expr*>(op.attributes.size()), {}};
  std::size_t next_input = 0, next_attribute = 0, taken = 0;
  for (const ExprPtr& arg : call.args) {
    while (next_input < s.inputs.size() && op.inputs[next_input].is(Input::optional)) ++next_input;
    if (next_input < s.inputs.size()) s.inputs[next_input++] = arg.get();
    else if (op.variadic) s.more.push_back(arg.get());
    else if (next_attribute < s.attributes.size()) s.attributes[next_attribute++] = arg.get();
    else refuse(diagnostics, op, arg->span, fmt::format("`{}` takes at most {} arguments by position", op.name, taken));
    ++taken;
  }
  for (const NamedArg& arg : call.named) {
    const Expr** place = nullptr;
    for (std::size_t i = 0; i < s.inputs.size(); ++i) {
      if (arg.name == op.inputs[i].name) place = &s.inputs[i];
    }
    for (std::size_t i = 0; i < s.attributes.size(); ++i) {
      if (arg.name == op.attributes[i].name) place = &s.attributes[i];
    }
    if (!place) {
      refuse(diagnostics, op, arg.span, fmt::format("`{}` has no argument `{}`", op.name, arg.name),
             guess_text(arg.name, argument_names(op)));
    }
    if (*place) refuse(diagnostics, op, arg.span, fmt::format("`{}` is given twice", arg.name));
    *place = arg.value.get();
  }
  return s;
}

}  // namespace

Term Builder::call(const Expr& expr) {
  const Op* op = ops::find(expr.name);
  if (op && has_graph(*op)) op = nullptr;
  const FoundDef own = find_def(*room_.module, expr.name, false);
  // A layer that is called like its op means the op: `rms_norm: {..., out: "rms_norm(x, gain=gain)"}`.
  const bool inside = own && std::find(program_.open.begin(), program_.open.end(), own.def) != program_.open.end();
  if (own && !(inside && op)) return call_def(own, expr);
  if (op) return call_op(*op, expr);
  if (const FoundDef def = find_def(*room_.module, expr.name, true)) return call_def(def, expr);
  if (from_lost_import(*room_.module, expr.name)) throw Failed{};
  if (expr.name == "grad")
    fail("E0321", expr.span, "`grad` stands outside the step of a recurrence",
         "assign it to a name in `step`, and read that");
  std::vector<std::string> names;
  for (const Op* row : ops::table()) {
    if (!has_graph(*row)) names.push_back(row->name);
  }
  for (const Def& def : room_.module->file.defs) names.push_back(def.name);
  const std::string last = expr.name.substr(expr.name.rfind('.') + 1);  // of torch.tanh
  const auto place = kPlaces.find(expr.name);
  fail("E0202", expr.at, fmt::format("there is no op or def `{}`", expr.name),
       place != kPlaces.end()                 ? fmt::format("`{}` is known in {} alone", expr.name, place->second)
       : last != expr.name && ops::find(last) ? fmt::format("write `{}`", last)
                                              : guess_text(expr.name, names));
}

Var Builder::call_op(const Op& op, const Expr& expr) {
  const Slots slots = slots_of(op, expr, program_.diagnostics);
  std::vector<std::optional<Operand>> operands;
  bool failed = false;
  const auto put = [&](const Expr& e, int core) {
    try {
      operands.back() = operand(e, core);
    } catch (const Failed&) {  // the errors of the other arguments are told too
      failed = true;
    }
  };
  for (std::size_t i = 0; i < slots.inputs.size(); ++i) {
    if (!slots.inputs[i] && !op.inputs[i].is(Input::optional)) {
      refuse(program_.diagnostics, op, expr.at, fmt::format("`{}` needs its input `{}`", op.name, op.inputs[i].name));
    }
    operands.emplace_back();
    if (slots.inputs[i]) put(*slots.inputs[i], op.inputs[i].core);
  }
  for (const Expr* e : slots.more) {
    operands.emplace_back();
    put(*e, op.inputs.back().core);
  }
  if (failed) throw Failed{};
  const Var first = operands.empty() || !operands[0] ? Var() : operands[0]->var;
  std::vector<AttributeValue> values;
  Anneals annealed;
  for (std::size_t i = 0; i < slots.attributes.size(); ++i) {
    const AttributeInfo& info = op.attributes[i];
    values.push_back(slots.attributes[i] ? attribute(op, i, *slots.attributes[i], first, annealed) : info.standard);
    if (slots.attributes[i] || !info.required) continue;
    const std::string example = first && !dims_of(first).empty() ? dims_of(first).back().text() : "D";
    refuse(program_.diagnostics, op, expr.at, fmt::format("`{}` must be told the dimension", op.name),
           fmt::format("as in `{}(x, dim={})`", op.name, example));
  }
  return apply(op, std::move(operands), std::move(values), expr.at, std::move(annealed))[0];
}

// `rms_norm(x, W)`: the second place is a number's.
void Builder::refuse_tensors(const Op& op, const AttributeInfo& info, const Expr& expr) {
  for (const std::string& name : names_in(expr)) {
    if (!room_.tensors.contains(name) && !room_.weights.contains(name)) continue;
    std::vector<std::string> optional;
    for (const Input& i : op.inputs) {
      if (i.is(Input::optional)) optional.push_back(fmt::format("{}={}", i.name, name));
    }
    program_.diagnostics
        .error("E0206", expr.span,
               fmt::format("`{}` of `{}` is a number, and `{}` is a tensor", info.name, op.name, name))
        .note(signature(op))
        .help(optional.empty() ? "" : "give an optional input by its name: " + listed(optional));
    throw Failed{};
  }
}

// Of an annealed number it is where that ends; the rest goes to `annealed`.
AttributeValue Builder::attribute(const Op& op, std::size_t which, const Expr& expr, const Var& first,
                                  Anneals& annealed) {
  using Type = AttributeInfo::Type;
  const AttributeInfo& info = op.attributes[which];
  if (info.type == Type::boolean || info.type == Type::whole || info.type == Type::real) refuse_tensors(op, info, expr);
  const auto number = [&] {
    const auto value = evaluate(expr, room_.numbers, program_.diagnostics, Division::real);
    if (!value) throw Failed{};
    if (const i64* whole = std::get_if<i64>(&*value)) return static_cast<double>(*whole);
    if (const double* x = std::get_if<double>(&*value)) return *x;
    if (const Anneal* a = std::get_if<Anneal>(&*value)) return annealed.emplace_back(which, *a).second.to;
    fail("E0206", expr.span, fmt::format("`{}` of `{}` is a number, not {}", info.name, op.name, value_kind(*value)));
  };
  switch (info.type) {
    case Type::boolean: {
      const auto value = evaluate_bool(expr, room_.numbers, program_.diagnostics);
      if (!value) throw Failed{};
      return *value;
    }
    case Type::whole: {
      const auto value = evaluate_whole(expr, room_.numbers, program_.diagnostics);
      if (!value) throw Failed{};
      return *value;
    }
    case Type::real: return number();
    case Type::word: return word(info, expr);
    case Type::axis: return axis(expr, first);
    case Type::size: return size(expr);
    case Type::sizes:
    case Type::graph: break;
  }
  fail("E0206", expr.span, fmt::format("`{}` of `{}` cannot be written in an equation", info.name, op.name));
}

// A word of the op, or an index pattern.
std::string Builder::word(const AttributeInfo& info, const Expr& expr) {
  std::string word = expr.name;
  const auto param = room_.numbers.find(expr.name);
  if (expr.kind == Expr::Kind::name && param != room_.numbers.end() && param->second) {
    if (const Word* w = std::get_if<Word>(&*param->second)) word = w->text;
  } else if (expr.kind != Expr::Kind::name && expr.kind != Expr::Kind::text) {
    fail("E0206", expr.span, fmt::format("`{}` is a word, not `{}`", info.name, expr_text(expr)));
  }
  const auto& choices = info.choices;
  if (!choices.empty() && std::find(choices.begin(), choices.end(), word) == choices.end()) {
    fail("E0206", expr.span, fmt::format("`{}` is no choice of `{}`: {}", word, info.name, listed(choices)),
         guess_text(word, choices));
  }
  return word;
}

i64 Builder::axis(const Expr& expr, const Var& first) {
  const Dims dims = first ? dims_of(first) : Dims{};
  const i64 rank = static_cast<i64>(dims.size());
  std::vector<std::string> names;
  std::vector<i64> found;
  for (i64 i = 0; i < rank; ++i) {
    names.push_back(dims[static_cast<std::size_t>(i)].text());
    if (names.back() == expr_text(expr)) found.push_back(i);
  }
  if (found.empty() && arithmetic(expr) && expr.kind != Expr::Kind::name) {
    const auto value = evaluate_whole(expr, room_.numbers, program_.diagnostics);
    if (!value) throw Failed{};
    if (*value >= -rank && *value < rank) return *value < 0 ? *value : *value - rank;
  }
  if (found.size() == 1) return found[0] - rank;  // from the back: the batch in front does not matter
  Diagnostic& d = program_.diagnostics.error(
      "E0207", expr.span,
      found.empty()
          ? fmt::format("there is no dimension `{}` here", expr_text(expr))
          : fmt::format("`{}` stands {} times: a number says which, as in `dim=-1`", expr_text(expr), found.size()));
  d.note(fmt::format("the value is {}", text(dims)));
  if (found.empty()) d.help(guess_text(expr_text(expr), names));
  throw Failed{};
}

std::vector<Var> Builder::apply(const Op& op, std::vector<std::optional<Operand>> operands,
                                std::vector<AttributeValue> attributes, const Span& at, Anneals annealed) {
  bool batched = false;
  std::vector<Operand> present;
  for (const auto& o : operands) {
    if (!o) continue;
    present.push_back(*o);
    batched = batched || has_batch(o->var);
  }
  bool pattern = false;  // an index pattern says itself how its operands meet
  for (AttributeValue& value : attributes) {
    std::string* word = std::get_if<std::string>(&value);
    if (!word || word->find("->") == std::string::npos) continue;
    pattern = true;
    *word = batched_pattern(*word, present, at);
  }
  if (!pattern) align(present, room_.definitions, at, program_.diagnostics);
  std::vector<Var> inputs;
  std::size_t next = 0;
  for (const auto& o : operands) inputs.push_back(o ? present[next++].var : Var());
  try {
    const bool carried = streams(program_.mode) && &graph_ == &program_.graph && !op.states.empty();
    if (carried && !batched) {  // a state belongs to a row of the batch, also where all rows are alike
      inputs[0] = append(graph_, "expand", {inputs[0]}, {{"shape", with_batch(dims_of(inputs[0]), true)}})[0];
    }
    const std::size_t first_state = program_.states.size();
    for (const StateInfo& state : op.states) {
      if (!carried) break;
      inputs.resize(std::max(inputs.size(), state.input + 1));
      std::vector<const Dims*> dims;
      for (const Var& v : inputs) dims.push_back(v ? &v.dims() : nullptr);
      Dims kept = op.state_dims(op, attributes, InputDims(op, dims), state.input, Dim::symbol("P"));
      if (std::none_of(kept.begin(), kept.end(), is_batch)) kept = with_batch(kept, true);
      refuse_growing(op, kept, at);
      inputs[state.input] = program_.state_input(room_.below(op.name), kept, inputs[state.input]);
    }
    const auto outputs = graph_.append(op, attributes, inputs, std::move(annealed));
    for (std::size_t i = 0; carried && i < op.states.size(); ++i) {
      program_.states[first_state + i].out = outputs[op.states[i].output];
    }
    watch_time(op, inputs, attributes, outputs, at);
    return outputs;
  } catch (const Error& e) {
    Diagnostic& d = program_.diagnostics.error("E0208", at, e.what());
    for (const Operand& o : present) d.note(fmt::format("`{}` is {}", o.text, text(dims_of(o.var))), o.span);
    for (std::size_t i = 0; i < std::min(inputs.size(), op.inputs.size()); ++i) {
      if (!inputs[i] || !op.inputs[i].is(Input::index) || graph_.value(inputs[i].id()).kind == Kind::index) continue;
      d.help("`to_index(x)` makes indices of numbers");
    }
    throw Failed{};
  }
}

// What is carried from window to window of a text without end must have one size.
void Builder::refuse_growing(const Op& op, const Dims& state, const Span& at) {
  const bool grows = std::any_of(state.begin(), state.end(), [](const Dim& d) { return !d.known() && !is_batch(d); });
  if (program_.mode != Mode::carry || !grows) return;
  fail("E0322", at, fmt::format("`{}` keeps all positions before, and `train.carry_state` has no end", op.name),
       "leave `carry_state` out, or use a mixer whose state does not grow");
}

Var Builder::call_def(const FoundDef& found, const Expr& expr) {
  DefCall call{found, expr.name, {}, std::vector<std::optional<Operand>>(found.def->in.size()), {}, expr.at};
  const auto& in = found.def->in;
  if (expr.args.size() > in.size()) {
    fail("E0206", expr.args[in.size()]->span, fmt::format("`{}` takes {} inputs by position", expr.name, in.size()),
         "its params are given by name");
  }
  for (std::size_t i = 0; i < expr.args.size(); ++i) call.inputs[i] = operand(*expr.args[i]);
  for (const NamedArg& arg : expr.named) {
    const auto is_input = std::find_if(in.begin(), in.end(), [&](const InputDef& d) { return d.name == arg.name; });
    if (is_input == in.end()) call.args.push_back({arg.name, arg.span, arg.value});
    else call.inputs[static_cast<std::size_t>(is_input - in.begin())] = operand(*arg.value);
  }
  const int count = ++calls_[expr.name];
  call.path = room_.below(equation_ + "." + expr.name + (count > 1 ? fmt::format("#{}", count) : ""));
  const std::string equation = equation_;
  const Var y = instantiate(*this, call);
  equation_ = equation;
  graph_.set_origin(place_text(expr.span));
  graph_.set_stream(Key{}.fold(room_.path).fold(equation_).fold(call.path));
  return y;
}

}  // namespace weft::dsl
