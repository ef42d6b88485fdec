#pragma once
#include "engine/math.h"
#include "ops/shared/leads.h"

namespace weft::ops {

struct Rotate : General {
  static constexpr Doc doc{
      "turns pairs of elements by an angle that grows with the position; products of two rotated "
      "vectors see their distance alone",
      "y[t, 2i] + j y[t, 2i+1] = scale_i^t e^(j t theta_i) (x[t, 2i] + j x[t, 2i+1])",
      "Su et al. 2021, arXiv:2104.09864; scale: xPos, Sun et al. 2022, arXiv:2212.10554, with 1 / scale for the keys"};
  static constexpr const char* gradient =
      "dx = conj(f) dy, f_t = scale^n e^(j n theta), n = t, or -t with inverse; pairs are complex numbers\n"
      "dtheta = sum over t of n Im(conj(y) dy)\n"
      "dscale = sum over t of n Re(conj(y) dy) / scale";
  static constexpr Along along = Along::streams;
  static constexpr std::array inputs{Input{"x", Input::plain, 2}, Input{"theta", Input::plain, 1},
                                     Input{"scale", Input::optional, 1}};
  struct Attrs {
    bool inverse = false;
  };
  static auto attributes() {
    return std::tuple{attribute("inverse", &Attrs::inverse, "undoes it: turns the other way, by 1 / scale")};
  }

  // x [.., T, D], theta and scale [.., D / 2]; their leading dimensions broadcast to those of x.
  static std::vector<Dims> infer(const Attrs&, const InputDims& in) {
    const Dims lead = lead_of(in, 0, 2);
    for (std::size_t i = 1; i < in.size(); ++i) {
      if (!in.has(i)) continue;
      in.require(same_size(in.at(i, -1) * Dim(2), in.at(0, -1).unnamed()),
                 fmt::format("x {} needs angles for half of its last dimension, not {}", text(in[0]), text(in[i])));
      in.require(same_size(broadcast(lead, lead_of(in, i, 1), "rotate"), lead),
                 fmt::format("x {} has no leading dimensions for {}", text(in[0]), text(in[i])));
    }
    return {in[0]};
  }

  // The factors scale^n e^(j n theta), as cos and sin: a table for each line of theta and scale, and, where rows of the
  // batch stand at different positions, for each row. In double: at position 100,000 a float has lost the angle.
  template <class T> struct Factors {
    const Kernel<T>& k;
    i64 sign, steps, half, rows = 1, row_size = 1;
    struct Lines {
      Shape lead, own;  // leading dimensions of x, and those of theta and scale together
      Leads of_own, of_theta, of_scale;
      explicit Lines(const Kernel<T>& k)
          : lead(k.shape(0).begin(), k.shape(0).end() - 2),
            own(own_of(k)),
            of_own(own, 0, lead),
            of_theta(k.shape(1), 1, own),
            of_scale(k.shape(k.has(2) ? 2 : 1), 1, own) {}
    };
    const Lines& lines;
    const Shape& lead = lines.lead;
    i64 own = element_count(lines.own);
    Tensor memory;
    T *cosine, *sine;  // [rows, own, T, D / 2]

    Factors(const Attrs& attrs, const Kernel<T>& kernel)
        : k(kernel), sign(attrs.inverse ? -1 : 1), lines(k.once([&] { return Lines(k); })) {
      const Shape& x = k.shape(0);
      steps = x[x.size() - 2], half = x.back() / 2;
      const int axis = k.place().row_axis;
      if (axis >= 0 && axis < static_cast<int>(lead.size()) && k.settings().offsets.size() > 1) {
        rows = lead[axis], row_size = element_count(Shape(lead.begin() + axis + 1, lead.end()));
      } else {
        k.common_offset();
      }
      const i64 tables = rows * own;
      memory = k.scratch({2, tables, steps, half});
      cosine = memory.template mutable_values<T>().data();
      sine = cosine + tables * steps * half;
      fill(tables);
    }
    static Shape own_of(const Kernel<T>& k) {
      Dims all;
      for (std::size_t i = 1; i < 3; ++i) {
        if (k.has(i)) all = broadcast(all, to_dims(Shape(k.shape(i).begin(), k.shape(i).end() - 1)), "rotate");
      }
      return bind(all, {});
    }
    i64 row(i64 line) const { return rows == 1 ? 0 : line / row_size % rows; }
    i64 table(i64 line) const { return (row(line) * own + lines.of_own.offset(line)) * steps * half; }
    // n at position t of the lines of a row
    i64 power(i64 row_index, i64 t) const { return sign * (k.offset(row_index) + t); }

    void fill(i64 tables) {
      const T *theta = k.input(1).data(), *scale = k.input(2).data();
      if (scale) check_scale(k.input(2));
      k.rows(tables * steps, half * 16, [&](i64 r) {
        const i64 line = r / steps % own, n = power(r / steps / own, r % steps);
        const T* angles = theta + lines.of_theta.offset(line);
        T *c = cosine + r * half, *s = sine + r * half;
        for (i64 i = 0; i < half; ++i) cos_sin(static_cast<double>(n) * static_cast<double>(angles[i]), c[i], s[i]);
        for (i64 i = 0; scale && i < half; ++i) {
          const double size =
              std::pow(static_cast<double>(scale[lines.of_scale.offset(line) + i]), static_cast<double>(n));
          c[i] *= static_cast<T>(size), s[i] *= static_cast<T>(size);
        }
      });
    }
    // A power of a number is largest at one end of the positions.
    void check_scale(std::span<const T> scale) const {
      for (i64 r = 0; r < rows; ++r) {
        for (const i64 n : {power(r, 0), power(r, steps - 1)}) {
          for (const T s : scale) {
            const T size = static_cast<T>(std::pow(static_cast<double>(s), static_cast<double>(n)));
            check(!std::isinf(size) || std::isinf(s) || s == 0,
                  "rotate: {}^{} is too large: a scale above 1 has a last position", s, n);
          }
        }
      }
    }
  };

