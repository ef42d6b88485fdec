// `grad(expr, S)` in a step: the gradient of a scalar with respect to a state, as an expression of the language.
//
//     S - beta * grad(0.5 * sum((k @ S - v)^2, dim=dv), S)   ->   S - beta * outer(k, k @ S - v)
//
// It is derived and simplified before anything else looks at the recurrence, so that a rule that is told by its
// objective has the class, and the forms, of the same rule written out.
#pragma once
#include <functional>

#include "dsl/explanation.h"
#include "dsl/file.h"

namespace weft::dsl {

/// An equation of a step, with all that stands above it known.
struct GradientSite {
  const Recurrence& recurrence;
  std::size_t at;                         // which equation
  std::function<Dims(const Expr&)> dims;  // of an expression there; throws Failed after reporting
  Diagnostics& diagnostics;
};

bool has_gradient(const Recurrence& recurrence);

/// The expression with each `grad` replaced, and told in `found`. Throws Failed after reporting.
ExprPtr with_gradients(const ExprPtr& expr, const GradientSite& site, std::vector<GradientReport>& found);

/// The gradient of an objective with these dimensions by a state; null when it does not read that (gradient_rules.cpp).
ExprPtr backward(const ExprPtr& objective, const StateDef& state, const Dims& scalar, const GradientSite& site);
/// The slope dy/dx of a function of single elements, y being its call on x; null for one that has none here
/// (slope.cpp).
ExprPtr slope(const std::string& name, const ExprPtr& x, const ExprPtr& y);
/// Whether a dimension of that name is among them.
bool has(const Dims& all, const Dim& dim);

}  // namespace weft::dsl
