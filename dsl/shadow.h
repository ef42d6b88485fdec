// A recurrence or a fold beside its model: the same room with inputs of its own in place of what the model computes, so
// that one form can be run or counted alone.
#pragma once
#include "dsl/recurrence.h"

namespace weft::dsl {

struct Shadow {
  Diagnostics diagnostics;
  Program program;
  Room room;
  Builder builder{program, program.graph, room};
  std::map<std::string, Var> inputs;  // those that were read

  Shadow(Builder& model, Mode mode);
  Shadow(const Shadow&) = delete;
  /// What `read` gives, after lowering; of a fold not the names that still have the levels.
  std::vector<Var> reads(const std::vector<Equation>& read) const;
};

/// What decides the forms of a recurrence: the equations, choices made, and the sizes.
std::string identity(Builder& builder, const Recurrence& recurrence);

}  // namespace weft::dsl
