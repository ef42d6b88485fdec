#pragma once
#include "engine/math.h"
#include "engine/kernel.h"

namespace weft::ops {

struct Rotate : General {
  static constexpr Doc doc{"turns pairs of elements by an angle that grows with the position; products of two rotated "
                           "vectors see their distance alone",
                           "y[t, 2i] + j y[t, 2i+1] = e^(j t theta_i) (x[t, 2i] + j x[t, 2i+1])",
                           "Su et al. 2021, arXiv:2104.09864; Sun et al. 2023, arXiv:2307.08621"};
  static constexpr Along along = Along::streams;
  static constexpr std::array inputs{Input{"x", Input::plain, 2}, Input{"theta", Input::plain, 1}};
  struct Attrs {
    bool inverse = false;
  };
  static auto attributes() { return std::tuple{attribute("inverse", &Attrs::inverse, "turns the other way")}; }

  static std::vector<Dims> infer(const Attrs&, const InputDims& in) {
    const Dim& D = in.at(0, -1);
    in.at(0, -2);
    in.require(in[1].size() == 1 && same_size(in[1][0] * Dim(2), D.unnamed()),
               fmt::format("x {} needs angles for half of its last dimension, not {}", text(in[0]), text(in[1])));
    return {in[0]};
  }

  // cos and sin of every (t, i), once for all heads. In double: at position 100,000 a float has lost the angle.
  template <class T> struct Angles {
    Tensor memory;
    T *cosine, *sine;
    Angles(const Kernel<T>& k, i64 steps, i64 half, i64 offset, T sign) : memory(k.scratch({2, steps, half})) {
      cosine = memory.template mutable_values<T>().data();
      sine = cosine + steps * half;
      const T* theta = k.input(1).data();
      T *c = cosine, *s = sine;
      k.rows(steps, half * 16, [=](i64 t) {
        for (i64 i = 0; i < half; ++i) {
          const double angle = static_cast<double>(offset + t) * static_cast<double>(theta[i]);
          c[t * half + i] = static_cast<T>(std::cos(angle));
          s[t * half + i] = sign * static_cast<T>(std::sin(angle));
        }
      });
    }
  };
  template <class T> static void turn(Kernel<T>& k, const T* x, T* y, T sign) {
    const Shape& shape = k.shape(0);
    const i64 D = shape.back(), half = D / 2, steps = shape[shape.size() - 2];
    const i64 lines = element_count(shape) / std::max<i64>(1, steps * D);
    const Angles<T> angles(k, steps, half, k.offset(0), sign);
    const T *cosine = angles.cosine, *sine = angles.sine;
    k.rows(lines * steps, D * 2, [=](i64 r) {
      const T *in = x + r * D, *c = cosine + r % steps * half, *s = sine + r % steps * half;
      T* out = y + r * D;
      for (i64 i = 0; i < half; ++i) {
        const T a = in[2 * i], b = in[2 * i + 1];
        out[2 * i] = a * c[i] - b * s[i];
        out[2 * i + 1] = a * s[i] + b * c[i];
      }
    });
  }
  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    turn(k, k.input(0).data(), k.result().data(), attrs.inverse ? T(-1) : T(1));
  }
  // dx is dy turned back; dtheta_i = sum over t of t Im(conj(y) dy), up to the sign of the turn
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    const T sign = attrs.inverse ? T(-1) : T(1);
    const T* dy = k.cotangent().data();
    if (k.wants(0)) turn(k, dy, k.gradient(0).data(), -sign);
    if (!k.wants(1)) return;
    const Shape& shape = k.shape(0);
    const i64 D = shape.back(), half = D / 2, steps = shape[shape.size() - 2], offset = k.offset(0);
    Tensor turned = k.scratch(shape);
    T* y = turned.template mutable_values<T>().data();
    turn(k, k.input(0).data(), y, sign);
    T* dtheta = k.gradient(1).data();
    const i64 rows = element_count(shape) / std::max<i64>(1, D);
    k.rows(half, rows * 4, [=](i64 i) {
      double total = 0;
      for (i64 r = 0; r < rows; ++r) {
        const T *a = y + r * D + 2 * i, *g = dy + r * D + 2 * i;
        total += static_cast<double>(offset + r % steps) * static_cast<double>(a[0] * g[1] - a[1] * g[0]);
      }
      dtheta[i] = static_cast<T>(static_cast<double>(sign) * total);
    });
  }
  static std::vector<Sample> samples() { return {{{{5, 4}, {2}}}, {{{2, 3, 4, 6}, {3}}, {{"inverse", true}}}}; }
  static std::vector<ErrorSample> error_samples() { return {{{{{5, 4}, {4}}}, "needs angles for half"}}; }
};

inline Var rotate(const Var& x, const Var& theta, bool inverse = false) {
  return apply<Rotate>({x, theta}, {.inverse = inverse});
}

}  // namespace weft::ops
