#pragma once
#include <cstring>
#include <limits>

#include "engine/kernel.h"
#include "engine/math.h"
#include "ops/shared/lanes.h"

namespace weft::ops {

struct Attention : General {
  static constexpr Doc doc{"softmax attention; a stream keeps the keys and values that it has seen",
                           "y = softmax(scale q k^T) v, over the keys up to the query's own when causal",
                           "Vaswani et al. 2017, arXiv:1706.03762; Dao et al. 2022, arXiv:2205.14135"};
  static constexpr const char* gradient =
      "dq = scale dS keys, dS = p * (dp - rowsum(p * dp)), dp = dy values^T, p = softmax(scale q keys^T)\n"
      "[dpast_k; dk] = dkeys + scale dS^T q\n"
      "[dpast_v; dv] = dvalues + p^T dy";
  static constexpr Along along = Along::streams;
  static constexpr std::array inputs{Input{"q", Input::plain, 2}, Input{"k", Input::plain, 2},
                                     Input{"v", Input::plain, 2}, Input{"past_k", Input::optional, 2},
                                     Input{"past_v", Input::optional, 2}};
  static std::vector<std::string> outputs() { return {"y", "keys", "values"}; }
  static constexpr std::size_t saved = 1;  // logsumexp of every row of scores
  static std::vector<StateInfo> states() { return {{3, 1}, {4, 2}}; }
  static constexpr Reads reads{.outputs = 0b110};
  struct Attrs {
    bool causal = true;
    double scale = 0;
  };
  static auto attributes() {
    return std::tuple{attribute("causal", &Attrs::causal, "a query sees no key behind its own place"),
                      attribute("scale", &Attrs::scale, "of the scores; 0: 1 / sqrt of the keys' width")};
  }

  static Along along_with(const Attrs& attrs) { return attrs.causal ? Along::streams : Along::whole; }
  static std::vector<Dims> infer(const Attrs&, const InputDims& in) {
    const Dim &T = in.at(0, -2), &dk = in.at(0, -1), &dv = in.at(2, -1);
    const auto lead = [&](std::size_t i) {
      in.at(i, -2);
      return Dims(in[i].begin(), in[i].end() - 2);
    };
    in.require(same_size(lead(0), lead(1)) && same_size(lead(0), lead(2)),
               fmt::format("q {}, k {} and v {} differ before time", text(in[0]), text(in[1]), text(in[2])));
    in.require(same_size(in.at(1, -1), dk), fmt::format("q {} and k {} differ in width", text(in[0]), text(in[1])));
    in.require(same_size(in.at(1, -2), in.at(2, -2)),
               fmt::format("k {} and v {} differ in time", text(in[1]), text(in[2])));
    in.require(in.has(3) == in.has(4), "past_k and past_v come together");
    Dim all = in.at(1, -2);
    if (in.has(3)) {
      const Dim& past = in.at(3, -2);
      for (const std::size_t i : {3, 4}) {
        Dims fits = in[i - 2];  // as k, v are, but for their number of positions
        fits[fits.size() - 2] = past;
        in.require(same_size(in[i], fits),
                   fmt::format("{} is {}, not {}", i == 3 ? "past_k" : "past_v", text(fits), text(in[i])));
      }
      all = past + all;
    }
    Dims y = lead(0), keys = y, values = y, rows = y;
    y.insert(y.end(), {T, dv});
    keys.insert(keys.end(), {all, dk});
    values.insert(values.end(), {all, dv});
    rows.push_back(T);
    return {y, keys, values, rows};
  }
  static Dims state_dims(const Attrs&, const InputDims& in, std::size_t input, const Dim& past) {
    Dims d = in[input == 3 ? 1 : 2];
    d[d.size() - 2] = past;
    return d;
  }

  // Sizes of a call, and the scores of a block of queries: rows of `keys` numbers, of which `visible` count.
  static constexpr i64 kBlock = 64;
  template <class T> struct Heads {
    i64 count, queries, keys, past, dk, dv;
    bool causal;
    T scale;
    Heads(const Attrs& a, const Kernel<T>& k) : causal(a.causal) {
      const Shape &q = k.shape(0), &all = k.output_shape(1);
      const std::size_t r = q.size();
      queries = q[r - 2], dk = q[r - 1], keys = all[r - 2], dv = k.output_shape(2)[r - 1];
      past = keys - queries;
      count = element_count(Shape(q.begin(), q.end() - 2));
      scale = a.scale != 0 ? static_cast<T>(a.scale) : T(1) / std::sqrt(static_cast<T>(std::max<i64>(1, dk)));
    }
    i64 visible(i64 query) const { return causal ? std::clamp<i64>(past + query + 1, 0, keys) : keys; }
    i64 blocks() const { return (queries + kBlock - 1) / kBlock; }
    void scores(const Kernel<T>& k, const T* q, const T* key, i64 first, i64 rows, i64 n, T* s) const {
      k.multiply({false, true, rows, n, dk, q + first * dk, dk, key, dk, s, n, scale, T(0)});
    }
  };

