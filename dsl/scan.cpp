// A recurrence as `scan`: the step as a graph of its own, run once a position. The meaning of every recurrence.
#include <fmt/format.h>

#include <algorithm>

#include "dsl/gradient.h"
#include "dsl/inner.h"
#include "dsl/linear_parts.h"
#include "dsl/shadow.h"
#include "ops/table.h"

namespace weft::dsl {
namespace {

class Scan {
 public:
  Scan(Builder& outer, const Recurrence& r)
      : outer_(outer),
        r_(r),
        program_(outer.program()),
        step_(std::make_shared<Graph>(trains(program_.mode) ? Graph::Gradients::yes : Graph::Gradients::no)),
        room_(inner_room(outer.room())),
        bridge_(outer, *step_, InnerBridge::Time::in_front),
        builder_(program_, *step_, room_, &bridge_) {}

  void run() {
    open();
    const int errors = program_.diagnostics.error_count();
    for (const Equation& e : r_.step) step(e);
    for (const Equation& e : r_.read) builder_.define(e);
    if (program_.diagnostics.error_count() > errors || !room_.failed.empty()) throw Failed{};
    apply();
  }

  // Builds the step as far as `grad` needs it, and replaces that in `r`, whose loop this is.
  std::vector<GradientReport> differentiate(Recurrence& r) {
    open();
    std::vector<GradientReport> found;
    const auto dims = [this](const Expr& e) {
      const Term t = builder_.term(e);
      const Var* v = std::get_if<Var>(&t);
      return v ? dims_of(*v) : Dims{};
    };
    for (std::size_t i = 0; i < r.step.size(); ++i) {
      try {
        r.step[i].value = with_gradients(r.step[i].value, {r, i, dims, program_.diagnostics}, found);
        step(r.step[i]);
      } catch (const Failed&) {
        room_.failed.insert(r.step[i].name);
      }
    }
    return found;
  }

 private:
  void open() {
    for (const StateDef& s : r_.states) enter(s);
    builder_.intercept = [this](const Expr& e) { return intercepted(e); };
  }
  void enter(const StateDef& s) {
    dims_[s.name] = state_dims(outer_, s);
    const Var in = step_->input(s.name, with_batch(dims_[s.name], true), Kind::real, true);
    before_[s.name] = room_.tensors[s.name] = in;
  }

  std::optional<Term> intercepted(const Expr& e) {
    if (auto product = hoisted(e)) return product;
    return previous(e);
  }

  // `x @ W` of an input and a weight: one product for all positions, of which a step sees its row.
  std::optional<Term> hoisted(const Expr& e) {
    if (e.kind != Expr::Kind::binary || e.name != "@") return {};
    const auto outside = [&](const Expr& of) -> Var {
      const Room& room = outer_.room();
      const bool known = room.tensors.contains(of.name) || room.weights.contains(of.name);
      if (of.kind != Expr::Kind::name || room_.tensors.contains(of.name) || !known) return {};
      return outer_.tensor(of);
    };
    const Var x = outside(*e.args[0]);
    if (!x || count_time(dims_of(x)) != 1 || dims_of(x).size() < 2 || is_time(dims_of(x).back())) return {};
    const Var W = outside(*e.args[1]);
    if (!W || has_batch(W) || dims_of(W).size() != 2 || count_time(dims_of(W)) > 0) return {};
    const Var product = outer_.tensor(e);
    Dims entry = dims_of(product);
    entry.erase(std::find_if(entry.begin(), entry.end(), is_time));
    return bridge_.enter(expr_text(e), with_time_at(product, 0), with_batch(entry, has_batch(product)));
  }

  // `prev(S)`, and `rotate` of a matrix state: its rows are turned by the angles of one step, not of a position.
  std::optional<Term> previous(const Expr& e) {
    if (e.kind == Expr::Kind::call && e.name == "rotate" && e.args.size() == 2 && e.named.empty() &&
        reads_state(*e.args[0], r_)) {
      const Var S = builder_.tensor(*e.args[0]), theta = builder_.tensor(*e.args[1]);
      const Dims dims = dims_of(S), angles = dims_of(theta);
      if (dims.size() > 1 && angles.size() == 1 && same_size(angles[0] * Dim(2), dims[dims.size() - 2].unnamed()))
        return turned(S, theta);
      program_.diagnostics.error("E0206", e.span, "a step turns pairs of rows of a matrix state, each by one angle")
          .note(fmt::format("`{}` is {}", expr_text(*e.args[0]), text(dims)), e.args[0]->span)
          .note(fmt::format("`{}` is {}", expr_text(*e.args[1]), text(angles)), e.args[1]->span);
      throw Failed{};
    }
    if (e.kind != Expr::Kind::call || e.name != "prev") return {};
    const auto state =
        e.args.size() == 1 && e.args[0]->kind == Expr::Kind::name ? before_.find(e.args[0]->name) : before_.end();
    if (state != before_.end()) return state->second;
    program_.diagnostics.error("E0206", e.span, "`prev` takes the name of a state")
        .note("it is the value before the step, wherever it is read");
    throw Failed{};
  }

