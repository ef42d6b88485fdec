#pragma once
#include "engine/math.h"
#include "engine/op.h"

namespace weft::ops {

struct Log : Pointwise {
  static constexpr Doc doc{"natural logarithm", "y = ln x"};
  static constexpr const char* gradient = "dx = dy / x";

  template <class T> static T value(const Attrs&, T x) { return std::log(x); }
  template <class T> static std::array<T, 1> slopes(const Attrs&, T x, T) { return {T(1) / x}; }
  static std::vector<Sample> samples() { return {{{{5}}, {}, 0.3, 3}, {{{2, 3}}, {}, 0.3, 3}}; }
};

inline Var log(const Var& x) { return apply<Log>({x}); }

}  // namespace weft::ops
