#pragma once
#include "ops/shared/leads.h"

namespace weft::ops {

struct TriangularSolve : General {
  static constexpr Doc doc{
      "the solution of a linear system with a triangular matrix, by substitution; the other triangle is not read",
      "y = a^-1 b, for a [.., n, n] and b [.., n, m]"};
  static constexpr const char* gradient =
      "db = a^-T dy\n"
      "da = -db y^T in the triangle, else 0; 0 on the diagonal with unit";
  static constexpr std::array inputs{Input{"a", Input::plain, 2}, Input{"b", Input::plain, 2}};
  static constexpr Reads reads{.inputs = 0b01, .outputs = 1};
  struct Attrs {
    bool upper = false, unit = false;
  };
  static auto attributes() {
    return std::tuple{attribute("upper", &Attrs::upper, "a is the upper triangle, else the lower one"),
                      attribute("unit", &Attrs::unit, "the diagonal of a counts as 1 and is not read")};
  }

  static std::vector<Dims> infer(const Attrs&, const InputDims& in) {
    const Dim& n = in.at(0, -2);
    in.require(same_size(n, in.at(0, -1)) && same_size(n, in.at(1, -2)),
               fmt::format("a [.., n, n] needs b [.., n, m] (they are {} and {})", text(in[0]), text(in[1])));
    Dims out = broadcast(lead_of(in, 0, 2), lead_of(in, 1, 2), "triangular_solve");
    out.insert(out.end(), {n, in.at(1, -1)});
    return {out};
  }

  // y holds b and becomes A^-1 b, or A^-T b with `transposed`.
  template <class T> static void solve(const Attrs& attrs, bool transposed, const T* A, T* y, i64 n, i64 m) {
    const bool forwards = attrs.upper == transposed;
    for (i64 s = 0; s < n; ++s) {
      const i64 i = forwards ? s : n - 1 - s;
      T* row = y + i * m;
      for (i64 j = forwards ? 0 : i + 1; j < (forwards ? i : n); ++j) {
        const T a = transposed ? A[j * n + i] : A[i * n + j];
        for (i64 c = 0; c < m; ++c) row[c] -= a * y[j * m + c];
      }
      if (attrs.unit) continue;
      const T pivot = A[i * n + i];
      for (i64 c = 0; c < m; ++c) row[c] /= pivot;
    }
  }
  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    const Shape& s = k.output_shape();
    const i64 n = s[s.size() - 2], m = s.back();
    const Shape lead(s.begin(), s.end() - 2);
    const Leads at_A(k.shape(0), 2, lead), at_b(k.shape(1), 2, lead);
    const T *A = k.input(0).data(), *b = k.input(1).data();
    T* y = k.result().data();
    k.rows(element_count(lead), n * n * m, [&](i64 r) {
      std::copy_n(b + at_b.offset(r), n * m, y + r * n * m);
      solve(attrs, false, A + at_A.offset(r), y + r * n * m, n, m);
    });
  }
  // db = A^-T dy, dA = -(db y^T) in the triangle; both summed over what was broadcast, in order.
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    const Shape& s = k.output_shape();
    const i64 n = s[s.size() - 2], m = s.back();
    const Shape lead(s.begin(), s.end() - 2);
    const Leads at_A(k.shape(0), 2, lead), at_b(k.shape(1), 2, lead);
    const T *A = k.input(0).data(), *y = k.output().data(), *dy = k.cotangent().data();
    Tensor memory = k.scratch(s);
    T* g = memory.template mutable_values<T>().data();
    k.rows(element_count(lead), n * n * m, [&](i64 r) {
      std::copy_n(dy + r * n * m, n * m, g + r * n * m);
      solve(attrs, true, A + at_A.offset(r), g + r * n * m, n, m);
    });
    const auto dA = k.gradient(0), db = k.gradient(1);
    std::fill(dA.begin(), dA.end(), T(0));
    std::fill(db.begin(), db.end(), T(0));
    block(k.isa(), [&] {
      for (i64 r = 0; r < element_count(lead); ++r) {
        const T *gr = g + r * n * m, *yr = y + r * n * m;
        for (i64 i = 0; i < n * m && !db.empty(); ++i) db[at_b.offset(r) + i] += gr[i];
        for (i64 i = 0; i < n && !dA.empty(); ++i) {
          const i64 begin = attrs.upper ? i + attrs.unit : 0, end = attrs.upper ? n : i + !attrs.unit;
          for (i64 j = begin; j < end; ++j) {
            for (i64 c = 0; c < m; ++c) dA[at_A.offset(r) + i * n + j] -= gr[i * m + c] * yr[j * m + c];
          }
        }
      }
    });
  }
  static double flops(const Attrs&, const std::vector<Shape>& in, const std::vector<Shape>& out) {
    return static_cast<double>(element_count(out[0])) * static_cast<double>(in[0].back());
  }
  // Diagonals from 0.5 on: nothing is divided by what is nearly 0.
  static std::vector<Sample> samples() {
    return {{{{3, 3}, {3, 2}}, {}, 0.5, 1.5},
            {{{2, 3, 3}, {2, 3, 2}}, {{"upper", true}}, 0.5, 1.5},
            {{{3, 3}, {2, 3, 2}}, {{"unit", true}}},
            {{{2, 1, 2, 2}, {3, 2, 1}}, {{"upper", true}, {"unit", true}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{3, 2}, {3, 2}}}, "a [.., n, n] needs b [.., n, m]"},
            {{{{3, 3}, {2, 2}}}, "a [.., n, n] needs b [.., n, m]"}};
  }
};

inline Var triangular_solve(const Var& A, const Var& b, bool upper = false, bool unit = false) {
  return apply<TriangularSolve>({A, b}, {.upper = upper, .unit = unit});
}

}  // namespace weft::ops
