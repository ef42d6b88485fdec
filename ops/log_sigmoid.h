#pragma once
#include "engine/math.h"
#include "engine/op.h"

namespace weft::ops {

struct LogSigmoid : Pointwise {
  static constexpr Doc doc{"logarithm of the logistic function", "y = -ln(1 + e^-x)"};
  static constexpr const char* gradient = "dx = dy * sigmoid(-x)";

  template <class T> static T value(const Attrs&, T x) {
    return (x < 0 ? x : T(0)) - std::log1p(weft::exp(x < 0 ? x : -x));
  }
  // dy/dx = sigmoid(-x)
  template <class T> static std::array<T, 1> slopes(const Attrs&, T x, T) { return {weft::sigmoid(-x)}; }
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3}}}}; }
};

inline Var log_sigmoid(const Var& x) { return apply<LogSigmoid>({x}); }

}  // namespace weft::ops
