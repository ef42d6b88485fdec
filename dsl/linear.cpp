// A recurrence as `linrec`: S_t = a_t S_{t-1} + k_t v_t^T, y_t = q_t S_t, all positions at once.
//
// The parts a, k, v, q of the step are built for whole sequences: names that vary with time keep their T, and by-name
// alignment does the rest, so that only elementwise work may stand between. A state that is no matrix is one with K = 1:
// k = q = 1, and y is its trajectory.
#include <fmt/format.h>

#include <algorithm>

#include "dsl/recurrence.h"
#include "ops/table.h"

namespace weft::dsl {
namespace {

struct Outer {  // factors * outer(k, v)
  Summand scale;
  const Expr *k = nullptr, *v = nullptr;
};

class Linear {
 public:
  Linear(Builder& builder, const Recurrence& r, const std::vector<StateForm>& forms, std::string form)
      : builder_(builder), r_(r), forms_(forms), form_(std::move(form)) {}

  void run() {
    builder_.intercept = [this](const Expr& e) { return lifted(e); };
    struct Restore {
      Builder& b;
      ~Restore() { b.intercept = nullptr; }
    } restore{builder_};
    for (const Equation& e : r_.read) {
      require_pointwise(*e.value);
      builder_.graph().set_origin(place_text(e.value->span));
      reads_[e.name] = claimed(builder_.tensor(*e.value), e);
    }
    for (const auto& [name, v] : reads_) builder_.room().tensors[name] = v;
  }

 private:
  const StateForm* form_of(const std::string& name) const {
    for (const StateForm& f : forms_) {
      if (f.state->name == name) return &f;
    }
    return nullptr;
  }
  const Equation* local(const std::string& name) const {
    for (const Equation& e : r_.step) {
      if (e.name == name && !form_of(name)) return &e;
    }
    return nullptr;
  }
  bool matrix_read(const Expr& e) const {
    return e.kind == Expr::Kind::binary && e.name == "@" && e.args[1]->kind == Expr::Kind::name && form_of(e.args[1]->name) &&
           !reads_state(*e.args[0], r_);
  }

  // What an expression of the step means for all positions at once, where that is not what it says.
  std::optional<Term> lifted(const Expr& e) {
    if (matrix_read(e)) return matrix_state(*form_of(e.args[1]->name), *e.args[0], e.span);
    if (e.kind == Expr::Kind::call && e.name == "prev") throw NotDerivable{"the state before the step is read", e.span};
    if (e.kind != Expr::Kind::name) return {};
    if (const auto read = reads_.find(e.name); read != reads_.end()) return read->second;
    if (const StateForm* f = form_of(e.name)) return trajectory(*f);
    if (const Equation* eq = local(e.name)) {
      if (reads_state(*eq->value, r_)) throw NotDerivable{fmt::format("`{}` reads a state inside the step", e.name), eq->value->span};
      if (eq->claim) throw NotDerivable{fmt::format("the claim of `{}` speaks of one position", e.name), eq->claim_span};
      require_pointwise(*eq->value);
      return builder_.term(*eq->value);
    }
    return {};
  }

  // Work on single elements is the same for one position and for all.
  void require_pointwise(const Expr& e) const {
    using K = Expr::Kind;
    const auto no = [&] { throw NotDerivable{fmt::format("`{}` is not elementwise", expr_text(e)), e.span}; };
    if (matrix_read(e)) return require_pointwise(*e.args[0]);
    if (e.kind == K::transpose || e.kind == K::text || (e.kind == K::binary && e.name == "@")) no();
    if (e.kind == K::call && e.name == "dot") {
      if (e.args.size() != 2) no();
    } else if (e.kind == K::call && e.name != "prev") {
      const Op* op = ops::find(e.name);
      const auto& numbers = number_functions();
      const bool number = std::find(numbers.begin(), numbers.end(), e.name) != numbers.end();
      if (find_def(*builder_.room().module, e.name, false) || (!number && (!op || op->family != Op::Family::pointwise))) no();
    }
    for (const ExprPtr& arg : e.args) require_pointwise(*arg);
  }

  Var build(const Expr& e) {
    require_pointwise(e);
    return builder_.tensor(e);
  }

  // ---- the parts of an update ---------------------------------------------------------------------------------

