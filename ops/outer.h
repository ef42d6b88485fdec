#pragma once
#include "ops/shared/leads.h"

namespace weft::ops {

struct Outer : General {
  static constexpr Doc doc{"every product of an element of a and one of b, over the last dimensions",
                           "y[..., i, j] = a[..., i] b[..., j]"};
  static constexpr const char* gradient =
      "da[..., i] = sum over j of dy[..., i, j] b[..., j], db[..., j] = sum over i of dy[..., i, j] a[..., i]";
  static constexpr std::array inputs{Input{"a", Input::plain, 1}, Input{"b", Input::plain, 1}};

  static std::vector<Dims> infer(const Attrs&, const InputDims& in) {
    in.require(!in[0].empty() && !in[1].empty(), "it takes two vectors, and was given a scalar");
    Dims out = broadcast(Dims(in[0].begin(), in[0].end() - 1), Dims(in[1].begin(), in[1].end() - 1), "outer");
    out.insert(out.end(), {in[0].back(), in[1].back()});
    return {out};
  }

  // For every leading index of y: body(y, a, b), offsets of the matrix and of the two vectors.
  template <class T, class F> static void each(Kernel<T>& k, const F& body) {
    const Shape& y = k.output_shape();
    const Shape lead(y.begin(), y.end() - 2);
    const Leads a(k.shape(0), 1, lead), b(k.shape(1), 1, lead);
    const i64 size = y[y.size() - 2] * y.back();
    for (i64 r = 0; r < element_count(lead); ++r) body(r * size, a.offset(r), b.offset(r));
  }
  template <class T> static void forward(const Attrs&, Kernel<T>& k) {
    const i64 n = k.shape(0).back(), m = k.shape(1).back();
    const T *a = k.input(0).data(), *b = k.input(1).data();
    T* y = k.result().data();
    block(k.isa(), [&] {
      each(k, [&](i64 at, i64 ia, i64 ib) {
        for (i64 i = 0; i < n; ++i) {
          for (i64 j = 0; j < m; ++j) y[at + i * m + j] = a[ia + i] * b[ib + j];
        }
      });
    });
  }
  // da = dy b, db = a dy, summed over what was broadcast.
  template <class T> static void backward(const Attrs&, Kernel<T>& k) {
    const i64 n = k.shape(0).back(), m = k.shape(1).back();
    const T *a = k.input(0).data(), *b = k.input(1).data(), *dy = k.cotangent().data();
    const auto da = k.gradient(0), db = k.gradient(1);
    std::fill(da.begin(), da.end(), T(0));
    std::fill(db.begin(), db.end(), T(0));
    block(k.isa(), [&] {
      each(k, [&](i64 at, i64 ia, i64 ib) {
        for (i64 i = 0; i < n; ++i) {
          T sum = 0;
          for (i64 j = 0; j < m; ++j) sum += dy[at + i * m + j] * b[ib + j];
          if (!da.empty()) da[ia + i] += sum;
        }
        for (i64 i = 0; i < n && !db.empty(); ++i) {
          for (i64 j = 0; j < m; ++j) db[ib + j] += dy[at + i * m + j] * a[ia + i];
        }
      });
    });
  }
  static std::vector<Sample> samples() {
    return {{{{3}, {4}}}, {{{2, 3}, {2, 4}}}, {{{2, 3}, {4}}}, {{{3}, {2, 2, 4}}}, {{{2, 1, 3}, {3, 2}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{2, 3}, {3, 4}}}, "shapes do not broadcast"}, {{{{}, {3}}}, "was given a scalar"}};
  }
};

inline Var outer(const Var& a, const Var& b) { return apply<Outer>({a, b}); }

}  // namespace weft::ops
