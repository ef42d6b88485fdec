#include "dsl/expression.h"

#include <fmt/format.h>

#include "dsl/expression_parser.h"

namespace weft::dsl {
namespace {

/// Runs `read` on the parser of a scalar; false when there was an error, reported.
template <typename Read> bool with_parser(const Yaml& scalar, Diagnostics& diagnostics, Read read) {
  const auto text = located_text(scalar, diagnostics);
  if (!text) return false;
  const auto tokens = tokenize(*text, diagnostics);
  if (!tokens) return false;
  try {
    Parser parser(*tokens, diagnostics);
    read(parser);
    parser.finish_text();
    return true;
  } catch (const Failed&) {
    return false;
  }
}

}  // namespace

ExprPtr parse_expression(const Yaml& scalar, Diagnostics& diagnostics) {
  ExprPtr result;
  const bool ok = with_parser(scalar, diagnostics, [&](Parser& parser) { result = parser.expression(); });
  return ok ? result : nullptr;
}

std::optional<Equation> parse_equation(const Yaml& key, const Yaml& value, Diagnostics& diagnostics) {
  Equation result;
  result.name = key.text;
  result.name_span = key.span;
  const bool named = is_name(key.text);
  if (!named) diagnostics.error("E0106", key.span, fmt::format("`{}` cannot name a value", key.text));
  const bool ok = with_parser(value, diagnostics, [&](Parser& parser) {
    result.value = parser.expression();
    if (parser.take("->")) result.claim = parser.shape(result.claim_span);
  });
  if (!ok || !named) return {};
  return result;
}

std::optional<ShapeExpr> parse_shape(const Yaml& value, Diagnostics& diagnostics) {
  ShapeExpr result;
  if (!value.is_list()) {
    Span span;
    const bool ok = with_parser(value, diagnostics, [&](Parser& parser) { result = parser.shape(span); });
    return ok ? std::optional(std::move(result)) : std::nullopt;
  }
  bool all = true;
  for (const Yaml& item : value.items) {
    all &= with_parser(item, diagnostics,
                       [&](Parser& parser) { result.push_back(parser.dimension(&item == &value.items[0])); });
  }
  return all ? std::optional(std::move(result)) : std::nullopt;
}

}  // namespace weft::dsl