  template <class T> static void append_past(Kernel<T>& k, std::size_t now, std::size_t past, std::size_t out) {
    if (!k.has(past)) return k.share(out, *k.call().inputs[now]);
    const Shape& s = k.output_shape(out);
    const i64 width = s.back(), all = s[s.size() - 2], after = k.shape(now)[s.size() - 2], before = all - after;
    const i64 lines = element_count(Shape(s.begin(), s.end() - 2));
    const T *old = k.input(past).data(), *fresh = k.input(now).data();
    T* to = k.result(out).data();
    k.rows(lines, all * width, [=](i64 l) {
      std::copy_n(old + l * before * width, before * width, to + l * all * width);
      std::copy_n(fresh + l * after * width, after * width, to + (l * all + before) * width);
    });
  }

  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    append_past(k, 1, 3, 1);
    append_past(k, 2, 4, 2);
    const Heads<T> h(attrs, k);
    const auto& results = std::as_const(k.call().results);
    const T *q = k.input(0).data(), *keys = results[1].template values<T>().data(),
            *values = results[2].template values<T>().data();
    T *y = k.result(0).data(), *lse = k.save(0).data();
    k.ranges(h.count * h.blocks(), 1, [&](i64 begin, i64 end) {
      Tensor memory = k.scratch({kBlock * std::max<i64>(1, h.keys)});
      T* s = memory.template mutable_values<T>().data();
      for (i64 b = begin; b < end; ++b) {
        const i64 head = b / h.blocks(), first = b % h.blocks() * kBlock, rows = std::min(kBlock, h.queries - first);
        const i64 n = h.visible(first + rows - 1);
        T* out = y + (head * h.queries + first) * h.dv;
        if (n == 0) {
          std::fill_n(out, rows * h.dv, T(0));
          std::fill_n(lse + head * h.queries + first, rows, T(0));
          continue;
        }
        h.scores(k, q + head * h.queries * h.dk, keys + head * h.keys * h.dk, first, rows, n, s);
        block(k.isa(), [&] {
          for (i64 r = 0; r < rows; ++r) {
            lse[head * h.queries + first + r] = softmax_row(s + r * n, h.visible(first + r), n);
          }
        });
        k.multiply({false, false, rows, h.dv, n, s, n, values + head * h.keys * h.dv, h.dv, out, h.dv});
      }
    });
  }
  // Softmax over the first `kept` numbers of a row, zeros behind them; returns the logarithm of the sum.
  template <class T> static T softmax_row(T* x, i64 kept, i64 n) {
    const T top = lane_max(kept, x, -std::numeric_limits<T>::infinity());
    for (i64 i = 0; i < kept; ++i) x[i] = weft::exp(x[i] - top);
    const T total = lane_sum<T>(kept, [=](auto at) { return at(x); });
    const T scale = kept ? T(1) / total : T(0);
    for (i64 i = 0; i < kept; ++i) x[i] *= scale;
    for (i64 i = kept; i < n; ++i) x[i] = 0;
    return kept ? top + std::log(total) : T(0);
  }

