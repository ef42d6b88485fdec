#pragma once
#include "engine/kernel.h"
#include "engine/math.h"

namespace weft::ops {

struct Dpfp : General {
  static constexpr Doc doc{
      "features that are never negative, three of four being 0: products of neighbours in [relu(x), relu(-x)]",
      "r = [relu(x), relu(-x)] of width 2d; y_(i-1, j) = r_j r_(j-i mod 2d) for i = 1 .. nu, of width 2 d nu",
      "Schlag, Irie and Schmidhuber 2021, arXiv:2102.11174, rolled as in the authors' code"};
  static constexpr const char* gradient =
      "dx_j = [x_j > 0] dr_j - [x_j < 0] dr_(d+j)\n"
      "dr_j = sum over i of dy_(i-1, j) r_(j-i mod 2d) + dy_(i-1, j+i mod 2d) r_(j+i mod 2d)";
  static constexpr std::array inputs{Input{"x", Input::plain, 1}};
  struct Attrs {
    i64 nu = 1;
  };
  static auto attributes() {
    return std::tuple{attribute("nu", &Attrs::nu, "how many neighbours, from 1 to below 2d")};
  }

  static std::vector<Dims> infer(const Attrs& a, const InputDims& in) {
    Dims out = in[0];
    const Dim& d = in.at(0, -1);
    in.require(a.nu >= 1 && d.known() && a.nu < std::max<i64>(2, 2 * d.value()),
               fmt::format("nu is from 1 to below twice the width {}, not {}", d.text(), a.nu));
    out.back() = Dim(2 * a.nu) * d;
    return {out};
  }
  // r of one row.
  template <class T> static void halves(const T* x, i64 d, T* r) {
    for (i64 j = 0; j < d; ++j) {
      r[j] = x[j] < 0 ? T(0) : x[j];
      r[d + j] = x[j] > 0 ? T(0) : -x[j];
    }
  }
  template <class T> [[gnu::always_inline]] static void add_products(const T* x, const T* y, T* sum, i64 n) {
#pragma GCC ivdep
    for (i64 j = 0; j < n; ++j) sum[j] += x[j] * y[j];
  }
  template <class T> static void forward(const Attrs& a, Kernel<T>& k) {
    const i64 d = k.shape(0).back(), n = 2 * d, nu = a.nu;
    const T* x = k.input(0).data();
    T* y = k.result().data();
    k.ranges(std::ssize(k.input(0)) / std::max<i64>(1, d), std::max<i64>(1, kGrain / (n * nu + 1)),
             [&](i64 begin, i64 end) {
               std::vector<T> memory(static_cast<std::size_t>(n));
               T* r = memory.data();
               block(k.isa(), [&] {
                 for (i64 row = begin; row < end; ++row) {
                   halves(x + row * d, d, r);
                   for (i64 i = 1; i <= nu; ++i) {
                     T* out = y + (row * nu + i - 1) * n;
                     for (i64 j = 0; j < i; ++j) out[j] = r[j] * r[j - i + n];
                     for (i64 j = i; j < n; ++j) out[j] = r[j] * r[j - i];
                   }
                 }
               });
             });
  }
  // dr_j = sum over i of dy_(i, j) r_(j-i) + dy_(i, j+i) r_(j+i);  dx_j = [x_j > 0] dr_j - [x_j < 0] dr_(d+j)
  template <class T> static void backward(const Attrs& a, Kernel<T>& k) {
    const i64 d = k.shape(0).back(), n = 2 * d, nu = a.nu;
    const T *x = k.input(0).data(), *dy = k.cotangent().data();
    T* dx = k.gradient(0).data();
    k.ranges(std::ssize(k.input(0)) / std::max<i64>(1, d), std::max<i64>(1, kGrain / (n * nu + 1)),
             [&](i64 begin, i64 end) {
               std::vector<T> memory(static_cast<std::size_t>(2 * n));
               T *r = memory.data(), *dr = r + n;
               block(k.isa(), [&] {
                 for (i64 row = begin; row < end; ++row) {
                   halves(x + row * d, d, r);
                   std::fill_n(dr, n, T(0));
                   for (i64 i = 1; i <= nu; ++i) {
                     const T* g = dy + (row * nu + i - 1) * n;
                     add_products(g, r + n - i, dr, i);  // j < i: the neighbours before them are the last ones
                     add_products(g + i, r, dr + i, n - i);
                     add_products(g, r, dr + n - i, i);
                     add_products(g + i, r + i, dr, n - i);
                   }
                   const T* at = x + row * d;
                   T* out = dx + row * d;
                   for (i64 j = 0; j < d; ++j)
                     out[j] = select(at[j] > 0, dr[j], T(0)) - select(at[j] < 0, dr[d + j], T(0));
                 }
               });
             });
  }
  static std::vector<Sample> samples() {
    return {{{{3, 4}}}, {{{2, 2, 3}}, {{"nu", i64{3}}}}, {{{2}}, {{"nu", i64{2}}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{3, 2}}, {{"nu", i64{4}}}}, "nu is from 1 to below twice the width 2, not 4"},
            {{{{}}}, "needs at least 1 dimension"}};
  }
};

inline Var dpfp(const Var& x, i64 nu = 1) { return apply<Dpfp>({x}, {.nu = nu}); }

}  // namespace weft::ops
