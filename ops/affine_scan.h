#pragma once
#include "ops/shared/leads.h"

namespace weft::ops {

struct AffineScan : General {
  static constexpr Doc doc{"linear recurrence of single elements: a state that decays and is added to, each for itself",
                           "h_t = a_t h_t-1 + b_t; gives every h_t (or h_t-1) and the last",
                           "Martin and Cundy 2018, arXiv:1709.04057"};
  static constexpr const char* gradient =
      "db_t = g_t, da_t = g_t * h_t-1, dinitial = g_0\n"
      "g_t-1 = a_t * g_t + dh_t-1, g_T = dfinal + dh_T, dh_0 = 0\n"
      "with read=before: g_t-1 = a_t * g_t + dh_t, g_T = dfinal";
  static constexpr Along along = Along::streams;
  static constexpr std::array inputs{Input{"b", Input::plain, 2}, Input{"a", Input::plain, 2},
                                     Input{"initial", Input::optional, 1}};
  static constexpr Reads reads{.inputs = 0b110, .outputs = 1};  // a, initial, and h
  static std::vector<std::string> outputs() { return {"h", "final"}; }
  static std::vector<StateInfo> states() { return {{2, 1}}; }
  struct Attrs {
    std::string read = "after";
  };
  static auto attributes() {
    return std::tuple{attribute("read", &Attrs::read, "h_t, or h_t-1 with `before`", {"after", "before"})};
  }

  // b [.., T, D], a [.., T or 1, D or 1], initial [.., D] -> h [.., T, D], final [.., D]
  static std::vector<Dims> infer(const Attrs&, const InputDims& in) {
    const Dim &T = in.at(0, -2), &D = in.at(0, -1);
    const auto fits = [](const Dim& own, const Dim& d) { return is_one(own) || same_size(own, d); };
    in.require(fits(in.at(1, -2), T) && fits(in.at(1, -1), D),
               fmt::format("a is {}, and ends with [{}, {}], each of which may be 1", text(in[1]), T.text(), D.text()));
    in.require(!in.has(2) || same_size(in.at(2, -1), D),
               in.has(2) ? fmt::format("initial is {}, and ends with [{}]", text(in[2]), D.text()) : "");
    Dims h = all_leads(in), last = h;
    h.insert(h.end(), {T, D});
    last.push_back(D);
    return {h, last};
  }
  static Dims all_leads(const InputDims& in) {
    Dims out = broadcast(Dims(in[0].begin(), in[0].end() - 2), Dims(in[1].begin(), in[1].end() - 2), "affine_scan");
    return in.has(2) ? broadcast(out, Dims(in[2].begin(), in[2].end() - 1), "affine_scan") : out;
  }
  static Dims state_dims(const Attrs&, const InputDims& in, std::size_t, const Dim&) {
    Dims d = all_leads(in);
    d.push_back(in.at(0, -1));
    return d;
  }

  // One task is a block of channels of one leading index: rows of it are read and written once, in order.
  template <class T> struct Layout {
    static constexpr i64 kColumns = 256;
    Leads a, b, initial;
    i64 steps, width, blocks, count, a_step, a_width;
    Layout(const Kernel<T>& k) {
      const Shape &h = k.output_shape(), &s = k.shape(1);
      const Shape lead(h.begin(), h.end() - 2);
      a = Leads(s, 2, lead), b = Leads(k.shape(0), 2, lead);
      if (k.has(2)) initial = Leads(k.shape(2), 1, lead);
      steps = h[h.size() - 2], width = h.back(), blocks = (width + kColumns - 1) / kColumns;
      count = element_count(lead);
      a_width = s.back() == width ? width : 1;
      a_step = s[s.size() - 2] == 1 ? 0 : a_width;
    }
    /// body(leading index, first channel, channels) for every task.
    template <class F> void each(const Kernel<T>& k, const F& body) const {
      k.rows(count * blocks, steps * std::min(width, kColumns), [=, this](i64 n) {
        const i64 first = n % blocks * kColumns;
        body(n / blocks, first, std::min(kColumns, width - first));
      });
    }
    /// The decay of channel j of a row.
    T decay(const T* row, i64 j) const { return row[a_width == 1 ? 0 : j]; }
  };

  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    const Layout<T> l(k);
    const bool before = attrs.read == "before";
    const T *b = k.input(0).data(), *a = k.input(1).data(), *start = k.input(2).data();
    T *y = k.result(0).data(), *last = k.result(1).data();
    l.each(k, [=, &l](i64 n, i64 first, i64 m) {
      T* h = last + n * l.width + first;
      if (start) std::copy_n(start + l.initial.offset(n) + first, m, h);
      else std::fill_n(h, m, T(0));
      const T *decay = a + l.a.offset(n) + (l.a_width == 1 ? 0 : first), *add = b + l.b.offset(n) + first;
      T* out = y + n * l.steps * l.width + first;
      for (i64 t = 0; t < l.steps; ++t, decay += l.a_step, add += l.width, out += l.width) {
        if (before) std::copy_n(h, m, out);
        step(l.a_width == 1, m, decay, h, add, h);
        if (!before) std::copy_n(h, m, out);
      }
    });
  }
  // to = a from + b
  template <class T> static void step(bool one, i64 m, const T* a, const T* from, const T* b, T* to) {
    if (one) {
      const T s = *a;
#pragma GCC ivdep
      for (i64 j = 0; j < m; ++j) to[j] = s * from[j] + b[j];
    } else {
#pragma GCC ivdep
      for (i64 j = 0; j < m; ++j) to[j] = a[j] * from[j] + b[j];
    }
  }

