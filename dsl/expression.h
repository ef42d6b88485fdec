#pragma once
// Expressions of the language: text -> syntax tree. Knows no op and no name.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dsl/diagnostic.h"
#include "dsl/yaml.h"

namespace weft::dsl {

using i64 = std::int64_t;

struct Expr;
using ExprPtr = std::shared_ptr<const Expr>;

/// `dim=n` in a call.
struct NamedArg {
  std::string name;
  Span span;  // of the name
  ExprPtr value;
};

struct Expr {
  enum class Kind {
    number,       // number; integer and whole when it was written as a whole number
    boolean,      // whole is 0 or 1
    text,         // name is the content of a "..." or '...' literal
    name,         // name, perhaps dotted
    negate,       // args = {x}
    logical_not,  // args = {x}
    binary,       // name is + - * / // % @ ^, args = {left, right}
    comparison,   // name is == != < <= > >=, args = {left, right}
    logical,      // name is and, or; args = {left, right}
    conditional,  // `a if c else b`: args = {c, a, b}
    transpose,    // x^T: args = {x}
    call,         // name(args..., named...)
    rest,         // `...`, first in a shape only
  };

  Kind kind = Kind::number;
  Span span;  // the whole expression
  Span at;    // the operator, or the name of a call: where a caret explains most
  std::string name;
  double number = 0;
  bool integer = false;
  i64 whole = 0;
  std::vector<ExprPtr> args;
  std::vector<NamedArg> named;
};

using ShapeExpr = std::vector<ExprPtr>;

/// `name: value -> [claim]`.
struct Equation {
  std::string name;
  Span name_span;
  ExprPtr value;
  std::optional<std::vector<ExprPtr>> claim;
  Span claim_span;
};

/// The limits of one expression: they bound every recursive walk over it.
constexpr int kExpressionBytes = 4096;
constexpr int kExpressionDepth = 32;
constexpr int kExpressionNodes = 256;

/// nullptr when the scalar is no expression; reported.
ExprPtr parse_expression(const Yaml& scalar, Diagnostics& diagnostics);

/// The equation of one entry of `let`, `step`, ...; nothing when it has an error; reported.
std::optional<Equation> parse_equation(const Yaml& key, const Yaml& value, Diagnostics& diagnostics);

/// `[D, H * dk]` or `[..., n]`, as a YAML list or as text; nothing when it has an error; reported.
std::optional<ShapeExpr> parse_shape(const Yaml& value, Diagnostics& diagnostics);

/// The expression with the fewest parentheses that keep its meaning.
std::string expr_text(const Expr& expr);
/// The shortest digits that read back as this number, and as no whole one: "3.0".
std::string real_text(double value);
std::string shape_text(const ShapeExpr& shape);

/// Every name the expression reads (not the names of calls and of named arguments), in order, each
/// once.
std::vector<std::string> names_in(const Expr& expr);

/// Letters, digits and underscores, no digit first, and no word of the grammar (`and`, `if`,
/// `true`, ...).
bool is_name(std::string_view text);

}  // namespace weft::dsl
