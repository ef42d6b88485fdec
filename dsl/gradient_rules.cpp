// Backward over expressions: each part hands its cotangent on to what it is made of, times its own derivative.
//
// A cotangent may have fewer dimensions than its part: then it is the same along the others. Sums over them appear only
// where a part was broadcast.
#include <fmt/format.h>

#include <algorithm>

#include "dsl/algebra.h"
#include "dsl/gradient.h"
#include "dsl/scaled.h"

namespace weft::dsl {
namespace {

constexpr int kMostParts = 1000;  // of a gradient: what people write has some ten

int parts(const Expr& e) {
  int n = 1;
  for (const ExprPtr& a : e.args) n += parts(*a);
  for (const NamedArg& a : e.named) n += parts(*a.value);
  return n;
}

// Terms with the same rest are one.
using Sum = std::vector<Scaled>;

class Backward {
 public:
  Backward(const GradientSite& site, const StateDef& state, const Dims& objective)
      : site_(site), r_(site.recurrence), state_(state.name), known_(r_.step.size()), adjoints_(r_.step.size()) {
    Expr name;
    name.kind = Expr::Kind::name;
    name.name = state_;
    const Dims own = site.dims(name);
    for (std::size_t i = 0; i + 2 < own.size(); ++i) lead_.push_back(own[i].text());
    for (const Dim& d : objective) lead_.push_back(d.text());
  }

  bool depends(const Expr& e) { return depends(e, site_.at); }
  ExprPtr run(const ExprPtr& objective) {
    push(objective, site_.at, {});
    for (std::size_t j = site_.at; j-- > 0;) {
      if (!adjoints_[j].empty()) push(r_.step[j].value, j, joined(adjoints_[j], *objective));
    }
    if (own_.empty()) return number_of(0, *objective);
    return written(joined(own_, *objective), *objective);
  }

 private:
  [[noreturn]] void fail(const Expr& e, const std::string& why) const {
    site_.diagnostics.error("E0320", e.span, fmt::format("`{}` cannot be differentiated here", expr_text(e)))
        .note(why)
        .help(
            "build the objective with + - * / ^ @ dot outer sum mean and functions of single elements, or write the "
            "update itself");
    throw Failed{};
  }

  // ---- what depends on the state, and where ----------------------------------------------------------------------

  // The equation that a name at equation j stands for; nothing for a value from before the step or from outside.
  std::optional<std::size_t> definition(const std::string& name, std::size_t j) const {
    const auto at = assignment(r_, name);
    return at && *at < j ? at : std::nullopt;
  }
  bool depends(const Expr& e, std::size_t j) {
    if (e.kind == Expr::Kind::name) {
      if (e.name == state_) return true;
      const auto at = definition(e.name, j);
      if (!at) return false;
      if (!known_[*at]) known_[*at] = depends(*r_.step[*at].value, *at);
      return *known_[*at];
    }
    if (e.kind == Expr::Kind::call && e.name == "prev") return e.args.size() == 1 && e.args[0]->name == state_;
    if (e.kind == Expr::Kind::call && e.name == "stop_gradient") return false;
    const auto any = [&](const ExprPtr& a) { return depends(*a, j); };
    return std::any_of(e.args.begin(), e.args.end(), any) ||
           std::any_of(e.named.begin(), e.named.end(), [&](const NamedArg& a) { return any(a.value); });
  }
  // What stands at equation j, as it is told at the place of the gradient: a state assigned in between is `prev` there.
  ExprPtr told(const ExprPtr& e, std::size_t j) const {
    if (j == site_.at) return e;
    if (e->kind == Expr::Kind::name) {
      const auto at = find_state(r_, e->name) ? assignment(r_, e->name) : std::nullopt;
      return at && *at >= j && *at < site_.at ? call_of("prev", {e}) : e;
    }
    if (e->kind == Expr::Kind::call && e->name == "prev") return e;
    auto copy = std::make_shared<Expr>(*e);
    for (ExprPtr& a : copy->args) a = told(a, j);
    return copy;
  }

