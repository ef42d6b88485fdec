// Builder: expressions and equations. Calls are in calls.cpp, products in matmul.cpp.
#include "dsl/builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "dsl/define.h"
#include "ops/table.h"

namespace weft::dsl {
namespace {

double real(const Value& v) {
  return std::holds_alternative<i64>(v) ? static_cast<double>(std::get<i64>(v)) : std::get<double>(v);
}
bool is_number(const Value& v) { return std::holds_alternative<i64>(v) || std::holds_alternative<double>(v); }

ExprPtr number_expr(const Value& v, const Span& span) {
  auto e = std::make_shared<Expr>();
  e->span = e->at = span;
  e->integer = std::holds_alternative<i64>(v);
  if (e->integer) e->whole = std::get<i64>(v);
  e->number = real(v);
  return e;
}

const char* op_of(const std::string& symbol) {
  return symbol == "+" ? "add" : symbol == "-" ? "sub" : symbol == "*" ? "mul" : symbol == "/" ? "div" : "pow";
}

}  // namespace

void Builder::fail(std::string_view code, const Span& span, const std::string& message, const std::string& help) {
  program_.diagnostics.error(code, span, message).help(help);
  throw Failed{};
}

// Whether numbers alone decide it.
bool Builder::arithmetic(const Expr& expr) const {
  switch (expr.kind) {
    case Expr::Kind::number:
    case Expr::Kind::boolean: return true;
    case Expr::Kind::name: return room_.numbers.contains(expr.name);
    case Expr::Kind::transpose:
    case Expr::Kind::text:
    case Expr::Kind::rest: return false;
    case Expr::Kind::call: {
      const auto& known = number_functions();
      if (!expr.named.empty() || std::find(known.begin(), known.end(), expr.name) == known.end()) return false;
      break;
    }
    case Expr::Kind::binary:
      if (expr.name == "@") return false;
      break;
    default: break;
  }
  return std::all_of(expr.args.begin(), expr.args.end(), [&](const ExprPtr& e) { return arithmetic(*e); });
}

Term Builder::term(const Expr& expr) {
  if (intercept) {
    if (auto found = intercept(expr)) return *found;
  }
  if (arithmetic(expr)) {
    const auto value = evaluate(expr, room_.numbers, program_.diagnostics, Division::real);
    if (!value) throw Failed{};
    return *value;
  }
  switch (expr.kind) {
    case Expr::Kind::name: return name(expr);
    case Expr::Kind::text: return Value(Word{expr.name, {}});
    case Expr::Kind::negate: return apply(*ops::find("neg"), {operand(*expr.args[0])}, {}, expr.at)[0];
    case Expr::Kind::binary: return binary(expr);
    case Expr::Kind::conditional: return conditional(expr);
    case Expr::Kind::transpose: return transposed(expr);
    case Expr::Kind::call: return call(expr);
    default: break;
  }
  fail("E0206", expr.at, "comparisons are for params and `check`, not for tensors",
       "`greater(a, b)` gives 1 and 0, `where(c, a, b)` chooses by them");
}

std::vector<std::string> Builder::visible() const {
  std::vector<std::string> names = {"T"};
  for (const auto& [name, value] : room_.numbers) names.push_back(name);
  for (const auto& [name, var] : room_.tensors) names.push_back(name);
  for (const auto& [name, make] : room_.weights) names.push_back(name);
  return names;
}

Term Builder::name(const Expr& expr) {
  if (room_.failed.contains(expr.name)) throw Failed{};
  if (const auto found = room_.tensors.find(expr.name); found != room_.tensors.end()) return found->second;
  if (const auto found = room_.weights.find(expr.name); found != room_.weights.end()) {
    return room_.tensors[expr.name] = found->second();
  }
  if (bridge_) {
    if (auto found = bridge_->find(expr)) return *found;
  } else if (expr.name == "T") {
    program_.repeats = expr.span;  // a part of a stream does not know the length of the whole
    return append(graph_, "size", {}, {{"length", Dim::symbol("T")}})[0];
  }
  Diagnostic& d = program_.diagnostics.error("E0201", expr.span, fmt::format("`{}` is not defined here", expr.name));
  if (bridge_ && expr.name == "T")
    d.note("a step sees one position, a merge two nodes: the length of the sequence is not known in them");
  else if (const auto hint = room_.hints.find(expr.name); hint != room_.hints.end()) d.help(hint->second);
  else if (expr.name.ends_with(".T")) d.help(fmt::format("write `{}^T`", expr.name.substr(0, expr.name.size() - 2)));
  else if (ops::find(expr.name) || find_def(*room_.module, expr.name, true))
    d.help(fmt::format("`{}` is {}: call it, as in `{}(x)`", expr.name, ops::find(expr.name) ? "an op" : "a def",
                       expr.name));
  else d.help(guess_text(expr.name, visible()));
  throw Failed{};
}

Var Builder::constant(double value) { return graph_.constant(Tensor::full({}, value, DType::f64)); }

Var Builder::tensor(const Expr& expr) {
  const Term t = term(expr);
  if (const Var* v = std::get_if<Var>(&t)) return *v;
  const Value& value = std::get<Value>(t);
  if (!is_number(value)) {
    fail("E0206", expr.span, fmt::format("a tensor or a number was expected, not {}", value_kind(value)),
         still_number(value));
  }
  return constant(real(value));
}

Operand Builder::operand(const Expr& expr, int core) { return {tensor(expr), expr_text(expr), expr.span, core}; }

Term Builder::binary(const Expr& expr) {
  if (expr.name == "@") return matmul(expr);
  std::optional<Term> tried;
  try {
    tried = term(*expr.args[0]);
  } catch (const Failed&) {  // the errors of the other side are told too
  }
  const Term right = term(*expr.args[1]);
  if (!tried) throw Failed{};
  const Term& left = *tried;
  const Value* a = std::get_if<Value>(&left);
  const Value* b = std::get_if<Value>(&right);
  if (a && b && is_number(*a) && is_number(*b)) {  // a choice between numbers was made on the way
    Expr folded = expr;
    folded.args = {number_expr(*a, expr.args[0]->span), number_expr(*b, expr.args[1]->span)};
    const auto value = evaluate(folded, {}, program_.diagnostics, Division::real);
    if (!value) throw Failed{};
    return *value;
  }
  if (expr.name == "//" || expr.name == "%") {
    fail("E0206", expr.at, fmt::format("`{}` is for numbers, not for tensors", expr.name));
  }
  const auto side = [&](const Term& t, const Expr& e) -> Operand {
    if (const Var* v = std::get_if<Var>(&t)) return {*v, expr_text(e), e.span};
    const Value& value = std::get<Value>(t);
    if (!is_number(value)) {
      fail("E0206", e.span, fmt::format("{} is no operand of `{}`", value_text(value), expr.name), still_number(value));
    }
    return {constant(real(value)), expr_text(e), e.span};
  };
  const Operand x = side(left, *expr.args[0]);
  if (expr.name == "^" && b && is_number(*b) && real(*b) == 2) return apply(*ops::find("square"), {x}, {}, expr.at)[0];
  return apply(*ops::find(op_of(expr.name)), {x, side(right, *expr.args[1])}, {}, expr.at)[0];
}

Term Builder::conditional(const Expr& expr) {
  const auto chosen = evaluate_bool(*expr.args[0], room_.numbers, program_.diagnostics);
  if (!chosen) throw Failed{};
  return term(*expr.args[*chosen ? 1 : 2]);
}

Var Builder::transposed(const Expr& expr) {
  const Var x = tensor(*expr.args[0]);
  const int rank = static_cast<int>(dims_of(x).size());
  if (rank < 2) {
    fail("E0206", expr.at,
         fmt::format("`^T` swaps the last two dimensions; `{}` is {}", expr_text(*expr.args[0]), text(dims_of(x))));
  }
  std::vector<int> order(static_cast<std::size_t>(rank));
  for (int i = 0; i < rank; ++i) order[static_cast<std::size_t>(i)] = i;
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  return permuted(x, order);
}

Dim Builder::size(const Expr& expr) {
  try {
    const Dim d = named_size(expr);
    constexpr i64 kLargest = std::numeric_limits<i32>::max();
    if (!d.known() || (d.value() >= 0 && d.value() <= kLargest)) return d;
    fail("E0403", expr.span, fmt::format("a size cannot be {}: it is from 0 to {}", d.value(), kLargest));
  } catch (const Error&) {  // the product of two sizes overflows
    fail("E0403", expr.span, fmt::format("`{}` is too large for a size", expr_text(expr)));
  }
}

Dim Builder::named_size(const Expr& expr) {
  if (expr.kind == Expr::Kind::name) {
    if (room_.failed.contains(expr.name)) throw Failed{};
    if (expr.name == "T") return Dim::symbol("T");
    if (const auto found = room_.sizes.find(expr.name); found != room_.sizes.end()) return found->second;
  }
  if (expr.kind == Expr::Kind::binary && (expr.name == "*" || expr.name == "+" || expr.name == "/")) {
    const Dim a = named_size(*expr.args[0]), b = named_size(*expr.args[1]);
    if (expr.name == "*") return a * b;
    if (expr.name == "+") return a + b;
    if (const auto q = Dim::quotient(a, b)) return *q;
    if (!a.known() || !b.known())
      fail("E0408", expr.at, fmt::format("{} / {} is not a whole size", a.text(), b.text()));
  }
  const std::vector<std::string> names = names_in(expr);
  if (std::find(names.begin(), names.end(), "T") != names.end() && !room_.numbers.contains("T")) {
    fail("E0304", expr.span, fmt::format("`{}` is no size that holds for every length", expr_text(expr)),
         "with `T`, sums and products are known");
  }
  const auto value = evaluate_whole(expr, room_.numbers, program_.diagnostics);
  if (!value) throw Failed{};
  return *value;
}

Dims Builder::shape(const ShapeExpr& shape) {
  Dims dims;
  for (const ExprPtr& e : shape) dims.push_back(size(*e));
  return dims;
}

Var Builder::claimed(const Var& v, const Equation& equation) {
  if (!equation.claim) return v;
  const ShapeExpr& claim = *equation.claim;
  const bool open = !claim.empty() && claim[0]->kind == Expr::Kind::rest;
  const Dims now = dims_of(v);
  Dims dims = shape(open ? ShapeExpr(claim.begin() + 1, claim.end()) : claim);
  if (open && dims.size() <= now.size()) {
    dims.insert(dims.begin(), now.begin(), now.end() - static_cast<std::ptrdiff_t>(dims.size()));
  }
  if (!same_size(dims, now)) {
    program_.diagnostics
        .error("E0205", equation.claim_span, fmt::format("`{}` is claimed to be {}", equation.name, shape_text(claim)))
        .note(fmt::format("it is {}", text(now)), equation.value->span);
    throw Failed{};
  }
  const Var result = renamed(v, dims);
  if (masked(v)) program_.masked.insert(result.id());
  return result;
}

Term Builder::value(const Equation& equation) {
  graph_.set_origin(place_text(equation.value->span));
  graph_.set_stream(Key{}.fold(room_.path).fold(equation.name));
  equation_ = equation.name;
  calls_.clear();
  const Term t = term(*equation.value);
  if (const Var* v = std::get_if<Var>(&t)) return claimed(*v, equation);
  if (equation.claim && !equation.claim->empty()) return claimed(tensor(*equation.value), equation);
  return t;
}

void Builder::define(const Equation& equation) {
  try {
    const Term t = value(equation);
    if (const Var* v = std::get_if<Var>(&t)) room_.tensors[equation.name] = *v;
    else room_.numbers[equation.name] = std::get<Value>(t);
  } catch (const Failed&) {
    room_.failed.insert(equation.name);
  }
}

}  // namespace weft::dsl
