// How named dimensions meet. Operands are brought to one order of dimensions before an op sees them, so that the op's
// plain broadcasting from the right is right.
//
//     x [H, T, dk] * g [H]        ->  g seen as [H, 1, 1]
//     x [T, D] + y [T, D]         ->  by place
//     x [T, D] + y [D, T]         ->  an error that asks for a transpose
#pragma once
#include "dsl/program.h"

namespace weft::dsl {

struct Operand {
  Var var;
  std::string text;  // as the user wrote it
  Span span;
  int core = 0;  // trailing dimensions that belong to the op and are left alone
};

/// What the sizes a def names itself are made of (`dk: D / H`): two names for one product are the same size.
using Definitions = std::map<std::string, Dim>;

/// Brings the leading dimensions of all operands together; `at` is the operator or call. Throws Failed after reporting.
void align(std::vector<Operand>& operands, const Definitions& definitions, const Span& at, Diagnostics& diagnostics);

/// The same name, or the same size where one has no name or is a product. Two names that a def gives are two
/// dimensions, unless one is defined as the other.
bool agree(const Dim& a, const Dim& b, const Definitions& definitions);

/// Dimensions in another order (`order[i]` is the old place of new dimension i), the batch staying in front.
Var permuted(const Var& v, const std::vector<int>& order);

}  // namespace weft::dsl