  // ---- cotangents ------------------------------------------------------------------------------------------------

  void require_small(const Expr& gradient, const Expr& of) const {
    if (parts(gradient) > kMostParts) fail(of, fmt::format("its gradient has more than {} parts", kMostParts));
  }
  static void add(Sum& sum, const Scaled& c) {
    const std::string text = c.rest ? expr_text(*c.rest) : "";
    for (Scaled& s : sum) {
      if ((s.rest ? expr_text(*s.rest) : "") != text) continue;
      s.factor += c.factor;
      return;
    }
    sum.push_back(c);
  }
  Scaled joined(const Sum& sum, const Expr& from) const {
    if (sum.size() == 1) return sum[0];
    ExprPtr all;
    for (const Scaled& s : sum) {
      if (s.factor != 0) all = sum_of(all, written(s, from));
    }
    if (!all) return {0, {}};
    require_small(*all, from);
    return {1, all};
  }
  Dims dims(const ExprPtr& e) const { return e ? site_.dims(*e) : Dims{}; }
  // The dimensions that are not heads.
  Dims core(const Dims& all) const {
    Dims c;
    for (const Dim& d : all) {
      if (std::find(lead_.begin(), lead_.end(), d.text()) == lead_.end()) c.push_back(d);
    }
    return c;
  }
  // Of a part with the dimensions `from` to one with `to` that was broadcast in it.
  Scaled reduced(Scaled c, Dims from, const Dims& to) const {
    for (const Dim& d : to) {
      const auto at = std::find_if(from.begin(), from.end(), [&](const Dim& f) { return f.text() == d.text(); });
      if (at != from.end()) from.erase(at);
    }
    for (const Dim& d : from) {
      if (c.rest && has(dims(c.rest), d)) c.rest = summed(c.rest, d);
      else c.factor *= static_cast<double>(d.value());
    }
    return c;
  }
  ExprPtr summed(const ExprPtr& x, const Dim& d) const {
    const Dims all = dims(x);
    const auto at = std::find_if(all.rbegin(), all.rend(), [&](const Dim& a) { return a.text() == d.text(); });
    auto axis = made(Expr::Kind::name, *x);
    axis->name = d.text();
    const double back = -1 - static_cast<double>(at - all.rbegin());
    auto e = std::make_shared<Expr>(*call_of("sum", {x}));
    e->named.push_back({"dim", x->span, d.has_name() && is_name(d.text()) ? axis : number_of(back, *x)});
    return e;
  }

  // ---- the rules -------------------------------------------------------------------------------------------------

  void push(const ExprPtr& p, std::size_t j, const Scaled& c) {
    const Expr& e = *p;
    if (c.factor == 0 || !depends(e, j)) return;
    if (c.rest) require_small(*c.rest, e);
    switch (e.kind) {
      case Expr::Kind::name:
        if (e.name == state_) return add(own_, c);
        return add(adjoints_[*definition(e.name, j)], c);
      case Expr::Kind::negate: return push(e.args[0], j, minus(c));
      case Expr::Kind::transpose: return push(e.args[0], j, transposed(c, e));
      case Expr::Kind::binary: return binary(p, j, c);
      case Expr::Kind::call: return call(p, j, c);
      default: fail(e, "it has no derivative");
    }
  }
  Scaled transposed(Scaled c, const Expr& e) const {
    if (!c.rest || core(dims(c.rest)).empty()) return c;
    if (core(dims(c.rest)).size() != 2) fail(e, "its cotangent is no matrix");
    if (c.rest->kind == Expr::Kind::call && c.rest->name == "outer") {
      c.rest = call_of("outer", {c.rest->args[1], c.rest->args[0]});
    } else if (c.rest->kind == Expr::Kind::transpose) {
      c.rest = c.rest->args[0];
    } else {
      auto t = made(Expr::Kind::transpose, *c.rest);
      t->args = {c.rest};
      c.rest = t;
    }
    return c;
  }

