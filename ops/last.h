#pragma once
#include "engine/kernel.h"

namespace weft::ops {

struct Last : General {
  static constexpr Doc doc{"marks the last place that is marked: the end of a sequence that is shorter than others",
                           "y[t] = [valid[t] > 0, and no later place has one]"};
  static constexpr Along along = Along::whole;
  static constexpr std::array inputs{Input{"valid", Input::fixed, 1}};

  static std::vector<Dims> infer(const Attrs&, const InputDims& in) {
    in.at(0, -1);
    return {in[0]};
  }
  template <class T> static void forward(const Attrs&, Kernel<T>& k) {
    const T* valid = k.input(0).data();
    T* y = k.result().data();
    const i64 steps = k.shape(0).back(), lines = element_count(k.shape(0)) / std::max<i64>(1, steps);
    std::fill_n(y, lines * steps, T(0));
    for (i64 line = 0; line < lines; ++line) {
      i64 t = steps - 1;
      while (t >= 0 && !(valid[line * steps + t] > 0)) --t;
      if (t >= 0) y[line * steps + t] = 1;
    }
  }
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3}}}, {.shapes = {{4, 3}}, .low = -2, .high = 0.5}}; }
  static std::vector<ErrorSample> error_samples() { return {{{{{}}}, "last"}}; }
};

inline Var last(const Var& valid) { return apply<Last>({valid}); }

}  // namespace weft::ops
