// What kind of system a recurrence is, found from its equations alone.
//
//     S: gamma * S + outer(k, v)      decay
//     S: S + outer(k, v - k @ S)      delta
//     m: 0.9 * m + g, w: w - m        w is a sum: it reads m, and m does not read it
//     m: m + g * w, w: w - m          a system: they read each other
//
// The update of each state is a sum of terms that are linear in it (algebra.h). What is not has the sequential form
// alone, with the reason.
#pragma once
#include "dsl/algebra.h"

namespace weft::dsl {

std::string_view name(StateClass c);

struct StateForm {
  const StateDef* state = nullptr;
  const Equation* update = nullptr;  // the equation that assigns it
  StateClass kind = StateClass::nonlinear;
  std::string reason;  // why it is that, and no better
  Span where;          // the part of the equation that decides it
  std::vector<Summand> terms;

  bool derivable() const {
    return kind != StateClass::affine && kind != StateClass::system && kind != StateClass::nonlinear;
  }
  /// Whether it is a sum of outer products, read by `q @ S`; other states are read element by element.
  bool is_matrix() const;
};

/// One form a state, in the order of declaration; one whose update had an error and is missing is nonlinear.
std::vector<StateForm> classify(const Recurrence& recurrence);

/// Whether `expr` reads a state, itself or through an equation of the step.
bool reads_state(const Expr& expr, const Recurrence& recurrence);

}  // namespace weft::dsl
