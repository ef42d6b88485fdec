// Values as text, and values in the type a field wants.

#include <fmt/format.h>

#include "dsl/params.h"

namespace weft::dsl {

std::string value_text(const Value& value) {
  if (const i64* whole = std::get_if<i64>(&value)) return fmt::format("{}", *whole);
  if (const double* real = std::get_if<double>(&value)) return real_text(*real);
  if (const bool* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
  if (const Anneal* anneal = std::get_if<Anneal>(&value)) return anneal_text(*anneal);
  return std::get<Word>(value).text;
}

std::string_view value_kind(const Value& value) {
  constexpr std::string_view kKinds[] = {"the whole number", "the number", "the truth value", "the word",
                                         "the annealed number"};
  return kKinds[value.index()];
}

std::optional<i64> evaluate_whole(const Expr& expr, const Scope& scope, Diagnostics& diagnostics) {
  const auto value = evaluate(expr, scope, diagnostics);
  if (!value) return {};
  if (const i64* whole = std::get_if<i64>(&*value)) return *whole;
  diagnostics.error("E0402", expr.span, fmt::format("a whole number was expected, not {}", value_text(*value)))
      .help(std::holds_alternative<double>(*value) ? "use `floor(...)` or `//`" : still_number(*value));
  return {};
}

std::optional<double> evaluate_real(const Expr& expr, const Scope& scope, Diagnostics& diagnostics) {
  const auto value = evaluate(expr, scope, diagnostics, Division::real);
  if (!value) return {};
  if (const i64* whole = std::get_if<i64>(&*value)) return static_cast<double>(*whole);
  if (const double* real = std::get_if<double>(&*value)) return *real;
  diagnostics
      .error("E0402", expr.span,
             fmt::format("a number was expected, not {} {}", value_kind(*value), value_text(*value)))
      .help(still_number(*value));
  return {};
}

std::optional<bool> evaluate_bool(const Expr& expr, const Scope& scope, Diagnostics& diagnostics) {
  const auto value = evaluate(expr, scope, diagnostics);
  if (!value) return {};
  if (const bool* truth = std::get_if<bool>(&*value)) return *truth;
  diagnostics.error("E0402", expr.span, fmt::format("a condition was expected, not {}", value_text(*value)))
      .help("compare it, as in `n > 0`");
  return {};
}

}  // namespace weft::dsl
