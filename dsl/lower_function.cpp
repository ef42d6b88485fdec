// From a description to a function: the same walk as for training, with named inputs, states and gradients.
#include "dsl/function.h"

#include <fmt/format.h>

#include <algorithm>

#include "dsl/compose.h"
#include "ops/table.h"

namespace weft::dsl {
namespace {

const std::string kInitial = "initial.", kFinal = "final.", kCotangent = "cotangent", kGradient = "grad.";

[[noreturn]] void fail_data(const std::string& message) { throw Error(message, Failure::data); }

// ---- a def alone: what its params and inputs are ----------------------------------------------------------------

// "H=4" as a name and an expression.
Argument argument_of(const std::string& text, Diagnostics& diagnostics) {
  const SourcePtr source = make_source("<-p>", text);
  const std::size_t equals = text.find('=');
  const int end = static_cast<int>(std::min(equals, text.size()));
  if (equals == std::string::npos || equals + 1 == text.size()) {
    diagnostics.error("E0505", {source, 0, end}, "`-p` needs a name and a value").help("write `-p H=4`");
    throw Failed{};
  }
  const ExprPtr value = parse_expression(read_yaml(source, diagnostics, end + 1), diagnostics);
  if (!value) throw Failed{};
  return {text.substr(0, equals), {source, 0, end}, value};
}

bool declares(const Def& def, const std::string& name) {
  return std::any_of(def.params.begin(), def.params.end(), [&](const Param& p) { return p.name == name; });
}

// Whether `input` is used where an op takes indices, itself or by a def that is called.
class TakesIndices {
 public:
  TakesIndices(const Module& module, const std::string& input) : module_(module), input_(input) {}

  bool in(const Def& def) const {
    const auto any = [&](const std::vector<Equation>& list) {
      return std::any_of(list.begin(), list.end(), [&](const Equation& e) { return in(*e.value); });
    };
    return any(def.let) || any(def.out);
  }

 private:
  bool is_input(const Expr& e) const { return e.kind == Expr::Kind::name && e.name == input_; }
  bool in(const Expr& e) const {
    if (e.kind == Expr::Kind::call) {
      const Op* op = ops::find(e.name);
      for (std::size_t i = 0; i < e.args.size(); ++i) {
        if (is_input(*e.args[i]) && op && i < op->inputs.size() && op->inputs[i].is(Input::index)) return true;
        if (is_input(*e.args[i]) && !op && called(e.name, i)) return true;
      }
    }
    return std::any_of(e.args.begin(), e.args.end(), [&](const ExprPtr& a) { return in(*a); });
  }
  bool called(const std::string& name, std::size_t place) const {
    const FoundDef found = find_def(module_, name, true);
    if (!found || place >= found.def->in.size() || depth_ > 20) return false;  // a def that calls itself ends here
    TakesIndices inner(*found.module, found.def->in[place].name);
    inner.depth_ = depth_ + 1;
    return inner.in(*found.def);
  }

