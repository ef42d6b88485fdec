#pragma once
#include <cmath>

#include "engine/kernel.h"

namespace weft::ops {

struct ToIndex : General {
  static constexpr Doc doc{"numbers as indices, for embedding and gather; no gradient",
                           "y = x, rounded to the nearest whole number"};
  static constexpr std::array inputs{Input{"x", Input::fixed}};
  static Kind output_kind(std::size_t) { return Kind::index; }

  template <class T> static void forward(const Attrs&, Kernel<T>& k) {
    const auto x = k.input(0);
    const auto y = k.index_result();
    for (std::size_t i = 0; i < x.size(); ++i) {
      check(std::abs(x[i]) <= T(1 << 24), "to_index: {} is no index: it is not within 2^24, up to which f32 counts",
            x[i]);
      y[i] = static_cast<i32>(std::lround(x[i]));
    }
  }
  static std::vector<Sample> samples() { return {{{{5}}}, {.shapes = {{2, 3}}, .low = -50, .high = 50}}; }
};

inline Var to_index(const Var& x) { return apply<ToIndex>({x}); }

}  // namespace weft::ops
