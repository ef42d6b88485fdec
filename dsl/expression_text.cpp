// Expressions as text, and the names in them.

#include <algorithm>

#include <fmt/format.h>

#include "dsl/expression.h"

namespace weft::dsl {
namespace {

constexpr int kAtom = 10;

// The same order as the parser's: an operand weaker than its place needs parentheses.
int strength(const Expr& expr) {
  switch (expr.kind) {
    case Expr::Kind::conditional: return 1;
    case Expr::Kind::logical: return expr.name == "or" ? 2 : 3;
    case Expr::Kind::logical_not: return 4;
    case Expr::Kind::comparison: return 5;
    case Expr::Kind::binary: return expr.name == "+" || expr.name == "-" ? 6 : expr.name == "^" ? 9 : 7;
    case Expr::Kind::negate: return 8;
    default: return kAtom;
  }
}

std::string operand(const Expr& expr, int least) {
  const std::string text = expr_text(expr);
  return strength(expr) < least ? "(" + text + ")" : text;
}

std::string call_text(const Expr& expr) {
  std::string out = expr.name + "(";
  const size_t head = out.size();
  for (const ExprPtr& arg : expr.args) out += (out.size() > head ? ", " : "") + expr_text(*arg);
  for (const NamedArg& arg : expr.named)
    out += fmt::format("{}{}={}", out.size() > head ? ", " : "", arg.name, expr_text(*arg.value));
  return out + ")";
}

std::string infix_text(const Expr& expr) {
  const int own = strength(expr);
  const Expr& left = *expr.args[0];
  const Expr& right = *expr.args[1];
  if (expr.name != "^") {
    const int least_left = expr.kind == Expr::Kind::comparison ? own + 1 : own;
    return fmt::format("{} {} {}", operand(left, least_left), expr.name, operand(right, own + 1));
  }
  // Right-associative; the exponent may carry a sign, and a bare T would read as the transpose.
  const bool time = right.kind == Expr::Kind::name && right.name == "T";
  const int least = right.kind == Expr::Kind::negate ? 8 : 9;
  return fmt::format("{} ^ {}", operand(left, kAtom), time ? "(T)" : operand(right, least));
}

void collect(const Expr& expr, std::vector<std::string>& names) {
  if (expr.kind == Expr::Kind::name && std::find(names.begin(), names.end(), expr.name) == names.end())
    names.push_back(expr.name);
  for (const ExprPtr& arg : expr.args) collect(*arg, names);
  for (const NamedArg& arg : expr.named) collect(*arg.value, names);
}

}  // namespace

std::string expr_text(const Expr& expr) {
  switch (expr.kind) {
    case Expr::Kind::number: return expr.integer ? fmt::format("{}", expr.whole) : real_text(expr.number);
    case Expr::Kind::boolean:
    case Expr::Kind::name: return expr.name;
    case Expr::Kind::text:
      return fmt::format("{0}{1}{0}", expr.name.find('"') == std::string::npos ? '"' : '\'', expr.name);
    case Expr::Kind::negate: return "-" + operand(*expr.args[0], 8);
    case Expr::Kind::logical_not: return "not " + operand(*expr.args[0], 4);
    case Expr::Kind::binary:
    case Expr::Kind::comparison:
    case Expr::Kind::logical: return infix_text(expr);
    case Expr::Kind::conditional:
      return fmt::format("{} if {} else {}", operand(*expr.args[1], 2), operand(*expr.args[0], 2),
                         expr_text(*expr.args[2]));
    case Expr::Kind::transpose: return operand(*expr.args[0], kAtom) + "^T";
    case Expr::Kind::call: return call_text(expr);
    case Expr::Kind::rest: return "...";
  }
  return {};
}

std::string real_text(double value) {
  std::string text = fmt::format("{}", value);
  return text.find_first_not_of("-0123456789") == std::string::npos ? text + ".0" : text;
}

std::string shape_text(const ShapeExpr& shape) {
  std::string out = "[";
  for (const ExprPtr& dim : shape) out += (out.size() > 1 ? ", " : "") + expr_text(*dim);
  return out + "]";
}

std::vector<std::string> names_in(const Expr& expr) {
  std::vector<std::string> names;
  collect(expr, names);
  return names;
}

}  // namespace weft::dsl
