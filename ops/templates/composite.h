#pragma once
#include "engine/op.h"
#include "ops/mul.h"
#include "ops/sigmoid.h"

namespace weft::ops {

struct NewOp : Composite {
  static constexpr Doc doc{"one line that says what it does", "y = x sigmoid(x)"};

  // Written with other ops: the gradient comes from theirs.
  static Var build(Graph&, const Attrs&, std::span<const Var> x) { return mul(x[0], sigmoid(x[0])); }
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3}}}}; }
};

inline Var new_op(const Var& x) { return apply<NewOp>({x}); }

}  // namespace weft::ops
