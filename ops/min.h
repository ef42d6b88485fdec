#pragma once
#include "ops/shared/extreme.h"

namespace weft::ops {

struct Min : Extreme<std::less<>> {
  static constexpr Doc doc{"the smallest element along one dimension; the first of equals has the gradient",
                           "y = min over i of x_i"};
  static constexpr const char* gradient = "dx_i = dy for the first i with x_i = y, else 0";
};

inline Var min(const Var& x, i64 dim) { return apply<Min>({x}, {{dim}}); }

}  // namespace weft::ops