  // With P = softmax(S): dv = P^T dy, dP = dy v^T, dS = P o (dP - rowsum(P o dP)), dq = scale dS k, dk = scale dS^T q.
  // P is computed again from S and its logarithms, a block of queries at a time.
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    const Heads<T> h(attrs, k);
    const T *q = k.input(0).data(), *keys = k.output(1).data(), *values = k.output(2).data(), *lse = k.saved(0).data();
    const T* dy = k.has_cotangent(0) ? k.cotangent(0).data() : nullptr;
    Tensor dq_all = k.scratch(k.shape(0)), dk_all = k.scratch(k.output_shape(1)), dv_all = k.scratch(k.output_shape(2));
    T *dq = dq_all.template mutable_values<T>().data(), *dk = dk_all.template mutable_values<T>().data(),
      *dv = dv_all.template mutable_values<T>().data();
    k.ranges(h.count, 1, [&](i64 begin, i64 end) {
      Tensor memory = k.scratch({2 * kBlock * std::max<i64>(1, h.keys)});
      T* p = memory.template mutable_values<T>().data();
      T* ds = p + kBlock * h.keys;
      for (i64 head = begin; head < end; ++head) {
        const T *qh = q + head * h.queries * h.dk, *kh = keys + head * h.keys * h.dk,
                *vh = values + head * h.keys * h.dv;
        T *dqh = dq + head * h.queries * h.dk, *dkh = dk + head * h.keys * h.dk, *dvh = dv + head * h.keys * h.dv;
        copy_or_zero(k, 1, head * h.keys * h.dk, h.keys * h.dk, dkh);
        copy_or_zero(k, 2, head * h.keys * h.dv, h.keys * h.dv, dvh);
        std::fill_n(dqh, h.queries * h.dk, T(0));
        for (i64 first = 0; dy && first < h.queries; first += kBlock) {
          const i64 rows = std::min(kBlock, h.queries - first), n = h.visible(first + rows - 1);
          if (n == 0) continue;
          const T* up = dy + (head * h.queries + first) * h.dv;
          h.scores(k, qh, kh, first, rows, n, p);
          k.multiply({false, true, rows, n, h.dv, up, h.dv, vh, h.dv, ds, n});
          block(k.isa(), [&] {
            for (i64 r = 0; r < rows; ++r) {
              softmax_back(p + r * n, ds + r * n, lse[head * h.queries + first + r], h.visible(first + r), n);
            }
          });
          k.multiply({true, false, n, h.dv, rows, p, n, up, h.dv, dvh, h.dv, T(1), T(1)});
          k.multiply({false, false, rows, h.dk, n, ds, n, kh, h.dk, dqh + first * h.dk, h.dk, h.scale, T(0)});
          k.multiply({true, false, n, h.dk, rows, ds, n, qh + first * h.dk, h.dk, dkh, h.dk, h.scale, T(1)});
        }
      }
    });
    if (k.wants(0)) k.share(0, dq_all);
    split(k, dk, 1, 3, h.keys, h.dk);
    split(k, dv, 2, 4, h.keys, h.dv);
  }
  // Scores become probabilities, their gradients those of the scores.
  template <class T> static void softmax_back(T* p, T* ds, T lse, i64 kept, i64 n) {
    for (i64 i = 0; i < kept; ++i) p[i] = weft::exp(p[i] - lse);
    const T dot = lane_sum<T>(kept, [=](auto at) { return at(p) * at(ds); });
    for (i64 i = 0; i < kept; ++i) ds[i] = p[i] * (ds[i] - dot);
    for (i64 i = kept; i < n; ++i) p[i] = ds[i] = 0;
  }
  template <class T> static void copy_or_zero(const Kernel<T>& k, std::size_t output, i64 from, i64 n, T* to) {
    if (k.has_cotangent(output)) std::copy_n(k.cotangent(output).data() + from, n, to);
    else std::fill_n(to, n, T(0));
  }
  // The gradient of past and present together, each to its input.
  template <class T>
  static void split(Kernel<T>& k, const T* all, std::size_t now, std::size_t past, i64 keys, i64 width) {
    const Shape& s = k.shape(now);
    const i64 after = s[s.size() - 2], before = keys - after, lines = element_count(Shape(s.begin(), s.end() - 2));
    for (i64 l = 0; l < lines; ++l) {
      const T* from = all + l * keys * width;
      if (k.wants(past)) std::copy_n(from, before * width, k.gradient(past).data() + l * before * width);
      if (k.wants(now)) std::copy_n(from + before * width, after * width, k.gradient(now).data() + l * after * width);
    }
  }

  static double flops(const Attrs& attrs, const std::vector<Shape>& inputs, const std::vector<Shape>& outputs) {
    const double keys = static_cast<double>(outputs[1][outputs[1].size() - 2]);
    const double rows = static_cast<double>(element_count(outputs[3])),
                 width = static_cast<double>(inputs[0].back() + outputs[0].back());
    return 2 * rows * keys * width * (attrs.causal ? 0.5 : 1);
  }
  static std::vector<Sample> samples() {
    return {{{{5, 4}, {5, 4}, {5, 3}, {-1}, {-1}}},
            {{{2, 3, 4}, {2, 3, 4}, {2, 3, 4}, {2, 2, 4}, {2, 2, 4}}, {{"scale", 0.7}}},
            {{{2, 2, 3}, {2, 2, 3}, {2, 2, 2}, {-1}, {-1}}, {{"causal", false}}},
            {{{70, 2}, {70, 2}, {70, 2}, {-1}, {-1}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{5, 4}, {5, 3}, {5, 3}, {-1}, {-1}}}, "differ in width"},
            {{{{5, 4}, {5, 4}, {4, 3}, {-1}, {-1}}}, "differ in time"},
            {{{{2, 5, 4}, {5, 4}, {5, 3}, {-1}, {-1}}}, "differ before time"},
            {{{{5, 4}, {5, 4}, {5, 3}, {2, 4}, {-1}}}, "come together"},
            {{{{5, 4}, {5, 4}, {5, 3}, {2, 4}, {3, 3}}}, "past_v is [2, 3], not [3, 3]"}};
  }
};

inline Var attention(const Var& q, const Var& k, const Var& v, bool causal = true, double scale = 0) {
  return apply<Attention>({q, k, v, {}, {}}, {.causal = causal, .scale = scale});
}

}  // namespace weft::ops
