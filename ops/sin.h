#pragma once
#include "engine/math.h"
#include "engine/op.h"

namespace weft::ops {

struct Sin : Pointwise {
  static constexpr Doc doc{"sine", "y = sin x"};
  static constexpr const char* gradient = "dx = dy * cos x";

  template <class T> static T value(const Attrs&, T x) { return std::sin(x); }
  template <class T> static std::array<T, 1> slopes(const Attrs&, T x, T) { return {std::cos(x)}; }
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3}}}}; }
};

inline Var sin(const Var& x) { return apply<Sin>({x}); }

}  // namespace weft::ops
