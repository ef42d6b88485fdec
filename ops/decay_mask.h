#pragma once
#include "engine/kernel.h"
#include "engine/math.h"

namespace weft::ops {

struct DecayMask : General {
  static constexpr Doc doc{"how much of position m is left at position n, when each step keeps a share gamma",
                           "y[n, m] = gamma^(n + offset - m) for m <= n + offset, else 0",
                           "Sun et al. 2023, arXiv:2307.08621"};
  static constexpr const char* gradient =
      "dgamma = sum over n, m of dy[n, m] d gamma^(d - 1), where d = n + offset - m > 0";
  static constexpr std::array inputs{Input{"gamma"}};
  struct Attrs {
    Dim rows = Dim::symbol("T"), columns = 0;
    i64 offset = 0;
  };
  static auto attributes() {
    return std::tuple{attribute("rows", &Attrs::rows, "queries"),
                      attribute("columns", &Attrs::columns, "keys; 0: as many as queries"),
                      attribute("offset", &Attrs::offset, "position of the first query, seen from the first key")};
  }
  static Dim columns(const Attrs& attrs) {
    return attrs.columns.known() && attrs.columns.value() == 0 ? attrs.rows : attrs.columns;
  }
  static bool masks_future(const Attrs& attrs, const InputDims&) {
    return same_size(attrs.rows, columns(attrs)) && attrs.offset <= 0;
  }
  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    Dims out = in[0];
    out.insert(out.end(), {attrs.rows, columns(attrs)});
    return {out};
  }
  // Powers by repeated squaring: exact at gamma = 0, and for a negative gamma too.
  template <class T> static T power(T gamma, i64 n) {
    T result = 1;
    for (; n > 0; n >>= 1, gamma *= gamma) {
      if (n & 1) result *= gamma;
    }
    return result;
  }
  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    const i64 rows = attrs.rows.value(), keys = columns(attrs).value(), offset = attrs.offset;
    const T* gamma = k.input(0).data();
    T* y = k.result().data();
    k.rows(std::ssize(k.input(0)) * rows, keys * 8, [=](i64 r) {
      for (i64 m = 0; m < keys; ++m) {
        const i64 distance = r % rows + offset - m;
        y[r * keys + m] = distance < 0 ? T(0) : power(gamma[r / rows], distance);
      }
    });
  }
  // dgamma = sum of dy d gamma^(d - 1) over the distances d = n + offset - m
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    const i64 rows = attrs.rows.value(), keys = columns(attrs).value(), offset = attrs.offset;
    const T *gamma = k.input(0).data(), *dy = k.cotangent().data();
    T* dgamma = k.gradient(0).data();
    k.rows(std::ssize(k.input(0)), rows * keys * 8, [=](i64 h) {
      double total = 0;
      for (i64 n = 0; n < rows; ++n) {
        for (i64 m = 0; m < keys && m < n + offset; ++m) {
          const i64 d = n + offset - m;
          total += static_cast<double>(dy[(h * rows + n) * keys + m]) * static_cast<double>(d) *
                   power(static_cast<double>(gamma[h]), d - 1);
        }
      }
      dgamma[h] = static_cast<T>(total);
    });
  }
  static std::vector<Sample> samples() {
    return {{{{2}}, {{"rows", Dim(4)}}, 0.2, 0.99},
            {{{}}, {{"rows", Dim(3)}, {"columns", Dim(5)}, {"offset", i64{2}}}, -0.9, 0.9}};
  }
};

inline Var decay_mask(const Var& gamma, const Dim& rows, const Dim& columns = 0, i64 offset = 0) {
  return apply<DecayMask>({gamma}, {.rows = rows, .columns = columns, .offset = offset});
}

}  // namespace weft::ops
