// Expressions that no file wrote: made by a derivation, with the place of what they were made from.
#pragma once
#include "dsl/expression.h"

namespace weft::dsl {

inline std::shared_ptr<Expr> made(Expr::Kind kind, const Expr& from) {
  auto e = std::make_shared<Expr>();
  e->kind = kind;
  e->span = from.span, e->at = from.at;
  return e;
}
inline ExprPtr number_of(double value, const Expr& from) {
  auto e = made(Expr::Kind::number, from);
  e->number = value;
  e->whole = static_cast<i64>(value);
  e->integer = static_cast<double>(e->whole) == value;
  return e;
}
inline ExprPtr negated(const ExprPtr& x) {
  auto e = made(Expr::Kind::negate, *x);
  e->args = {x};
  return e;
}
inline ExprPtr binary_of(const std::string& op, const ExprPtr& a, const ExprPtr& b) {
  auto e = made(Expr::Kind::binary, *a);
  e->name = op;
  e->args = {a, b};
  return e;
}
inline ExprPtr call_of(const std::string& name, std::vector<ExprPtr> args) {
  auto e = made(Expr::Kind::call, *args.at(0));
  e->name = name;
  e->args = std::move(args);
  return e;
}

}  // namespace weft::dsl
