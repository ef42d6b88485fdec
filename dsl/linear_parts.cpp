#include "dsl/linear_parts.h"

#include <fmt/format.h>

#include <algorithm>

#include "dsl/terms.h"

#include "ops/table.h"

namespace weft::dsl {
namespace {

using Core = Summand::Core;

std::vector<std::string> texts(const std::vector<Piece>& pieces) {
  std::vector<std::string> all;
  for (const Piece& p : pieces) all.push_back(fmt::format("{}{}", p.inverse ? "/" : "", expr_text(*p.value)));
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

const MatrixParts& LinearParts::matrix(const StateForm& f, bool transposed) {
  const auto key = std::pair(f.state->name, transposed);
  if (const auto known = matrices_.find(key); known != matrices_.end()) return known->second;
  const Dims dims = state_dims(builder_, *f.state);
  MatrixParts m;
  m.lead = Dims(dims.begin(), dims.end() - 2);
  m.K = transposed ? dims.back() : dims[dims.size() - 2];
  m.V = transposed ? dims[dims.size() - 2] : dims.back();
  set_decay(f, m);
  const auto all = added(f, transposed, m.lead);
  if (!set_beta(f, all, m)) set_sums(f, all, m);
  if (f.kind == StateClass::rotating) {
    if (transposed)
      throw NotDerivable{fmt::format("`{}` is rotated along its rows and read along its columns", f.state->name),
                         f.where};
    // Turning pairs of rows commutes with a decay of the whole state, and not with one of single rows.
    if (m.decay && !is_one(m.decay.dims().back()))
      throw NotDerivable{fmt::format("the rows of `{}` are turned in pairs and decay one by one", f.state->name),
                         f.where};
    m.theta = theta_of(f);
    m.k = apply("rotate", {m.k, m.theta}, {{"inverse", true}}, f.where)[0];
  }
  return matrices_[key] = m;
}

// S_t = R S_{t-1} + k^T v with R a turn by theta is Z_t = Z_{t-1} + (R^-t k)^T v under S_t = R^t Z_t, and q S = (R^-t
// q) Z.
Var LinearParts::theta_of(const StateForm& f) {
  for (const Summand& t : f.terms) {
    if (!t.rotation) continue;
    const Var theta = build_(t.rotation);
    if (dims_of(theta).size() != 1 || has_batch(theta) || count_time(dims_of(theta)) > 0) {
      throw NotDerivable{fmt::format("the angles `{}` are not the same at all positions", expr_text(*t.rotation.value)),
                         t.rotation.value->span};
    }
    return theta;
  }
  return {};
}

// Every term but those of the state itself as an outer product, all with the same key.
std::vector<LinearParts::Added> LinearParts::added(const StateForm& f, bool transposed, const Dims& lead) {
  std::vector<Added> all;
  for (const Summand& t : f.terms) {
    if (t.core == Core::state) continue;
    const Piece row = t.left ? t.left : t.right ? t.value : Piece{}, column = t.left ? t.value : t.right;
    const bool value_first = bool(t.right);  // the core is the row
    if (!row || !column) {
      throw NotDerivable{fmt::format("`{}` is no outer product of a key and a value", expr_text(*t.value.value)),
                         t.value.value->span};
    }
    if (t.core == Core::read && (t.transposed != transposed || value_first != transposed)) {
      throw NotDerivable{fmt::format("`{}` is read along one dimension and written along the other", f.state->name),
                         f.where};
    }
    all.push_back({&t, t.sign, t.factors, transposed ? column : row, transposed ? row : column});
  }
  const auto other = [&] {
    return std::find_if(all.begin(), all.end(),
                        [&](const Added& a) { return expr_text(*a.key.value) != expr_text(*all[0].key.value); });
  };
  if (other() != all.end()) {  // `k` and `beta * k` are one key
    for (Added& a : all) take_factors_of_key(a, lead);
  }
  if (const auto second = other(); second != all.end()) {
    throw NotDerivable{fmt::format("`{}` is written with two keys, `{}` and `{}`", f.state->name,
                                   expr_text(*all[0].key.value), expr_text(*second->key.value)),
                       f.where};
  }
  return all;
}

void LinearParts::take_factors_of_key(Added& a, const Dims& lead) {
  const auto scales = [&](const ExprPtr& e) { return only(build_({e, a.key.at}), lead); };
  for (;;) {
    const ExprPtr key = a.key.value;
    const auto& args = key->args;
    const bool divides = key->kind == Expr::Kind::binary && key->name == "/";
    if (key->kind == Expr::Kind::negate) {
      a.sign = -a.sign;
      a.key.value = args[0];
    } else if (divides || (key->kind == Expr::Kind::binary && key->name == "*")) {
      const std::size_t factor = !divides && scales(args[0]) ? 0 : 1;
      if (factor == 1 && !scales(args[1])) return;
      a.factors.push_back({args[factor], a.key.at, divides});
      a.key.value = args[1 - factor];
    } else {
      return;
    }
  }
}

void LinearParts::set_decay(const StateForm& f, MatrixParts& m) {
  Part total;
  bool one = true;
  int terms = 0;
  for (const Summand& t : f.terms) {
    if (t.core != Core::state) continue;
    one = one && t.sign > 0 && t.factors.empty();
    total = plus(total, product(t.sign, t.factors, {}, f), f.where);
    ++terms;
  }
  if (one && terms == 1) return;  // a sum
  if (!total) total = number(0, f);
  m.texts.emplace_back("decay", total.text);
  const bool scalar = only(total.value, m.lead);
  Dims target = rows(m, scalar ? Dim(1) : m.K);
  if (scalar) target.pop_back();
  m.decay = fit(total.value, target, 0, f.where);
  if (scalar) {
    target = dims_of(m.decay);
    target.push_back(Dim(1));
    m.decay = renamed(m.decay, target);
  }
}

// The delta rule as papers write it: outer(k, beta * (v - k @ S)), S before its decay or after it.
bool LinearParts::set_beta(const StateForm& f, const std::vector<Added>& all, MatrixParts& m) {
  if (all.size() != 2 || all[0].term->core == all[1].term->core) return false;
  const Added &value = all[0].term->core == Core::free ? all[0] : all[1], &error = &value == &all[0] ? all[1] : all[0];
  if (value.sign < 0 || error.sign > 0 || texts(value.factors) != texts(error.factors)) return false;
  if (expr_text(*error.term->value.value) != expr_text(*error.key.value)) return false;
  std::vector<Piece> own;
  int terms = 0;
  for (const Summand& t : f.terms) {
    if (t.core == Core::state && t.sign > 0) own = t.factors;
    terms += t.core == Core::state;
  }
  const auto inside = texts(error.term->inside);
  if (!inside.empty() && (terms != 1 || inside != texts(own))) return false;
  const Part beta = product(1, value.factors, {}, f);
  if (!only(beta.value, m.lead)) throw NotDerivable{"the strength of a correction differs by element", f.where};
  Dims along = m.lead;
  along.push_back(Dim::symbol("T"));
  m.beta = fit(beta.value, along, 0, f.where);
  m.k = fit(build_(value.key), rows(m, m.K), 2, f.where);
  m.v = fit(build_(value.value), rows(m, m.V), 2, f.where);
  m.error = inside.empty() ? "before" : "decayed";
  m.texts.insert(m.texts.begin(), {{"k", value.key.value}, {"v", value.value.value}, {"beta", beta.text}});
  return true;
}

void LinearParts::set_sums(const StateForm& f, const std::vector<Added>& all, MatrixParts& m) {
  Part k = all.empty() ? number(0, f) : part(all[0].key), v, erase;
  for (const Added& a : all) {
    if (a.term->core == Core::free) {
      std::vector<Piece> to_value;
      for (const Piece& p : a.factors) {  // a factor along the keys belongs to the only key
        Dims keys = m.lead;
        keys.push_back(m.K);
        const Var factor = build_(p);
        if (all.size() == 1 && only(factor, keys) && !only(factor, m.lead)) k = product(1, {p}, k, f);
        else to_value.push_back(p);
      }
      v = plus(v, product(a.sign, to_value, part(a.value), f), f.where);
    } else {
      for (const Piece& p : a.factors) {
        if (!only(build_(p), m.lead))
          throw NotDerivable{"the strength of a correction differs by element", p.value->span};
      }
      std::vector<Piece> factors = a.term->inside;
      factors.insert(factors.end(), a.factors.begin(), a.factors.end());
      erase = plus(erase, product(-a.sign, factors, part(a.term->value), f), f.where);
    }
  }
  if (!v) v = number(0, f);
  m.k = fit(k.value, rows(m, m.K), 2, f.where);
  m.v = fit(v.value, rows(m, m.V), 2, f.where);
  m.texts.insert(m.texts.begin(), {{"k", k.text}, {"v", v.text}});
  if (!erase) return;
  m.erase = fit(erase.value, rows(m, m.K), 2, f.where);
  m.texts.emplace_back("erase", erase.text);
}

// ---- tensors ----------------------------------------------------------------------------------------------------

Dims LinearParts::rows(const MatrixParts& m, const Dim& last) const {
  Dims d = m.lead;
  d.insert(d.end(), {Dim::symbol("T"), last});
  return d;
}

// Whether `v` has none but these dimensions, and time.
bool LinearParts::only(const Var& v, const Dims& allowed) const {
  const Dims dims = dims_of(v);
  return std::all_of(dims.begin(), dims.end(), [&](const Dim& d) {
    return is_time(d) || is_one(d) || std::any_of(allowed.begin(), allowed.end(), [&](const Dim& a) {
             return agree(d, a, builder_.room().definitions);
           });
  });
}

Part LinearParts::number(double value, const StateForm& f) {
  return {builder_.constant(value), number_of(value, *f.update->value)};
}

Part LinearParts::product(int sign, const std::vector<Piece>& factors, const Part& start, const StateForm& f) {
  const Span& at = f.where;
  Var y = start.value;
  for (const Piece& p : factors) {
    const Var factor = build_(p);
    if (!y && !p.inverse) {
      y = factor;
      continue;
    }
    const Operand value{y ? y : builder_.constant(1), "the value", at}, by{factor, expr_text(*p.value), p.value->span};
    y = builder_.apply(*ops::find(p.inverse ? "div" : "mul"), {value, by}, {}, at)[0];
  }
  if (!y) y = builder_.constant(sign);
  else if (sign < 0) y = append(builder_.graph(), "neg", {y})[0];
  return {y, product_of(sign, factors, start.text, *f.update->value)};
}

Part LinearParts::plus(const Part& sum, const Part& term, const Span& at) {
  if (!sum) return term;
  const Operand a{sum.value, "the sum", at}, b{term.value, "a term", at};
  return {builder_.apply(*ops::find("add"), {a, b}, {}, at)[0], sum_of(sum.text, term.text)};
}

Var LinearParts::fit(Var v, const Dims& target, std::size_t full, const Span& at) {
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
  Dims kept;  // a 1 that stands for nothing is left out
  for (int i = static_cast<int>(now.size()); i-- > 0;) {
    const bool placed = std::find(order.begin(), order.end(), i) != order.end();
    if (placed || !is_one(now[static_cast<std::size_t>(i)]))
      kept.insert(kept.begin(), now[static_cast<std::size_t>(i)]);
    else std::for_each(order.begin(), order.end(), [i](int& o) { o -= o > i; });
  }
  v = renamed(v, kept);
  if (order.size() != kept.size()) {
    throw NotDerivable{fmt::format("a part is {}, where {} was expected", text(now), text(target)), at};
  }
  if (!std::is_sorted(order.begin(), order.end())) v = permuted(v, order);
  v = renamed(v, wide);
  Dims whole = wide;
  std::copy(target.end() - static_cast<std::ptrdiff_t>(full), target.end(),
            whole.end() - static_cast<std::ptrdiff_t>(full));
  if (!same_size(whole, wide)) v = append(v.graph(), "expand", {v}, {{"shape", with_batch(whole, has_batch(v))}})[0];
  return v;
}

std::vector<Var> LinearParts::apply(const std::string& op, const std::vector<Var>& inputs,
                                    const std::vector<std::pair<std::string, AttributeValue>>& attributes,
                                    const Span& at) {
  constexpr int kAll = 99;  // no dimension is left for alignment by name
  std::vector<std::optional<Operand>> operands;
  for (const Var& v : inputs) operands.push_back(v ? std::optional(Operand{v, op, at, kAll}) : std::nullopt);
  const Op& row = *ops::find(op);
  return builder_.apply(row, std::move(operands), row.complete(attributes), at);
}

Var LinearParts::swapped(const Var& v) {
  std::vector<int> order(dims_of(v).size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  return permuted(v, order);
}

Var turned(const Var& S, const Var& theta) {
  Graph& g = S.graph();
  const Dims dims = dims_of(S);
  const Dim half = theta.dims()[0];
  const Var c = renamed(append(g, "cos", {theta})[0], {half, Dim(1)}),
            s = renamed(append(g, "sin", {theta})[0], {half, Dim(1)});
  const Var minus = append(g, "neg", {s})[0];
  const Var turn = renamed(append(g, "concat", {c, minus, s, c}, {{"dim", i64{-1}}})[0], {half, Dim(2), Dim(2)});
  Dims pairs(dims.begin(), dims.end() - 2);
  pairs.insert(pairs.end(), {half, Dim(2), dims.back()});
  std::string lead = has_batch(S) ? "z" : "";
  for (std::size_t i = 0; i + 2 < dims.size(); ++i) lead += static_cast<char>('A' + i);
  const Var y =
      append(g, "contract", {turn, renamed(S, pairs)}, {{"pattern", fmt::format("pij,{0}pjv->{0}piv", lead)}})[0];
  return renamed(y, dims);
}

}  // namespace weft::dsl
