#include "dsl/algebra.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "dsl/terms.h"

namespace weft::dsl {
namespace {

class Expander {
 public:
  using Summands = std::vector<Summand>;
  Expander(const std::string& state, const Recurrence& r) : state_(state), r_(r) {}

  Summands run(const Piece& p) const {
    const Expr& e = *p.value;
    if (!structured(e)) return {free(p)};
    switch (e.kind) {
      case Expr::Kind::name: return name(p);
      case Expr::Kind::negate: {
        Summands terms = run({e.args[0], p.at});
        for (Summand& t : terms) t.sign = -t.sign;
        return terms;
      }
      case Expr::Kind::binary: return binary(p);
      case Expr::Kind::transpose: return transposed(run({e.args[0], p.at}), e);
      case Expr::Kind::call: return call(p);
      default: return rest(p);
    }
  }

 private:
  bool dependent(const Expr& e) const { return reads(e, state_, r_); }
  // Worth taking apart: it reads the state, or makes an outer product.
  bool structured(const Expr& e) const {
    if (dependent(e)) return true;
    if (e.kind == Expr::Kind::call) return e.name == "outer" && e.args.size() == 2;
    if (e.kind == Expr::Kind::name) {
      const auto at = find_state(r_, e.name) ? std::nullopt : assignment(r_, e.name);
      if (!at) return false;
      auto& known = structured_[*at];  // names that read two others each would be visited 2^n times
      if (!known) known = structured(*r_.step[*at].value);
      return *known;
    }
    return std::any_of(e.args.begin(), e.args.end(), [&](const ExprPtr& a) { return structured(*a); });
  }
  static Summand free(const Piece& p) {
    Summand t;
    t.value = p;
    return t;
  }
  // What is not understood: free when it does not read the state.
  Summands rest(const Piece& p) const {
    const Expr& e = *p.value;
    if (!dependent(e)) return {free(p)};
    throw NotLinear{StateClass::nonlinear, fmt::format("`{}` is not linear in `{}`", expr_text(e), state_), e.span};
  }
  [[noreturn]] static void affine(const Expr& e) {
    throw NotLinear{StateClass::affine, fmt::format("`{}` mixes the elements of the state by a matrix", expr_text(e)),
                    e.span};
  }

  Summands name(const Piece& p) const {
    const std::size_t at = *assignment(r_, p.value->name);
    if (p.value->name != state_) return run({r_.step[at].value, at});
    return {own(at >= p.at)};
  }
  static Summand own(bool previous) {
    Summand t;
    t.core = Summand::Core::state;
    t.previous = previous;
    return t;
  }

  Summands binary(const Piece& p) const {
    const Expr& e = *p.value;
    const Piece a{e.args[0], p.at}, b{e.args[1], p.at};
    if (e.name == "+" || e.name == "-") {
      Summands terms = run(a), more = run(b);
      if (terms.size() + more.size() > kMostTerms) {
        throw NotLinear{StateClass::affine,
                        fmt::format("the update of `{}` has more than {} terms", state_, kMostTerms), e.span};
      }
      for (Summand& t : more) t.sign *= e.name == "-" ? -1 : 1;
      terms.insert(terms.end(), more.begin(), more.end());
      return terms;
    }
    const bool left = dependent(*a.value), right = dependent(*b.value);
    if (left && right) return rest(p);
    const bool first = left || (!right && structured(*a.value));  // which side is taken apart
    if (!left && !right && structured(*a.value) && structured(*b.value)) return {free(p)};
    if (e.name == "*" || (e.name == "/" && first)) {
      Summands terms = run(first ? a : b);
      const Piece& factor = first ? b : a;
      for (Summand& t : terms) t.factors.push_back({factor.value, factor.at, e.name == "/"});
      return terms;
    }
    if (e.name == "@") return first ? contracted(run(a), b, true, e) : contracted(run(b), a, false, e);
    return rest(p);
  }