  // sign * factors * start, 1 without a start.
  Var product(const Summand& s, std::optional<Operand> start) {
    std::optional<Operand> value = std::move(start);
    for (const Summand::Factor& f : s.factors) {
      const Span at = f.value->span;
      const Operand factor{build(*f.value), expr_text(*f.value), at};
      if (!value && !f.inverse) {
        value = factor;
        continue;
      }
      if (!value) value = Operand{builder_.constant(1), "1", at};
      value = Operand{builder_.apply(*ops::find(f.inverse ? "div" : "mul"), {*value, factor}, {}, at)[0],
                      fmt::format("{} {} {}", value->text, f.inverse ? "/" : "*", factor.text), at};
    }
    if (!value) return builder_.constant(s.sign);
    return s.sign > 0 ? value->var : append(builder_.graph(), "neg", {value->var})[0];
  }

  // The factor of the state: nothing for a sum.
  Var decay(const StateForm& f, const Dims& lead) {
    if (f.kind == StateClass::sum) return {};
    if (f.kind == StateClass::constant) return fit(builder_.constant(0), lead, Time::if_there, f.where);
    Var total;
    for (const Summand& s : f.own) {
      const Var part = product(s, {});
      total = !total ? part : builder_.apply(*ops::find("add"), {Operand{total, "decay", f.where}, Operand{part, "decay", f.where}}, {}, f.where)[0];
    }
    return fit(total, lead, Time::if_there, f.where);
  }

  Outer outer_of(const ExprPtr& e, Summand scale) const {
    if (e->kind == Expr::Kind::negate) {
      scale.sign = -scale.sign;
      return outer_of(e->args[0], std::move(scale));
    }
    if (e->kind == Expr::Kind::call && e->name == "outer" && e->args.size() == 2) {
      return {std::move(scale), e->args[0].get(), e->args[1].get()};
    }
    if (e->kind == Expr::Kind::name) {
      if (const Equation* eq = local(e->name); eq && !eq->claim) return outer_of(eq->value, std::move(scale));
    }
    if (e->kind == Expr::Kind::binary && (e->name == "*" || e->name == "/")) {
      const auto has_outer = [&](const ExprPtr& x) { return expr_text(*x).find("outer(") != std::string::npos; };
      const int side = e->name == "*" && has_outer(e->args[1]) ? 1 : 0;
      scale.factors.push_back({e->args[static_cast<std::size_t>(1 - side)], e->name == "/"});
      return outer_of(e->args[static_cast<std::size_t>(side)], std::move(scale));
    }
    throw NotDerivable{fmt::format("`{}` is no outer product of a key and a value", expr_text(*e)), e->span};
  }

  // ---- states -------------------------------------------------------------------------------------------------

  Var matrix_state(const StateForm& f, const Expr& query, const Span& at) {
    const Dims dims = state_dims(builder_, *f.state);
    if (dims.size() < 2) throw NotDerivable{fmt::format("`{}` is no matrix", f.state->name), at};
    if (f.added.size() != 1) {
      throw NotDerivable{fmt::format("`{}` adds {} terms", f.state->name, f.added.size()), f.where};
    }
    const Dims lead(dims.begin(), dims.end() - 2);
    const Dim K = dims[dims.size() - 2], V = dims.back();
    const Outer o = outer_of(f.added[0].value, f.added[0]);
    const Var v = product(o.scale, Operand{build(*o.v), expr_text(*o.v), o.v->span});
    const Var y = linrec(f, fit(build(query), joined(lead, K), Time::always, query.span),
                         fit(build(*o.k), joined(lead, K), Time::always, o.k->span),
                         fit(v, joined(lead, V), Time::always, o.v->span), decay(f, lead),
                         initial_state(builder_, *f.state, dims), at);
    return renamed(y, joined(lead, V, true));
  }

  // Every value of a state that is read elementwise, [lead, T, V].
  Var trajectory(const StateForm& f) {
    if (const auto known = trajectories_.find(f.state->name); known != trajectories_.end()) return known->second;
    const Dims dims = state_dims(builder_, *f.state);
    const bool scalar = dims.empty();
    const Dims lead = scalar ? Dims{} : Dims(dims.begin(), dims.end() - 1);
    const Dim V = scalar ? Dim(1) : dims.back();
    Var added;
    for (const Summand& s : f.added) {
      const Var part = product(s, Operand{build(*s.value), expr_text(*s.value), s.value->span});
      const Span at = s.value->span;
      added = !added ? part : builder_.apply(*ops::find("add"), {Operand{added, "input", at}, Operand{part, "input", at}}, {}, at)[0];
    }
    if (!added) added = builder_.constant(0);
    const Dims own = scalar ? Dims{} : joined(lead, V);
    Var v = fit(added, own, Time::always, f.where);
    if (scalar) v = renamed(v, {Dim::symbol("T"), Dim(1)});
    const Var ones = append(builder_.graph(), "expand", {builder_.constant(1)}, {{"shape", Dims{Dim::symbol("T"), Dim(1)}}})[0];
    Var initial = initial_state(builder_, *f.state, dims);
    Dims row = lead;  // the state as a matrix of one row
    row.insert(row.end(), {Dim(1), V});
    if (initial) initial = renamed(initial, row);
    const Var y = linrec(f, ones, ones, v, decay(f, lead), initial, f.where);
    return trajectories_[f.state->name] = renamed(y, scalar ? Dims{Dim::symbol("T")} : joined(lead, V, true));
  }