  const Module& module_;
  std::string input_;
  int depth_ = 0;
};

}  // namespace

// Params without a default, and sizes of inputs that no tensor tells, come from the params of the file.
std::vector<Argument> Function::arguments(const Def& def, const Room& file, std::map<std::string, i64>& sizes) {
  std::vector<Argument> args;
  for (const std::string& text : asked_.params) {
    const Argument a = argument_of(text, program_.diagnostics);
    if (declares(def, a.name)) {
      args.push_back(a);
    } else if (const auto size = evaluate_whole(*a.value, file.numbers, program_.diagnostics)) {
      sizes[a.name] = *size;
      if (a.name == "vocab") program_.vocab = *size;
    } else {
      throw Failed{};
    }
  }
  for (const Param& p : def.params) {
    const bool given = std::any_of(args.begin(), args.end(), [&](const Argument& a) { return a.name == p.name; });
    const auto found = file.numbers.find(p.name);
    if (p.value || given || found == file.numbers.end() || !found->second) continue;
    auto name = std::make_shared<Expr>();
    name->kind = Expr::Kind::name;
    name->name = p.name;
    name->span = name->at = p.span;
    args.push_back({p.name, p.span, name});
    notes_.push_back(fmt::format("{} = {}, as the params of the file say", p.name, value_text(*found->second)));
  }
  return args;
}

// A batch, then what is declared. What `...` covers ends with time.
Dims Function::input_dims(const InputDef& in, const Room& file, Scope& scope) {
  const auto given = asked_.given.find(in.name);
  const Shape* shape = given == asked_.given.end() ? nullptr : &given->second;
  const bool open = !in.shape.empty() && in.shape[0]->kind == Expr::Kind::rest;
  const std::size_t named = in.shape.size() - (open ? 1 : 0), rank = shape ? shape->size() : 1 + named + (open ? 1 : 0);
  const auto misfit = [&](const std::string& why) {
    fail_data(fmt::format("the input `{}` is {}, and `{}` takes {} behind a batch: {}", in.name, text(*shape),
                          asked_.def, shape_text(in.shape), why));
  };
  if (open ? rank < 1 + named : rank != 1 + named) misfit(fmt::format("that are {} dimensions", 1 + named));
  Dims dims = {Dim::symbol("B")};
  const std::size_t front = rank - 1 - named;
  for (std::size_t i = 0; i < front; ++i) dims.push_back(i + 1 == front ? Dim::symbol("T") : Dim((*shape)[1 + i]));
  for (std::size_t i = 0; i < named; ++i) {
    const Expr& e = *in.shape[i + (open ? 1 : 0)];
    const bool name = e.kind == Expr::Kind::name;
    if (name && e.name == "T") {
      dims.push_back(Dim::symbol("T"));
      continue;
    }
    if (name && !scope.contains(e.name)) {
      const auto known = file.numbers.find(e.name);
      if (shape) {
        scope[e.name] = (*shape)[1 + front + i];
      } else if (known != file.numbers.end() && known->second && std::holds_alternative<i64>(*known->second)) {
        scope[e.name] = *known->second;
        notes_.push_back(fmt::format("{} = {}, as the params of the file say", e.name, value_text(*known->second)));
      } else {
        program_.diagnostics
            .error("E0405", e.span, fmt::format("the size `{}` of the input `{}` is not known", e.name, in.name))
            .help(fmt::format("give it by `-p {}=64`", e.name));
        throw Failed{};
      }
    }
    const auto size = evaluate_whole(e, scope, program_.diagnostics);
    if (!size) throw Failed{};
    if (shape && (*shape)[1 + front + i] != *size) {
      misfit(fmt::format("{} is {}, not {}", expr_text(e), *size, (*shape)[1 + front + i]));
    }
    dims.push_back(*size);
  }
  return dims;
}

void Function::lower_def(const Blueprint& plan) {
  const FoundDef found = find_def(*plan.module, asked_.def, true);
  if (!found) {
    std::vector<std::string> names;
    for (const Module* m : {plan.module, plan.module->prelude}) {
      for (const Def& d : m->file.defs) names.push_back(d.name);
    }
    const std::string guess = guess_text(asked_.def, names);
    throw Error(fmt::format("the description has no def `{}`{}", asked_.def,
                            guess.empty() ? "; there are " + listed(names, "and") : "; " + guess));
  }
  const Def& def = *found.def;
  if (def.broken) throw Failed{};
  program_.causal = asked_.causal;  // alone it predicts nothing
  Room file = file_room(program_, *plan.module, {}, nullptr, def.span);
  if (const auto v = file.numbers.find("vocab"); !program_.vocab && v != file.numbers.end() && v->second) {
    if (const i64* whole = std::get_if<i64>(&*v->second)) program_.vocab = *whole;
  }
  std::map<std::string, i64> sizes;
  const std::vector<Argument> args = arguments(def, file, sizes);
  const Scope known = program_.data_numbers();
  Scope scope = evaluate_params(def.params, args, file.numbers, known, def.span, fmt::format("`{}`", def.name),
                                program_.diagnostics);
  if (program_.diagnostics.has_errors()) throw Failed{};
  for (const auto& [name, size] : sizes) scope[name] = size;

  std::string missing;
  for (const InputDef& in : def.in) {
    if (asked_.with_tensors && !has(in.name))
      missing += fmt::format("\n  missing: {}, {} behind a batch", in.name, shape_text(in.shape));
  }
  for (const auto& [name, shape] : asked_.given) {
    const bool is_input =
        std::any_of(def.in.begin(), def.in.end(), [&](const InputDef& in) { return in.name == name; });
    const bool may_be = is_input || name.starts_with(kInitial) || name.starts_with(kCotangent);
    if (!missing.empty() && !may_be) missing += fmt::format("\n  unknown: {}", printable(name));
  }
  if (!missing.empty()) fail_data(fmt::format("the tensors do not fit `{}`{}", def.name, missing));

  DefCall call{found, def.name, args, {}, {}, def.span, {}};
  for (const InputDef& in : def.in) {
    const Kind kind = TakesIndices(*found.module, in.name).in(def) ? Kind::index : Kind::real;
    const Dims dims = input_dims(in, file, scope);
    ports_.push_back(
        {in.name, dims, kind, Port::Use::required, program_.graph.input(in.name, dims, kind, kind == Kind::real)});
    call.inputs.push_back(Operand{ports_.back().var, in.name, in.span});
  }
  Builder caller(program_, program_.graph, file);
  out_ = instantiate(caller, call);
}

void Function::lower_whole(const Blueprint& plan) {
  const Dims sequence = {Dim::symbol("B"), Dim::symbol("T")};
  Graph& g = program_.graph;
  ports_.push_back({"tokens", sequence, Kind::index, Port::Use::required, g.input("tokens", sequence, Kind::index)});
  out_ = lower_model(program_, plan, ports_[0].var);
  const Var targets = target_input(program_, out_);
  ports_.push_back({"targets", targets.dims(), Kind::index, Port::Use::optional, targets});
  if (has("targets")) loss_ = append(g, "cross_entropy", {out_, ports_[1].var})[0];
}

void Function::finish() {
  Graph& g = program_.graph;
  const std::size_t inputs = ports_.size();
  if (!has_batch(out_)) out_ = append(g, "expand", {out_}, {{"shape", with_batch(dims_of(out_), true)}})[0];
  results_.push_back({is_model() ? "logits" : "out", out_, out_.dims()});
  if (const Var& p = program_.given_valid) ports_.push_back({"valid", p.dims(), Kind::real, Port::Use::optional, p});
  if (loss_) results_.push_back({"loss", loss_, {}});
  if (asked_.streams) return;
  // Of a loss the gradient is that of its mean; a cotangent would be a second meaning.
  if (!loss_)
    ports_.push_back({kCotangent, out_.dims(), Kind::real, Port::Use::cotangent, g.input(kCotangent, out_.dims())});
  for (const NamedState& s : program_.named_states) {
    const Dims dims = with_batch(s.dims, true);
    ports_.push_back(
        {kInitial + s.name, dims, Kind::real, Port::Use::optional, s.is_input ? s.start : Var(), s.counts});
    const std::string cotangent = kCotangent + "." + kFinal + s.name;
    ports_.push_back({cotangent, dims, Kind::real, Port::Use::cotangent, g.input(cotangent, dims)});
    results_.push_back({kFinal + s.name, s.final, dims});
  }
  if (asked_.gradients) differentiate(inputs);
}

// What is made of whole numbers, which have no gradient themselves: the vectors of an embedding.
std::vector<std::pair<std::string, Var>> Function::entries(std::size_t inputs) {
  std::vector<std::pair<std::string, Var>> all;
  for (const Node& node : program_.graph.nodes()) {
    for (std::size_t i = 0; i < inputs; ++i) {
      const bool read = std::find(node.inputs.begin(), node.inputs.end(), ports_[i].var.id()) != node.inputs.end();
      if (ports_[i].kind != Kind::index || !read || node.phase != Phase::forward) continue;
      const Var made(program_.graph, node.outputs[0]);
      if (!made.needs_gradient() || made.dims().empty() || count_time(made.dims()) != 1) continue;
      all.emplace_back(fmt::format("{}#{}", ports_[i].name, all.size() + 1), made);
    }
  }
  return all;
}

void Function::differentiate(std::size_t inputs) {
  Graph& g = program_.graph;
  std::vector<Var> outputs, cotangents, wrt;
  const auto seed = [&](const Var& output, const std::string& name) {
    if (!has(name)) return;
    outputs.push_back(output);
    cotangents.push_back(port(name)->var);
  };
  const Var one = g.constant(Tensor::full({}, 1, DType::f64));
  if (loss_) {
    outputs.push_back(loss_);
    cotangents.push_back(one);
  } else {
    seed(out_, kCotangent);
  }
  for (const NamedState& s : program_.named_states) seed(s.final, kCotangent + "." + kFinal + s.name);
  if (outputs.empty()) {
    if (asked_.with_tensors && is_model()) {
      fail_data("gradients need `targets` (those of the loss) or `cotangent` (those of the sum of logits * cotangent)");
    }
    notes_.push_back("there is no `cotangent`: the gradients are those of the sum of `out`");
    outputs.push_back(out_);
    cotangents.push_back(append(g, "expand", {one}, {{"shape", out_.dims()}})[0]);
  }
  std::vector<std::pair<std::string, Var>> named;
  for (std::size_t i = 0; i < inputs; ++i) {
    if (ports_[i].kind == Kind::real) named.emplace_back(ports_[i].name, ports_[i].var);
  }
  if (asked_.proof) {
    for (const auto& [name, var] : entries(inputs)) named.emplace_back(name, var);
  }
  for (const WeightSlot& w : program_.weights) named.emplace_back(w.weight.name, w.var);
  for (const NamedState& s : program_.named_states) named.emplace_back(kInitial + s.name, s.start);
  for (const auto& [name, var] : named) wrt.push_back(var);
  const auto gradients = g.backward(outputs, cotangents, wrt);
  for (std::size_t i = 0; i < named.size(); ++i) {
    results_.push_back({kGradient + named[i].first, gradients[i], named[i].second.dims()});
  }
}

std::unique_ptr<Function> lower_function(const Blueprint& plan, const Asked& asked, Diagnostics& diagnostics) {
  auto f = std::make_unique<Function>(asked, diagnostics);
  Program& p = f->program_;
  p.vocab = plan.sizes.vocab, p.classes = plan.sizes.classes;
  p.form = plan.form;
  p.load = plan.load;
  p.names_states = !asked.streams && !asked.explain;
  p.proof = asked.proof;
  p.explains = asked.explain;
  for (const auto& [name, shape] : asked.given) {
    if (name.starts_with(kInitial)) p.given_states.insert(name.substr(kInitial.size()));
  }
  try {
    if (asked.def.empty()) f->lower_whole(plan);
    else f->lower_def(plan);
    if (!p.failed && !diagnostics.has_errors() && !asked.explain) f->finish();
  } catch (const Failed&) {
    p.failed = true;
  }
  return p.failed || diagnostics.has_errors() ? nullptr : std::move(f);
}

}  // namespace weft::dsl
