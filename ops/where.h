#pragma once
#include "engine/op.h"

namespace weft::ops {

struct Where : Pointwise {
  static constexpr Doc doc{"a where the condition is not zero, else b: a mask selects, it never multiplies",
                           "y = a if c != 0 else b"};
  static constexpr const char* gradient = "da = dy if c != 0 else 0, db = 0 if c != 0 else dy";
  static constexpr std::array inputs{Input{"condition", Input::fixed}, Input{"a"}, Input{"b"}};
  static constexpr Reads reads{.inputs = 0b001};

  template <class T> static T value(const Attrs&, T c, T a, T b) { return c != 0 ? a : b; }
  template <class T> static std::array<T, 3> slopes(const Attrs&, T c, T, T, T) {
    return {T(0), c != 0 ? T(1) : T(0), c != 0 ? T(0) : T(1)};
  }
  static std::vector<Sample> samples() { return {{{{2, 3}, {2, 3}, {2, 3}}}, {{{3}, {2, 3}, {}}}}; }
  static std::vector<ErrorSample> error_samples() { return {{{{{2}, {2, 3}, {3}}}, "shapes do not broadcast"}}; }
};

inline Var where(const Var& condition, const Var& a, const Var& b) { return apply<Where>({condition, a, b}); }

}  // namespace weft::ops