  // With g_t the cotangent of h_t: db_t = g_t, da_t = g_t h_t-1, g_t-1 = a_t g_t + dy_t-1.
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    const Layout<T> l(k);
    const bool before = attrs.read == "before";
    const i64 size = l.steps * l.width, a_size = l.a_step ? l.steps * l.a_width : l.a_width;
    // One decay for many channels is summed over the blocks afterwards, in order.
    const i64 copies = l.a_width == 1 ? l.blocks : 1;
    Tensor parts[3];
    T* to[3];
    const i64 part_size[3] = {size, a_size * copies, l.width};
    const Leads* leads[3] = {&l.b, &l.a, &l.initial};
    for (std::size_t i = 0; i < 3; ++i) {
      const bool own = k.wants(i) && !leads[i]->shared() && (i != 1 || copies == 1);
      if (!own) parts[i] = k.scratch({l.count * part_size[i]});
      to[i] = (own ? k.call().results[i] : parts[i]).template mutable_values<T>().data();
    }
    const T *a = k.input(1).data(), *start = k.input(2).data(), *y = k.output(0).data();
    const T* dy = k.has_cotangent(0) ? k.cotangent(0).data() : nullptr;
    const T* dlast = k.has_cotangent(1) ? k.cotangent(1).data() : nullptr;
    const bool wants_a = k.wants(1);
    const auto at = [&, own0 = !parts[0], own1 = !parts[1], own2 = !parts[2]](std::size_t i, i64 n) {
      const bool own = i == 0 ? own0 : i == 1 ? own1 : own2;
      return to[i] + (own ? leads[i]->offset(n) : n * part_size[i]);
    };
    l.each(k, [=, &l](i64 n, i64 first, i64 m) {
      const i64 block = first / Layout<T>::kColumns;
      T *db = at(0, n) + first, *da = at(1, n) + (l.a_width == 1 ? block * a_size : first), *g = at(2, n) + first;
      if (dlast) std::copy_n(dlast + n * l.width + first, m, g);
      else std::fill_n(g, m, T(0));
      if (!l.a_step) std::fill_n(da, l.a_width == 1 ? 1 : m, T(0));
      const T* decay = a + l.a.offset(n) + (l.a_width == 1 ? 0 : first);
      for (i64 t = l.steps - 1; t >= 0; --t) {
        const i64 row = (n * l.steps + t) * l.width + first;
        if (dy && !before) add(m, dy + row, g);
        std::copy_n(g, m, db + t * l.width);
        const T* past = before  ? y + row
                        : t     ? y + row - l.width
                        : start ? start + l.initial.offset(n) + first
                                : nullptr;
        T* slope = da + t * l.a_step;
        if (wants_a) decay_gradient(l.a_width == 1, l.a_step != 0, m, g, past, slope);
        for (i64 j = 0; j < m; ++j) g[j] *= l.decay(decay + t * l.a_step, j);
        if (dy && before) add(m, dy + row, g);
      }
    });
    for (std::size_t i = 0; i < 3; ++i) {
      if (parts[i] && k.wants(i)) gather(k.gradient(i), *leads[i], l.count, to[i], i == 1 ? copies : 1);
    }
  }
  template <class T> static void add(i64 m, const T* x, T* sum) {
    for (i64 j = 0; j < m; ++j) sum[j] += x[j];
  }
  template <class T> static void decay_gradient(bool one, bool set, i64 m, const T* g, const T* past, T* slope) {
    if (one) {
      T sum = set ? T(0) : *slope;
      for (i64 j = 0; past && j < m; ++j) sum += g[j] * past[j];
      *slope = sum;
    } else {
      for (i64 j = 0; j < m; ++j) slope[j] = (set ? T(0) : slope[j]) + (past ? g[j] * past[j] : T(0));
    }
  }
  // Adds up what every leading index (and block of channels) wrote for a part that they share.
  template <class T> static void gather(std::span<T> sum, const Leads& leads, i64 count, const T* parts, i64 copies) {
    std::ranges::fill(sum, T(0));
    for (i64 n = 0; n < count * copies; ++n)
      add(leads.own(), parts + n * leads.own(), sum.data() + leads.offset(n / copies));
  }

  static std::vector<Sample> samples() {
    const std::pair<std::string, AttributeValue> before{"read", std::string("before")};
    const Sample::Sizes b = {2, 5, 3}, none = {-1};
    return {{{b, b, none}},
            {{b, b, {2, 3}}, {before}},
            {{b, {1, 3}, {3}}},
            {{b, {2, 5, 1}, {2, 3}}},
            {{b, {1, 1}, none}, {before}},
            {{{2, 5, 2}, {3, 1, 5, 2}, none}},
            {{{5, 300}, {5, 1}, {300}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{5, 3}, {4, 3}, {-1}}}, "a is [4, 3], and ends with [5, 3]"},
            {{{{5, 3}, {5, 3}, {2}}}, "initial is [2], and ends with [3]"}};
  }
};

/// h [.., T, D] and the last of it [.., D]; shapes as in `AffineScan::infer`.
inline std::vector<Var> affine_scan(const Var& b, const Var& a, const Var& initial = {},
                                    const std::string& read = "after") {
  return apply_all<AffineScan>({b, a, initial}, {.read = read});
}

}  // namespace weft::ops