  Var linrec(const StateForm& f, const Var& q, const Var& k, const Var& v, const Var& a, const Var& initial, const Span& at) {
    const Op& op = *ops::find("linrec");
    std::vector<std::pair<std::string, AttributeValue>> given = {{"form", form_}};
    if (const i64 chunk = chunk_of(builder_, r_)) given.emplace_back("chunk", chunk);
    const auto o = [&](const Var& x) { return x ? std::optional(Operand{x, f.state->name, at, 99}) : std::nullopt; };
    const auto outputs = builder_.apply(op, {o(q), o(k), o(v), o(a), o(initial)}, op.complete(given), at);
    keep_final(builder_, *f.state, outputs[1]);
    return outputs[0];
  }

  // ---- shapes -------------------------------------------------------------------------------------------------

  enum class Time { always, if_there };

  static Dims joined(Dims lead, const Dim& last, bool time = false) {
    if (time) lead.push_back(Dim::symbol("T"));
    lead.push_back(last);
    return lead;
  }

  // `v` with the dimensions `dims` (each its own or 1), and T before the last of them (`always`: at full length), or
  // T behind them all (`if_there`: of size 1 where v does not vary).
  Var fit(Var v, const Dims& dims, Time time, const Span& at) {
    Dims target = dims;
    target.insert(time == Time::always && !dims.empty() ? target.end() - 1 : target.end(), Dim::symbol("T"));
    const Dims now = dims_of(v);
    std::vector<int> order;
    Dims wide;
    for (const Dim& t : target) {
      int found = -1;
      for (int i = 0; i < static_cast<int>(now.size()) && found < 0; ++i) {
        const bool taken = std::find(order.begin(), order.end(), i) != order.end();
        const Dim& d = now[static_cast<std::size_t>(i)];
        if (!taken && (is_time(t) ? is_time(d) : agree(d, t, builder_.room().definitions))) found = i;
      }
      if (found >= 0) order.push_back(found);
      wide.push_back(found >= 0 ? t : Dim(1));
    }
    if (order.size() != now.size()) {
      throw NotDerivable{fmt::format("a part is {}, where {} was expected", text(now), text(target)), at};
    }
    if (!std::is_sorted(order.begin(), order.end())) v = permuted(v, order);
    v = renamed(v, wide);
    const std::size_t t = static_cast<std::size_t>(std::find_if(target.begin(), target.end(), is_time) - target.begin());
    const bool core = time == Time::always;  // T and what follows it must be there in full
    Dims full = wide;
    for (std::size_t i = t; core && i < full.size(); ++i) full[i] = target[i];
    if (!same_size(full, wide)) v = append(v.graph(), "expand", {v}, {{"shape", with_batch(full, has_batch(v))}})[0];
    return v;
  }

  // Claims in `read` speak of one position.
  Var claimed(const Var& v, const Equation& e) {
    if (!e.claim || count_time(dims_of(v)) != 1) return v;
    Equation whole = e;
    auto time = std::make_shared<Expr>();
    time->kind = Expr::Kind::name;
    time->name = "T";
    time->span = time->at = e.claim_span;
    whole.claim->insert(whole.claim->empty() ? whole.claim->end() : whole.claim->end() - 1, time);
    return builder_.claimed(v, whole);
  }

  Builder& builder_;
  const Recurrence& r_;
  const std::vector<StateForm>& forms_;
  std::string form_;
  std::map<std::string, Var> reads_, trajectories_;
};

}  // namespace

void lower_linear(Builder& builder, const Recurrence& recurrence, const std::vector<StateForm>& forms,
                  const std::string& form) {
  Linear(builder, recurrence, forms, form).run();
}

}  // namespace weft::dsl
