// A def at work: its params, sizes and weights for one call, its equations in the graph.
#pragma once
#include "dsl/builder.h"

namespace weft::dsl {

struct DefCall {
  FoundDef found;
  std::string name;                            // as called
  std::vector<Argument> args;                  // its params, in the words of the caller
  std::vector<std::optional<Operand>> inputs;  // in the order of `in`
  std::string path;                            // where it stands: the prefix of its weights
  Span span;                                   // of the call
  std::optional<WeightSlot> tie = {};          // stands for its matrix
};

/// The value of `out` in the caller's names. Throws Failed.
Var instantiate(Builder& caller, const DefCall& call);

}  // namespace weft::dsl
