#pragma once
#include "engine/math.h"
#include "engine/op.h"

namespace weft::ops {

struct Cos : Pointwise {
  static constexpr Doc doc{"cosine", "y = cos x"};
  static constexpr const char* gradient = "dx = -dy * sin x";

  template <class T> static T value(const Attrs&, T x) { return std::cos(x); }
  template <class T> static std::array<T, 1> slopes(const Attrs&, T x, T) { return {-std::sin(x)}; }
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3}}}}; }
};

inline Var cos(const Var& x) { return apply<Cos>({x}); }

}  // namespace weft::ops