  void step(const Equation& e) {
    const auto state = dims_.find(e.name);
    if (state == dims_.end()) return builder_.define(e);
    try {
      const Term t = builder_.value(e);
      const Var* v = std::get_if<Var>(&t);
      room_.tensors[e.name] = fitted(builder_, e, v ? *v : builder_.tensor(*e.value), before_[e.name], "state");
    } catch (const Failed&) {
      room_.failed.insert(e.name);
    }
  }

  void apply() {
    std::vector<Var> inputs;
    const bool carried = streams(program_.mode);
    const std::size_t first_state = program_.states.size();
    for (const StateDef& s : r_.states) {
      const Dims full = with_batch(dims_[s.name], true);
      Graph& g = program_.graph;
      Var start = initial_state(outer_, s, dims_[s.name]);
      if (start) start = append(g, "expand", {start}, {{"shape", full}})[0];
      if (carried) start = program_.state_input(outer_.room().below(s.name), with_batch(dims_[s.name], true), start);
      inputs.push_back(start ? start : append(g, "zeros", {}, {{"shape", full}})[0]);
      step_->inputs.push_back(before_[s.name]);
      step_->results.push_back(room_.tensors[s.name]);
    }
    for (const auto& [outside, inside] : bridge_.sequences) {
      inputs.push_back(outside);
      step_->inputs.push_back(inside);
    }
    for (const auto& [outside, inside] : bridge_.constants) {
      inputs.push_back(outside);
      step_->inputs.push_back(inside);
    }
    for (const Equation& e : r_.read) step_->results.push_back(read(e));
    if (bridge_.sequences.empty()) {
      program_.diagnostics.error("E0308", r_.span, "nothing in this recurrence varies with time")
          .help("read an input that has T");
      throw Failed{};
    }
    if (trains(program_.mode)) step_->differentiate();
    program_.graph.set_origin(place_text(r_.span));
    const auto outputs = append(program_.graph, "scan", inputs,
                                {{"step", std::shared_ptr<const Graph>(step_)},
                                 {"states", static_cast<i64>(r_.states.size())},
                                 {"sequences", static_cast<i64>(bridge_.sequences.size())},
                                 {"chunk", chunk_of(outer_, r_)}});
    for (std::size_t i = 0; i < r_.states.size(); ++i) {
      if (carried) program_.states[first_state + i].out = outputs[i];
      keep_final(outer_, r_.states[i], outputs[i]);
    }
    for (std::size_t i = 0; i < r_.read.size(); ++i) {
      outer_.room().tensors[r_.read[i].name] = with_time_last(outputs[r_.states.size() + i], 0);
    }
  }

  Var read(const Equation& e) {
    if (const auto found = room_.tensors.find(e.name); found != room_.tensors.end()) return found->second;
    Expr name;
    name.kind = Expr::Kind::name;
    name.name = e.name;
    return builder_.tensor(name);  // a number
  }

  Builder& outer_;
  const Recurrence& r_;
  Program& program_;
  std::shared_ptr<Graph> step_;
  Room room_;
  InnerBridge bridge_;
  Builder builder_;
  std::map<std::string, Dims> dims_;
  std::map<std::string, Var> before_;
};

}  // namespace

void lower_scan(Builder& builder, const Recurrence& recurrence) { Scan(builder, recurrence).run(); }

std::vector<GradientReport> derive_gradients(Builder& builder, Recurrence& recurrence) {
  if (!has_gradient(recurrence)) return {};
  Shadow shadow(builder, Mode::evaluate);
  shadow.room.failed = builder.room().failed;
  auto found = Scan(shadow.builder, recurrence).differentiate(recurrence);
  if (!shadow.diagnostics.has_errors() && !has_gradient(recurrence)) return found;
  builder.program().diagnostics.append(shadow.diagnostics);
  throw Failed{};
}

}  // namespace weft::dsl