  void binary(const ExprPtr& p, std::size_t j, const Scaled& c) {
    const Expr& e = *p;
    const ExprPtr &a = e.args[0], &b = e.args[1], x = told(a, j), y = told(b, j);
    if (e.name == "@") return product(a, b, j, c, e, false);
    if (e.name != "+" && e.name != "-" && e.name != "*" && e.name != "/" && e.name != "^")
      fail(e, "it has no derivative");
    const Dims all = site_.dims(e), left = dims(a), right = dims(b);
    const auto to = [&](const ExprPtr& side, const Dims& own, const Scaled& cotangent) {
      if (depends(*side, j)) push(side, j, reduced(cotangent, all, own));
    };
    if (e.name == "+" || e.name == "-") {
      to(a, left, c);
      to(b, right, e.name == "-" ? minus(c) : c);
    } else if (e.name == "*") {
      to(a, left, times(c, y));
      to(b, right, times(c, x));
    } else if (e.name == "/") {
      to(a, left, over(c, y));
      to(b, right, minus(over(times(c, told(p, j)), y)));
    } else {
      if (depends(*b, j)) fail(e, "the exponent depends on the state");
      const Scaled n = split(y);
      const bool number = !n.rest;
      const ExprPtr less = number ? number_of(n.factor - 1, e) : binary_of("-", y, number_of(1, e));
      const ExprPtr power = number && n.factor == 2 ? x : binary_of("^", x, less);
      to(a, left, number && n.factor == 1 ? c : times(times(c, y), power));
    }
  }

  // a @ b, or with `last` the sum over the last dimension of both.
  void product(const ExprPtr& a, const ExprPtr& b, std::size_t j, const Scaled& c, const Expr& e, bool last) {
    const Dims left = dims(a), right = dims(b), all = site_.dims(e);
    const std::size_t m = core(left).size(), n = core(right).size();
    const ExprPtr x = told(a, j), y = told(b, j);
    const auto to = [&](const ExprPtr& side, const auto& cotangent) {
      if (depends(*side, j)) push(side, j, cotangent());
    };
    if (m == n && (m == 1 || last)) {
      to(a, [&] { return reduced(times(c, y), sized(left, all), left); });
      to(b, [&] { return reduced(times(c, x), sized(right, all), right); });
    } else if (m == 1 && n == 2) {  // a row and a matrix: its columns with `last`
      to(a, [&] { return last ? from_rows(c, y, right[right.size() - 2]) : from_columns(c, y, right.back()); });
      to(b, [&] { return last ? pair(c, c.rest, x, right[right.size() - 2]) : pair(c, x, c.rest, right.back()); });
    } else if (m == 2 && n == 1) {  // a matrix and a column
      to(a, [&] { return pair(c, c.rest, y, left[left.size() - 2]); });
      to(b, [&] { return from_rows(c, x, left[left.size() - 2]); });
    } else if (m == 2 && n == 2 && c.rest && core(dims(c.rest)).size() == 2) {
      to(a, [&] { return Scaled{c.factor, binary_of("@", c.rest, transposed({1, y}, e).rest)}; });
      to(b, [&] { return Scaled{c.factor, binary_of("@", transposed({1, x}, e).rest, c.rest)}; });
    } else {
      fail(e, fmt::format("the gradient of a product of {} and {} is not known here", text(left), text(right)));
    }
  }
  // The dimensions of a side with those that the product has more.
  static Dims sized(Dims own, const Dims& all) {
    for (const Dim& d : all) {
      if (!has(own, d)) own.push_back(d);
    }
    return own;
  }
  // The gradient of a matrix: an outer product, of which the cotangent is one side. Where the cotangent is the same
  // along its dimension, so is the gradient.
  Scaled pair(const Scaled& c, const ExprPtr& rows, const ExprPtr& columns, const Dim& own) const {
    const ExprPtr& other = rows == c.rest ? columns : rows;
    if (!c.rest || !has(dims(c.rest), own)) return times(c, other);
    return {c.factor, call_of("outer", {rows, columns})};
  }
  // sum_j c_j M_ij, and sum_i c_i M_ij.
  Scaled from_columns(const Scaled& c, const ExprPtr& matrix, const Dim& d) const {
    if (!c.rest || !has(dims(c.rest), d)) return times(c, summed(matrix, d));
    return {c.factor, call_of("dot", {matrix, c.rest})};
  }
  Scaled from_rows(const Scaled& c, const ExprPtr& matrix, const Dim& d) const {
    if (!c.rest || !has(dims(c.rest), d)) return times(c, summed(matrix, d));
    return {c.factor, binary_of("@", c.rest, matrix)};
  }

