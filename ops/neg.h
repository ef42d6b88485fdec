#pragma once
#include "engine/op.h"

namespace weft::ops {

struct Neg : Pointwise {
  static constexpr Doc doc{"the negative", "y = -x"};
  static constexpr const char* gradient = "dx = -dy";
  static constexpr Reads reads{.inputs = 0};

  template <class T> static T value(const Attrs&, T x) { return -x; }
  template <class T> static std::array<T, 1> slopes(const Attrs&, T, T) { return {T(-1)}; }
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3}}}}; }
};

inline Var neg(const Var& x) { return apply<Neg>({x}); }

}  // namespace weft::ops
