// Products of a number and an expression, whose numbers are multiplied out: 0.5 * 2 * x is x.
#pragma once
#include "dsl/terms.h"

namespace weft::dsl {

// factor * rest; without a rest the factor alone.
struct Scaled {
  double factor = 1;
  ExprPtr rest = {};
};

inline Scaled split(const ExprPtr& e) {
  if (e->kind == Expr::Kind::number) return {e->integer ? static_cast<double>(e->whole) : e->number, {}};
  if (e->kind == Expr::Kind::negate) {
    Scaled s = split(e->args[0]);
    s.factor = -s.factor;
    return s;
  }
  if (e->kind != Expr::Kind::binary || (e->name != "*" && e->name != "/")) return {1, e};
  const Scaled a = split(e->args[0]), b = split(e->args[1]);
  if (e->name == "*" && !(a.rest && b.rest)) return {a.factor * b.factor, a.rest ? a.rest : b.rest};
  if (e->name == "/" && !b.rest) return {a.factor / b.factor, a.rest};
  if (a.factor == 1 && b.factor == 1) return {1, e};
  if (e->name == "*") return {a.factor * b.factor, binary_of("*", a.rest, b.rest)};
  return {a.factor / b.factor, binary_of("/", a.rest ? a.rest : number_of(1, *e), b.rest)};
}

inline Scaled times(Scaled c, const ExprPtr& x) {
  const Scaled s = split(x);
  c.factor *= s.factor;
  if (s.rest) c.rest = c.rest ? binary_of("*", c.rest, s.rest) : s.rest;
  return c;
}
inline Scaled over(Scaled c, const ExprPtr& x) {
  const Scaled s = split(x);
  c.factor /= s.factor;
  if (s.rest) c.rest = binary_of("/", c.rest ? c.rest : number_of(1, *x), s.rest);
  return c;
}
inline Scaled minus(Scaled c) { return {-c.factor, c.rest}; }

inline ExprPtr written(const Scaled& c, const Expr& from) {
  if (!c.rest) return number_of(c.factor, from);
  if (c.factor < 0) return negated(written({-c.factor, c.rest}, from));
  return c.factor == 1 ? c.rest : binary_of("*", number_of(c.factor, from), c.rest);
}

}  // namespace weft::dsl
