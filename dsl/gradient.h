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

}  // namespace weft::dsl
