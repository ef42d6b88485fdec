#pragma once
// Parameters: declared values of a file or a def, and exact arithmetic over them.

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "dsl/expression.h"
#include "engine/anneal.h"

namespace weft::dsl {

/// A value of an enum parameter, with the words it may be compared to.
struct Word {
  std::string text;
  std::vector<std::string> choices;
  friend bool operator==(const Word& a, const Word& b) { return a.text == b.text; }
};

using Value = std::variant<i64, double, bool, Word, Anneal>;

/// Names and their values; a name without a value is one whose definition failed: it silences what
/// depends on it.
using Scope = std::map<std::string, std::optional<Value>>;

/// How `/` divides whole numbers: a width must come out whole, an equation's factor need not.
enum class Division { exact, real };

struct Param {
  enum class Type { any, whole, real, boolean, word };
  std::string name;
  Span span;
  Type type = Type::any;
  ExprPtr value;  // the default; nullptr when it must be given
  ExprPtr min, max;
  std::vector<std::string> choices;
  std::string about;
  bool broken = false;  // its declaration had an error
};

/// `name=value` at a call.
struct Argument {
  std::string name;
  Span span;
  ExprPtr value;
};

std::string value_text(const Value& value);
std::string_view value_kind(const Value& value);

/// The declarations under `params:`.
std::vector<Param> parse_params(const Yaml& value, Diagnostics& diagnostics);

/// The value of an expression over `scope`; nothing when it has an error (reported) or reads a name
/// that failed.
std::optional<Value> evaluate(const Expr& expr, const Scope& scope, Diagnostics& diagnostics,
                              Division division = Division::exact);

/// The functions of numbers that `evaluate` knows: sqrt, min, ...
const std::vector<std::string>& number_functions();

/// The call `anneal(from, to, steps, shape=linear)`; throws Failed after reporting.
Anneal read_anneal(const Expr& call, const Scope& scope, Diagnostics& diagnostics);
std::string anneal_text(const Anneal& anneal);
/// The help where a number is needed that stands still: empty unless `value` is annealed.
std::string still_number(const Value& value);

/// The same for fields that want a certain type.
std::optional<i64> evaluate_whole(const Expr& expr, const Scope& scope, Diagnostics& diagnostics);
std::optional<double> evaluate_real(const Expr& expr, const Scope& scope, Diagnostics& diagnostics);
std::optional<bool> evaluate_bool(const Expr& expr, const Scope& scope, Diagnostics& diagnostics);

/// Values of all params: arguments are evaluated in `caller`, defaults over the params themselves
/// and `known` (such as T, vocab). `call` is where a missing argument is reported and `owner` names
/// who is called.
Scope evaluate_params(const std::vector<Param>& params, const std::vector<Argument>& arguments, const Scope& caller,
                      const Scope& known, const Span& call, const std::string& owner, Diagnostics& diagnostics);

/// Reports every expression of `check:` that is not true, with the values it read.
void run_checks(const std::vector<ExprPtr>& checks, const Scope& scope, Diagnostics& diagnostics);

}  // namespace weft::dsl
