// A recurrence for all positions at once: `linrec` for states that are matrices, `affine_scan` for states that are read
// element by element.
//
// The parts of the step (keys, values, decays, ...) are built for whole sequences: names that vary with time keep their
// T, and by-name alignment does the rest, so that only work within one position may stand between. A state that reads
// another one is a later pass: it takes that one's reads and trajectory as sequences like any other.
#include <fmt/format.h>

#include <algorithm>

#include "dsl/linear_parts.h"
#include "ops/table.h"

namespace weft::dsl {
namespace {

using Core = Summand::Core;

class Linear {
 public:
  Linear(Builder& builder, const Recurrence& r, const std::vector<StateForm>& forms, std::string form)
      : builder_(builder), r_(r), forms_(forms), form_(std::move(form)), parts_(builder, r, [this](const Piece& p) {
          return build(p);
        }) {}

  std::vector<PartReport> run() {
    builder_.intercept = [this](const Expr& e) { return lifted(e); };
    struct Restore {
      Builder& b;
      ~Restore() { b.intercept = nullptr; }
    } restore{builder_};
    std::map<std::string, Var> read;
    for (const Equation& e : r_.read) {
      at_ = r_.step.size();
      require_within_position(*e.value);
      builder_.graph().set_origin(place_text(e.value->span));
      const Var v = builder_.tensor(*e.value), all = claimed(sequence(v, e.value->span), e);
      reads_[e.name] = e.claim ? all : v;
      read[e.name] = all;
    }
    for (const auto& [name, v] : read) builder_.room().tensors[name] = v;
    return found_;
  }

 private:
  // ---- what an expression of the step means for all positions, where that is not what it says
  // ------------------------

  std::optional<Term> lifted(const Expr& e) {
    if (const StateForm* f = contracted(e)) return contraction(e, *f);
    if (e.kind == Expr::Kind::call && e.name == "prev" && e.args.size() == 1 && e.args[0]->kind == Expr::Kind::name) {
      if (const StateForm* f = form_of(e.args[0]->name)) return trajectory(*f, true);
    }
    if (e.kind != Expr::Kind::name) return {};
    if (const auto read = reads_.find(e.name); read != reads_.end()) return read->second;
    if (const StateForm* f = form_of(e.name)) return trajectory(*f, *assignment(r_, e.name) >= at_);
    if (const auto at = assignment(r_, e.name)) return local(*at);
    return {};
  }
  const StateForm* form_of(const std::string& name) const {
    const auto found =
        std::find_if(forms_.begin(), forms_.end(), [&](const StateForm& f) { return f.state->name == name; });
    return found == forms_.end() ? nullptr : &*found;
  }

  // A name of the step, built once for all positions. Its claim speaks of one position: the sequential form checks it.
  Term local(std::size_t at) {
    const auto known = locals_.find(at);
    if (known != locals_.end()) return known->second;
    const std::size_t outside = std::exchange(at_, at);
    require_within_position(*r_.step[at].value);
    const Term value = builder_.term(*r_.step[at].value);
    at_ = outside;
    locals_[at] = value;
    return value;
  }
  Var build(const Piece& p) {
    const std::size_t outside = std::exchange(at_, p.at);
    require_within_position(*p.value);
    const Var v = builder_.tensor(*p.value);
    at_ = outside;
    return v;
  }

  // Only what is the same for one position and for all: work on single elements, and along the last dimension.
  void require_within_position(const Expr& e) const {
    using K = Expr::Kind;
    const auto no = [&] {
      throw NotDerivable{fmt::format("`{}` does not work within one position", expr_text(e)), e.span};
    };
    if (contracted(e)) return;
    if (e.kind == K::transpose || e.kind == K::text) no();
    if (e.kind == K::binary && e.name == "@") {
      const auto& weights = builder_.room().weights;
      if (e.args[1]->kind != K::name || !weights.contains(e.args[1]->name)) no();
      return require_within_position(*e.args[0]);
    }
    if (e.kind == K::call && e.name != "prev") {
      const Op* op = ops::find(e.name);
      const auto& numbers = number_functions();
      const bool number = std::find(numbers.begin(), numbers.end(), e.name) != numbers.end();
      const bool along_last = (e.name == "dot" && e.args.size() == 2) ||
                              ((e.name == "l2_norm" || e.name == "rms_norm" || e.name == "softmax") &&
                               e.args.size() == 1 && e.named.empty());
      const bool pointwise = op && op->family == Op::Family::pointwise && !op->random;
      const bool constant = op && op->inputs.empty() && op->along == Along::pointwise;  // arange
      if (find_def(*builder_.room().module, e.name, false) || (!number && !along_last && !pointwise && !constant)) no();
    }
    for (const ExprPtr& arg : e.args) require_within_position(*arg);
  }

