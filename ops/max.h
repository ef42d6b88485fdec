#pragma once
#include "ops/shared/extreme.h"

namespace weft::ops {

struct Max : Extreme<std::greater<>> {
  static constexpr Doc doc{"the largest element along one dimension; the first of equals has the gradient",
                           "y = max over i of x_i"};
  static constexpr const char* gradient = "dx_i = dy for the first i with x_i = y, else 0";
};

inline Var max(const Var& x, i64 dim) { return apply<Max>({x}, {{dim}}); }

}  // namespace weft::ops
