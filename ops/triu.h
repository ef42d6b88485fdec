#pragma once
#include "ops/shared/triangle.h"

namespace weft::ops {

struct Triu : Triangle<false> {
  static constexpr Doc doc{"keeps what stands on and above a diagonal of the last two dimensions",
                           "y[i, j] = x[i, j] for j >= i + k, else 0"};
  static constexpr const char* gradient = "dx[i, j] = dy[i, j] for j >= i + k, else 0";
};

inline Var triu(const Var& x, i64 k = 0) { return apply<Triu>({x}, {.k = k}); }

}  // namespace weft::ops
