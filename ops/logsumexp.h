#pragma once
#include <limits>

#include "engine/math.h"
#include "engine/op.h"

namespace weft::ops {

struct Logsumexp : Reduce {
  static constexpr Doc doc{"the logarithm of a sum of exponentials, without overflow", "y = ln(e^x_1 + e^x_2 + ...)"};
  static constexpr const char* gradient = "dx_i = dy * e^(x_i - y)";
  static constexpr Reads reads{.outputs = 1};

  template <class T> static T fold(const Attrs&, const T* x, i64 n, i64 stride) {
    T top = n > 0 ? x[0] : -std::numeric_limits<T>::infinity();
    for (i64 i = 1; i < n; ++i) top = x[i * stride] > top ? x[i * stride] : top;
    if (!std::isfinite(top)) return top;
    double total = 0;
    for (i64 i = 0; i < n; ++i) total += static_cast<double>(weft::exp(x[i * stride] - top));
    return top + static_cast<T>(std::log(total));
  }
  // dy/dx_i = e^(x_i - y): the softmax
  template <class T> static T slope(const Attrs&, T x, T y, i64) { return weft::exp(x - y); }
  static std::vector<Sample> samples() {
    return {{{{5}}}, {{{2, 3}}, {{"dim", i64{0}}}}, {{{2, 3, 4}}, {{"dim", i64{-2}}}}};
  }
  static std::vector<ErrorSample> error_samples() { return {{{{{2, 3}}, {{"dim", i64{2}}}}, "there is no axis 2"}}; }
};

inline Var logsumexp(const Var& x, i64 dim) { return apply<Logsumexp>({x}, {{dim}}); }

}  // namespace weft::ops