  // ---- reads of matrices: q @ S, and what can be brought to it ---------------------------------------------------

  // The matrix state over a dimension of which `e` sums.
  const StateForm* contracted(const Expr& e) const {
    const bool sums = (e.kind == Expr::Kind::binary && e.name == "@") ||
                      (e.kind == Expr::Kind::call && e.name == "dot" && e.args.size() == 2);
    if (!sums) return nullptr;
    const StateForm* found = nullptr;
    int sides = 0;
    for (const StateForm& f : forms_) {
      const int here = f.is_matrix() ? reads(*e.args[0], f.state->name, r_) + reads(*e.args[1], f.state->name, r_) : 0;
      if (here) found = &f;
      sides += here;
    }
    return sides == 1 ? found : nullptr;
  }

  // The sum of its terms.
  Term contraction(const Expr& e, const StateForm& f) {
    std::vector<Summand> terms;
    try {
      terms = expand({ExprPtr(ExprPtr{}, &e), at_}, f.state->name, r_);
    } catch (const NotLinear& no) {
      throw NotDerivable{no.reason, no.where};
    }
    const bool whole = std::all_of(terms.begin(), terms.end(),
                                   [](const Summand& t) { return t.core != Core::state && !t.left && !t.right; });
    if (!whole) throw NotDerivable{fmt::format("`{}` is no row times the state", expr_text(e)), e.span};
    Part sum;
    for (const Summand& t : terms) {
      const Part core{t.core == Core::read ? matrix_read(f, t, e.span) : build(t.value), t.value.value};
      sum = parts_.plus(sum, parts_.product(t.sign, t.factors, core, f), e.span);
    }
    return sum.value;
  }

  Var matrix_read(const StateForm& f, const Summand& t, const Span& at) {
    const MatrixParts& m = parts_.matrix(f, t.transposed);
    const bool parallel = form_ == "parallel" || std::any_of(r_.forms.begin(), r_.forms.end(),
                                                             [](const Form& d) { return d.name == "parallel"; });
    if (parallel && !m.has_parallel()) {
      throw NotDerivable{
          fmt::format("the parallel form exists where a state is a sum or decays as a whole; `{}` is not so",
                      f.state->name),
          f.where, "parallel"};
    }
    Dims rows = m.lead;
    rows.insert(rows.end(), {Dim::symbol("T"), m.K});
    const Part query = parts_.product(1, t.inside, parts_.part(t.value), f);
    report(f, "q", query.text);
    for (const auto& [name, e] : m.texts) report(f, name, e);
    Var q = parts_.fit(query.value, rows, 2, at);
    if (m.theta) {
      if (t.previous) throw NotDerivable{"a rotated state is read before its step", at};
      q = parts_.apply("rotate", {q, m.theta}, {{"inverse", true}}, at)[0];
    }
    const Dims dims = state_dims(builder_, *f.state);
    Var initial = initial_state(builder_, *f.state, dims);
    if (initial && m.theta) initial = turned(initial, times(m.theta, minus(builder_.constant(1), first_position())));
    if (initial && t.transposed) initial = parts_.swapped(initial);
    std::vector<std::pair<std::string, AttributeValue>> given = {
        {"form", form_}, {"read", std::string(t.previous ? "before" : "after")}, {"error", m.error}};
    if (const i64 chunk = chunk_of(builder_, r_)) given.emplace_back("chunk", chunk);
    const auto outputs = parts_.apply("linrec", {q, m.k, m.v, m.decay, m.beta, initial, m.erase}, given, at);
    keep_matrix(f, t.transposed, m.theta, outputs[1]);
    rows.back() = m.V;
    return renamed(outputs[0], rows);
  }

  // The place of the first of these positions: where states have names, a sequence may be cut.
  Var first_position() {
    if (!builder_.program().names_states) return builder_.constant(0);
    return renamed(append(builder_.graph(), "position", {}, {{"length", Dim(1)}})[0], {});
  }
  static Var minus(const Var& a, const Var& b) { return append(a.graph(), "sub", {a, b})[0]; }
  static Var times(const Var& a, const Var& b) { return append(a.graph(), "mul", {a, b})[0]; }

