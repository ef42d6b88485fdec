// What kind of system a recurrence is, found from its equations alone.
//
//     S: gamma * S + outer(k, v)      scalar decay, when gamma has no dimension of the matrix
//     S: S + outer(k, v)              sum
//     m: 0.9 * m + g, w: w - m        a system: w reads m
//
// The update of each state is brought to the form  S' = a S + sum of terms without S. What cannot be brought there has
// the sequential form alone, with the reason.
#pragma once
#include "dsl/file.h"

namespace weft::dsl {

enum class StateClass { constant, sum, decay, rotating, rank_one, affine, system, nonlinear };
std::string_view name(StateClass c);

/// sign * product of factors (an inverse one divides) * value; without a value, times the state itself.
struct Summand {
  struct Factor {
    ExprPtr value;
    bool inverse = false;
  };
  int sign = 1;
  std::vector<Factor> factors;
  ExprPtr value;
};

struct StateForm {
  const StateDef* state = nullptr;
  const Equation* update = nullptr;  // the equation that assigns it
  StateClass kind = StateClass::nonlinear;
  std::string reason;  // why it is no better than that
  Span where;          // the part of the equation that decides it
  std::vector<Summand> own, added;  // for constant, sum and decay

  bool derivable() const { return kind == StateClass::constant || kind == StateClass::sum || kind == StateClass::decay; }
};

/// One form a state, in the order of declaration. Every state must be assigned (the reader saw to it).
std::vector<StateForm> classify(const Recurrence& recurrence);

/// Whether `expr` reads a state, itself or through an equation of the step.
bool reads_state(const Expr& expr, const Recurrence& recurrence);

}  // namespace weft::dsl
