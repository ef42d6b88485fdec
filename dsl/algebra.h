// An expression of a step as a sum of terms that are linear in one state.
//
//     S - beta * outer(k, k @ S) + beta * outer(k, v)   ->   S,  -beta outer(k, k @ S),  beta outer(k, v)
//     S + outer(k, beta * (v - old)),  old: k @ S       ->   S,  beta outer(k, v),  -beta outer(k, k @ S)
//
// Names of the step are expanded where they read the state. What is no such sum is told with its reason and its place.
#pragma once
#include "dsl/file.h"

namespace weft::dsl {

/// A part of an expression and where it stands: in equation `at` of the step, or behind all of them. It says which
/// value the name of a state has there.
struct Piece {
  ExprPtr value;
  std::size_t at = 0;
  bool inverse = false;  // as a factor: divides
  explicit operator bool() const { return value != nullptr; }
};

/// sign * factors * core, or outer(left, core), or outer(core, right).
struct Summand {
  enum class Core {
    free,   // `value`, which does not read the state
    state,  // the state, or its transpose
    read,   // `value @ (inside * S)`, or `(inside * S) @ value` when transposed
  };
  int sign = 1;
  std::vector<Piece> factors;
  Core core = Core::free;
  Piece value;
  std::vector<Piece> inside;
  bool transposed = false;
  bool previous = true;  // the state before the step, not after it
  Piece rotation;        // of a state: its angles
  Piece left, right;
};

enum class StateClass { constant, sum, decay, elementwise, rotating, delta, gated_delta, affine, system, nonlinear };

/// Why an expression is no sum of such terms.
struct NotLinear {
  StateClass kind;  // affine or nonlinear
  std::string reason;
  Span where;
};

const StateDef* find_state(const Recurrence& r, const std::string& name);
/// Index of the equation of the step that assigns this name; nothing when none does.
std::optional<std::size_t> assignment(const Recurrence& r, const std::string& name);
/// Whether `expr` reads the state, itself or through an equation of the step.
bool reads(const Expr& expr, const std::string& state, const Recurrence& r);

/// sign * factors * core as an expression, and a + b; empty parts are left out.
ExprPtr product_of(int sign, const std::vector<Piece>& factors, const ExprPtr& core, const Expr& from);
ExprPtr sum_of(const ExprPtr& a, const ExprPtr& b);

/// `piece` as a sum of terms in `state`; outer products of what does not read it are taken apart too. Throws NotLinear.
std::vector<Summand> expand(const Piece& piece, const std::string& state, const Recurrence& r);

}  // namespace weft::dsl