  // What a state ends with, out of the layout and the turning frame in which `linrec` had it. At position n that is
  // S = R^n Z, n counted from the start of the sequence as `rotate` does.
  void keep_matrix(const StateForm& f, bool transposed, const Var& theta, Var final) {
    if (!builder_.program().names_states) return;
    Graph& g = builder_.graph();
    if (transposed) final = parts_.swapped(final);
    if (theta) {
      const Var length = append(g, "size", {}, {{"length", Dim::symbol("T")}})[0];
      const Var last = append(g, "add", {first_position(), minus(length, builder_.constant(1))})[0];
      final = turned(final, times(theta, last));
    }
    keep_final(builder_, *f.state, final);
  }

  // ---- states that are read element by element -------------------------------------------------------------------

  // Every value of a state, after its step or before it, [lead, T, last].
  Var trajectory(const StateForm& f, bool before) {
    const auto key = std::pair(f.state->name, before);
    if (const auto known = trajectories_.find(key); known != trajectories_.end()) return known->second;
    const Dims dims = state_dims(builder_, *f.state);
    Dims rows = dims;
    rows.insert(rows.empty() ? rows.end() : rows.end() - 1, Dim::symbol("T"));
    Part a, b;
    for (const Summand& t : f.terms) {
      if (t.left || t.right || t.rotation || t.core == Core::read) {
        throw NotDerivable{fmt::format("`{}` is read element by element, and is a matrix of products", f.state->name),
                           f.where};
      }
      const bool own = t.core == Core::state;
      const Part value = parts_.product(t.sign, t.factors, own ? Part() : parts_.part(t.value), f);
      (own ? a : b) = parts_.plus(own ? a : b, value, f.where);
    }
    if (!b) b = parts_.number(0, f);
    if (a) report(f, "a", a.text);
    report(f, "b", b.text);
    Var added = parts_.fit(b.value, rows, dims.empty() ? 1 : 2, f.where);
    const bool named = builder_.program().names_states;              // then somebody wants the last value
    if (!a && !before && !named) return trajectories_[key] = added;  // nothing is left of the value before
    Var factor = parts_.fit(a ? a.value : builder_.constant(0), rows, 0, f.where);
    Var initial = initial_state(builder_, *f.state, dims);
    if (dims.empty()) {  // a column of one element
      factor = renamed(factor, {dims_of(factor)[0], Dim(1)}), added = renamed(added, {Dim::symbol("T"), Dim(1)});
      if (initial) initial = renamed(initial, {Dim(1)});
    }
    const auto outputs = parts_.apply("affine_scan", {added, factor, initial},
                                      {{"read", std::string(before ? "before" : "after")}}, f.where);
    keep_final(builder_, *f.state, outputs[1]);
    return trajectories_[key] = renamed(outputs[0], rows);
  }

  void report(const StateForm& f, const std::string& name, const ExprPtr& text) {
    const PartReport part{f.state->name, name, expr_text(*text)};
    const auto same = [&](const PartReport& p) {
      return p.state == part.state && p.name == name && p.text == part.text;
    };
    if (std::none_of(found_.begin(), found_.end(), same)) found_.push_back(part);
  }

  // What `read` gives has T before its last dimension, also where it has one value a head, or does not vary.
  Var sequence(const Var& v, const Span& at) {
    Dims rows;
    for (const Dim& d : dims_of(v)) {
      if (!is_time(d)) rows.push_back(d);
    }
    rows.insert(rows.empty() ? rows.end() : rows.end() - 1, Dim::symbol("T"));
    return parts_.fit(v, rows, std::min<std::size_t>(2, rows.size()), at);
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
  LinearParts parts_;
  std::vector<PartReport> found_;
  std::size_t at_ = 0;  // where the expression at hand stands: in that equation of the step, or behind all
  std::map<std::string, Var> reads_;
  std::map<std::pair<std::string, bool>, Var> trajectories_;
  std::map<std::size_t, Term> locals_;
};

}  // namespace

std::vector<PartReport> lower_linear(Builder& builder, const Recurrence& recurrence,
                                     const std::vector<StateForm>& forms, const std::string& form) {
  return Linear(builder, recurrence, forms, form).run();
}

}  // namespace weft::dsl