  void call(const ExprPtr& p, std::size_t j, const Scaled& c) {
    const Expr& e = *p;
    if (e.name == "prev") return add(own_, c);
    const bool two = e.args.size() == 2 && e.named.empty();
    if (e.name == "dot" && two) return product(e.args[0], e.args[1], j, c, e, true);
    if (e.name == "outer" && two) return outer(e, j, c);
    if ((e.name == "sum" || e.name == "mean") && !e.args.empty()) {
      const Dims from = dims(e.args[0]), to = site_.dims(e);
      double count = 1;
      for (const Dim& d : from) count *= static_cast<double>(d.value());
      for (const Dim& d : to) count /= static_cast<double>(d.value());
      return push(e.args[0], j, e.name == "sum" ? c : over(c, number_of(count, e)));
    }
    if ((e.name == "maximum" || e.name == "minimum") && two) {
      const ExprPtr a = told(e.args[0], j), b = told(e.args[1], j);
      const ExprPtr first = call_of(e.name == "maximum" ? "greater_equal" : "less_equal", {a, b});
      const Dims all = site_.dims(e);
      if (depends(*e.args[0], j)) push(e.args[0], j, reduced(times(c, first), all, dims(a)));
      if (depends(*e.args[1], j))
        push(e.args[1], j, reduced(times(c, binary_of("-", number_of(1, e), first)), all, dims(b)));
      return;
    }
    const bool plain = e.args.size() == 1 && e.named.empty();
    const ExprPtr by = plain ? slope(e.name, told(e.args[0], j), told(p, j)) : nullptr;
    if (!by) fail(e, fmt::format("the derivative of `{}` is not known as an expression", e.name));
    push(e.args[0], j, times(c, by));
  }
  void outer(const Expr& e, std::size_t j, const Scaled& c) {
    const ExprPtr a = told(e.args[0], j), b = told(e.args[1], j);
    const Dims left = dims(a), right = dims(b);
    const std::size_t full = c.rest ? core(dims(c.rest)).size() : 0;
    if (core(left).size() != 1 || core(right).size() != 1 || full == 1) fail(e, "its cotangent is no matrix");
    const auto sides = [&](const ExprPtr& side, const Scaled& whole, const Scaled& even) {
      if (depends(*side, j)) push(side, j, full == 2 ? whole : even);
    };
    sides(e.args[0], {c.factor, full ? call_of("dot", {c.rest, b}) : nullptr},
          full ? c : times(c, summed(b, right.back())));
    sides(e.args[1], {c.factor, full ? binary_of("@", a, c.rest) : nullptr},
          full ? c : times(c, summed(a, left.back())));
  }

  const GradientSite& site_;
  const Recurrence& r_;
  const std::string state_;
  std::vector<std::string> lead_;           // dimensions of which each index has an objective of its own
  std::vector<std::optional<bool>> known_;  // whether an equation depends on the state
  std::vector<Sum> adjoints_;               // of the equations
  Sum own_;                                 // of the state
};

}  // namespace

bool has(const Dims& all, const Dim& d) {
  return std::any_of(all.begin(), all.end(), [&](const Dim& a) { return a.text() == d.text(); });
}

ExprPtr backward(const ExprPtr& objective, const StateDef& state, const Dims& scalar, const GradientSite& site) {
  Backward b(site, state, scalar);
  return b.depends(*objective) ? b.run(objective) : nullptr;
}

}  // namespace weft::dsl