  // y = f x, or conj(f) x
  template <class T> static void turn(const Factors<T>& f, const T* x, T* y, T sign) {
    const i64 D = 2 * f.half;
    f.k.rows(element_count(f.lead) * f.steps, D * 2, [&, sign](i64 r) {
      const i64 at = f.table(r / f.steps) + r % f.steps * f.half;
      const T *in = x + r * D, *c = f.cosine + at, *s = f.sine + at;
      T* out = y + r * D;
      for (i64 i = 0; i < f.half; ++i) {
        const T a = in[2 * i], b = in[2 * i + 1], si = sign * s[i];
        out[2 * i] = a * c[i] - b * si;
        out[2 * i + 1] = a * si + b * c[i];
      }
    });
  }
  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    turn(Factors<T>(attrs, k), k.input(0).data(), k.result().data(), T(1));
  }
  // A scale of 0 has no gradient here. dx = conj(f) dy; from y = scale^n e^(j n theta) x: dtheta = sum of n Im(conj(y)
  // dy), dscale = sum of n / scale Re(conj(y) dy)
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    const Factors<T> f(attrs, k);
    const T* dy = k.cotangent().data();
    if (k.wants(0)) turn(f, dy, k.gradient(0).data(), T(-1));
    if (!k.wants(1) && !k.wants(2)) return;
    Tensor turned = k.scratch(k.shape(0));
    T* y = turned.template mutable_values<T>().data();
    turn(f, k.input(0).data(), y, T(1));
    if (k.wants(1)) {
      sums(
          f, 1, [=](i64 at) { return y[at] * dy[at + 1] - y[at + 1] * dy[at]; }, k.gradient(1).data());
    }
    if (k.wants(2)) {
      T* dscale = k.gradient(2).data();
      sums(
          f, 2, [=](i64 at) { return y[at] * dy[at] + y[at + 1] * dy[at + 1]; }, dscale);
      for (std::size_t i = 0; i < k.input(2).size(); ++i) dscale[i] /= k.input(2)[i];
    }
  }
  // g = the sum of n term(place of the pair) over all pairs that an element of `input` turns, in their order.
  template <class T, class F> static void sums(const Factors<T>& f, std::size_t input, const F& term, T* g) {
    const Shape& shape = f.k.shape(input);
    const Leads to(shape, 1, f.lead);
    const i64 lines = element_count(f.lead);
    f.k.rows(f.half, lines * f.steps * 4, [&](i64 i) {
      std::vector<double> total(static_cast<std::size_t>(element_count(shape) / f.half));
      for (i64 l = 0; l < lines; ++l) {
        double sum = 0;
        for (i64 t = 0; t < f.steps; ++t) {
          sum += static_cast<double>(f.power(f.row(l), t)) *
                 static_cast<double>(term(((l * f.steps + t) * f.half + i) * 2));
        }
        total[static_cast<std::size_t>(to.offset(l) / f.half)] += sum;
      }
      for (std::size_t l = 0; l < total.size(); ++l) g[static_cast<i64>(l) * f.half + i] = static_cast<T>(total[l]);
    });
  }
  static std::vector<Sample> samples() {
    return {{{{5, 4}, {2}, {-1}}},
            {{{2, 3, 4, 6}, {3}, {-1}}, {{"inverse", true}}},
            {{{2, 3, 5, 4}, {3, 2}, {-1}}},
            {{{3, 5, 4}, {2}, {3, 2}}, {}, 0.7, 1.3},
            {{{2, 3, 4}, {2, 2}, {2}}, {{"inverse", true}}, 0.7, 1.3}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{5, 4}, {4}, {-1}}}, "needs angles for half"},
            {{{{5, 4}, {3, 2}, {-1}}}, "has no leading dimensions for [3, 2]"},
            {{{{400, 4}, {2}, {2}}, {}, 9, 10}, "is too large"}};
  }
};

/// x [.., T, D] by theta [.., D / 2] and, for xPos, scale [.., D / 2].
inline Var rotate(const Var& x, const Var& theta, bool inverse = false, const Var& scale = {}) {
  return apply<Rotate>({x, theta, scale}, {.inverse = inverse});
}

}  // namespace weft::ops
