#pragma once
#include "engine/op.h"

namespace weft::ops {

struct Thrice : Pointwise {
  static constexpr Doc doc{"three times x", "y = 3 x"};

  template <class T> static T value(const Attrs&, T x) { return T(3) * x; }
  template <class T> static std::array<T, 1> slopes(const Attrs&, T, T) { return {T(3)}; }
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3}}}}; }
};

inline Var thrice(const Var& x) { return apply<Thrice>({x}); }

}  // namespace weft::ops
