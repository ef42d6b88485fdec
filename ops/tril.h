#pragma once
#include "ops/shared/triangle.h"

namespace weft::ops {

struct Tril : Triangle<true> {
  static constexpr Doc doc{"keeps what stands on and below a diagonal of the last two dimensions",
                           "y[i, j] = x[i, j] for j <= i + k, else 0"};
  static constexpr const char* gradient = "dx[i, j] = dy[i, j] for j <= i + k, else 0";
  static bool masks_future(const Attrs& a, const InputDims& in) {
    return a.k <= 0 && same_size(in.at(0, -2), in.at(0, -1));
  }
};

inline Var tril(const Var& x, i64 k = 0) { return apply<Tril>({x}, {.k = k}); }

}  // namespace weft::ops