  // The sum over the first dimension of each term, or over its last, with the row x.
  Summands contracted(Summands terms, const Piece& x, bool last, const Expr& e) const {
    for (Summand& t : terms) {
      Piece& met = last ? t.right : t.left;    // what x meets in an outer product,
      Piece& stays = last ? t.left : t.right;  // and what stays of it
      if (met) {
        t.factors.push_back({call_of("dot", {x.value, met.value}), same_place(x, met, e)});
        met = {};
      } else if (stays) {
        if (t.core != Summand::Core::free) affine(e);
        t.factors.push_back({call_of("dot", {x.value, t.value.value}), same_place(x, t.value, e)});
        t.value = std::exchange(stays, {});
      } else if (t.core == Summand::Core::state && !t.rotation) {
        t.core = Summand::Core::read;
        t.value = x;
        t.inside = std::exchange(t.factors, {});
        t.transposed = last != t.transposed;
      } else {
        affine(e);
      }
    }
    return terms;
  }
  // Where an expression of both parts stands: any place will do for what reads no state.
  std::size_t same_place(const Piece& a, const Piece& b, const Expr& e) const {
    const auto anywhere = [&](const Piece& p) {
      return std::none_of(r_.states.begin(), r_.states.end(),
                          [&](const StateDef& s) { return reads(*p.value, s.name, r_); });
    };
    if (a.at == b.at || anywhere(b)) return a.at;
    if (!anywhere(a)) affine(e);
    return b.at;
  }

  static Summands transposed(Summands terms, const Expr& e) {
    for (Summand& t : terms) {
      if (t.left || t.right) std::swap(t.left, t.right);
      else if (t.core == Summand::Core::state) t.transposed = !t.transposed;
      else affine(e);
    }
    return terms;
  }

  Summands call(const Piece& p) const {
    const Expr& e = *p.value;
    const bool two = e.args.size() == 2 && e.named.empty();
    if (e.name == "prev" && e.args.size() == 1 && e.args[0]->kind == Expr::Kind::name) {
      return e.args[0]->name == state_ ? Summands{own(true)} : rest(p);
    }
    if (!two) return rest(p);
    const Piece a{e.args[0], p.at}, b{e.args[1], p.at};
    const bool left = dependent(*a.value), right = dependent(*b.value);
    if (left && right) return rest(p);
    if (e.name == "outer") {
      Summands terms = run(left ? a : b);
      for (Summand& t : terms) {
        if (t.left || t.right || t.core == Summand::Core::state) return rest(p);
        (left ? t.right : t.left) = left ? b : a;
      }
      return terms;
    }
    if (e.name == "dot" && left != right) return contracted(run(left ? a : b), left ? b : a, true, e);
    if (e.name == "rotate" && left && !right) {
      Summands terms = run(a);
      for (Summand& t : terms) {
        if (t.core != Summand::Core::state || t.rotation) affine(e);
        t.rotation = b;
      }
      return terms;
    }
    return rest(p);
  }

  static constexpr std::size_t kMostTerms = 256;  // people write some ten; names that add names can make 2^n
  const std::string& state_;
  const Recurrence& r_;
  mutable std::map<std::size_t, std::optional<bool>> structured_;
};

}  // namespace

const StateDef* find_state(const Recurrence& r, const std::string& name) {
  const auto found = std::find_if(r.states.begin(), r.states.end(), [&](const StateDef& s) { return s.name == name; });
  return found == r.states.end() ? nullptr : &*found;
}

std::optional<std::size_t> assignment(const Recurrence& r, const std::string& name) {
  for (std::size_t i = 0; i < r.step.size(); ++i) {
    if (r.step[i].name == name) return i;
  }
  return {};
}

// Equations read only what stands above them, so this ends; each is looked at once.
bool reads(const Expr& expr, const std::string& state, const Recurrence& r) {
  std::vector<const Expr*> open = {&expr};
  std::set<std::size_t> seen;
  while (!open.empty()) {
    const Expr& e = *open.back();
    open.pop_back();
    for (const std::string& name : names_in(e)) {
      if (name == state) return true;
      const auto at = find_state(r, name) ? std::nullopt : assignment(r, name);
      if (at && seen.insert(*at).second) open.push_back(r.step[*at].value.get());
    }
  }
  return false;
}

ExprPtr product_of(int sign, const std::vector<Piece>& factors, const ExprPtr& core, const Expr& from) {
  ExprPtr product;
  for (const Piece& p : factors) {
    if (!product && p.inverse) product = number_of(1, from);
    product = product ? binary_of(p.inverse ? "/" : "*", product, p.value) : p.value;
  }
  if (core) product = product ? binary_of("*", product, core) : core;
  if (!product) return number_of(sign, from);
  return sign > 0 ? product : negated(product);
}

ExprPtr sum_of(const ExprPtr& a, const ExprPtr& b) {
  if (!a || !b) return a ? a : b;
  const bool minus = b->kind == Expr::Kind::negate;
  return binary_of(minus ? "-" : "+", a, minus ? b->args[0] : b);
}

std::vector<Summand> expand(const Piece& piece, const std::string& state, const Recurrence& r) {
  return Expander(state, r).run(piece);
}

}  // namespace weft::dsl
