#pragma once
#include <cstring>
#include <limits>

#include "engine/kernel.h"
#include "engine/math.h"
#include "ops/shared/cached_attention.h"

namespace weft::ops {

struct Attention : General {
  static constexpr Doc doc{"softmax attention; a stream keeps the keys and values that it has seen",
                           "y = softmax(scale q k^T) v, over the keys up to the query's own when causal",
                           "Vaswani et al. 2017, arXiv:1706.03762; Dao et al. 2022, arXiv:2205.14135"};
  static constexpr const char* gradient =
      "dq = scale dS keys, dS = p * (dp - rowsum(p * dp)), dp = dy values^T, p = softmax(scale q keys^T)\n"
      "[dpast_k; dk] = dkeys + scale dS^T q\n"
      "[dpast_v; dv] = dvalues + p^T dy";
  static constexpr unsigned shares = 0b110;  // keys and values
  static constexpr Along along = Along::streams;
  static constexpr std::array inputs{Input{"q", Input::plain, 2}, Input{"k", Input::plain, 2},
                                     Input{"v", Input::plain, 2}, Input{"past_k", Input::optional, 99},
                                     Input{"past_v", Input::optional, 99}};
  static std::vector<std::string> outputs() { return {"y", "keys", "values"}; }
  static constexpr std::size_t saved = 1;  // logsumexp of every row of scores
  static std::vector<StateInfo> states() { return {{3, 1}, {4, 2}}; }
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
      const Dim& past = in.at(3, 0);
      for (const std::size_t i : {3, 4}) {
        const Dims fits = kept(in[i - 2], past);
        in.require(same_size(in[i], fits),
                   fmt::format("{} is {}, not {}", i == 3 ? "past_k" : "past_v", text(fits), text(in[i])));
      }
      all = past + all;
    }
    Dims y = lead(0), rows = y;
    y.insert(y.end(), {T, dv});
    rows.push_back(T);
    return {y, kept(in[1], all), kept(in[2], all), rows};
  }
  static Dims state_dims(const Attrs&, const InputDims& in, std::size_t input, const Dim& past) {
    return kept(in[input == 3 ? 1 : 2], past);
  }
  // [rows, heads..., T, width] of k or v as a stream keeps them: [positions, rows, heads..., width], so that what is
  // new is put behind all that was seen. With rows in front, the caches of several were copied for every token: eight
  // texts of 2,000 tokens at size M took 44 s instead of 22.
  static Dims kept(Dims d, const Dim& positions) {
    d[d.size() - 2] = positions;
    std::rotate(d.begin(), d.end() - 2, d.end() - 1);
    return d;
  }

  // Where the numbers of each head stand, in either order of dimensions: `width` of them for each position.
  struct Order {
    i64 heads, width;                   // heads of all rows
    i64 head, position;                 // steps
    Order(const Shape& s, bool kept) {  // s: [rows, heads..., T, width]
      const i64 T = s[s.size() - 2];
      width = s.back();
      heads = element_count(Shape(s.begin(), s.end() - 2));
      head = kept ? width : T * width, position = kept ? heads * width : width;
    }
  };

  // Sizes of a call, and the scores of a block of queries: rows of `keys` numbers, of which `visible` count. The keys
  // behind a block's last query are left out: with blocks of 64, all of a window at size S, its step took 2.5 % longer.
  static constexpr i64 kBlock = 32;
  template <class T> struct Heads {
    i64 count, queries, keys, past, dk, dv;
    bool causal;
    T scale;
    Heads(const Attrs& a, const Kernel<T>& k) : causal(a.causal) {
      const Shape& q = k.shape(0);
      const std::size_t r = q.size();
      queries = q[r - 2], dk = q[r - 1], dv = k.shape(2)[r - 1];
      past = k.has(3) ? k.shape(3)[0] : 0;
      keys = past + k.shape(1)[r - 2];
      count = element_count(Shape(q.begin(), q.end() - 2));
      scale = a.scale != 0 ? static_cast<T>(a.scale) : T(1) / std::sqrt(static_cast<T>(std::max<i64>(1, dk)));
    }
    i64 visible(i64 query) const { return causal ? std::clamp<i64>(keys - queries + query + 1, 0, keys) : keys; }
    i64 blocks() const { return (queries + kBlock - 1) / kBlock; }
    void scores(const Kernel<T>& k, const T* q, const T* key, i64 step, i64 first, i64 rows, i64 n, T* s) const {
      k.multiply({false, true, rows, n, dk, q + first * dk, dk, key, step, s, n, scale, T(0)});
    }
  };

  template <class T> static void copy(const Order& from, const T* x, const Order& to, T* y, i64 head, i64 n) {
    for (i64 t = 0; t < n; ++t)
      std::copy_n(x + head * from.head + t * from.position, from.width, y + head * to.head + t * to.position);
  }

  // Keys or values of all positions, for those who come after and for this call.
  template <class T> struct All {
    const T* data;
    Order order;
  };
  template <class T>
  static All<T> append_past(const Heads<T>& h, Kernel<T>& k, std::size_t now, std::size_t past, std::size_t out) {
    const Order fresh(k.shape(now), false), kept(k.shape(now), true);
    const T* x = k.input(now).data();
    if (!k.has(past) && (fresh.heads == 1 || !k.is_read(out))) {
      k.share(out, *k.call().inputs[now]);
      return {x, fresh};
    }
    T* to = k.has(past) ? k.extend(out, *k.call().inputs[past]).data() : k.result(out).data();
    for (i64 n = 0; n < h.count; ++n) copy(fresh, x, kept, to, n, h.keys - h.past);
    return {std::as_const(k.call().results[out]).template values<T>().data(), kept};
  }

  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    const Heads<T> h(attrs, k);
    const All<T> keys = append_past(h, k, 1, 3, 1), values = append_past(h, k, 2, 4, 2);
    const T* q = k.input(0).data();
    T *y = k.result(0).data(), *lse = k.save(0).data();
    if (k.has(3) && h.queries == 1 && h.count > 0) {
      return CachedAttention<T>{h.count, h.keys, h.dk, h.dv, h.scale, q, keys.data, values.data}(k, y, lse);
    }
    k.ranges(h.count * h.blocks(), 1, [&](i64 begin, i64 end) {
      Tensor memory = k.scratch({std::min(kBlock, h.queries) * std::max<i64>(1, h.keys)});
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
        h.scores(k, q + head * h.queries * h.dk, keys.data + head * keys.order.head, keys.order.position, first, rows,
                 n, s);
        block(k.isa(), [&] {
          for (i64 r = 0; r < rows; ++r) {
            lse[head * h.queries + first + r] = softmax_row(s + r * n, h.visible(first + r), n);
          }
        });
        k.multiply({false, false, rows, h.dv, n, s, n, values.data + head * values.order.head, values.order.position,
                    out, h.dv});
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
    const Tensor all_k = joined(h, k, 1, 3), all_v = joined(h, k, 2, 4);
    const T *q = k.input(0).data(), *keys = all_k.values<T>().data(), *values = all_v.values<T>().data(),
            *lse = k.saved(0).data();
    const T* dy = k.has_cotangent(0) ? k.cotangent(0).data() : nullptr;
    Tensor dq_all = k.scratch(k.shape(0)), dk_all = k.scratch(all_k.shape()), dv_all = k.scratch(all_v.shape());
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
        copy_or_zero(k, 1, all_k.shape(), head, dk);
        copy_or_zero(k, 2, all_v.shape(), head, dv);
        std::fill_n(dqh, h.queries * h.dk, T(0));
        for (i64 first = 0; dy && first < h.queries; first += kBlock) {
          const i64 rows = std::min(kBlock, h.queries - first), n = h.visible(first + rows - 1);
          if (n == 0) continue;
          const T* up = dy + (head * h.queries + first) * h.dv;
          h.scores(k, qh, kh, h.dk, first, rows, n, p);
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
    split(k, dk_all, 1, 3);
    split(k, dv_all, 2, 4);
  }
  // Past and present as [rows, heads..., positions, width].
  template <class T> static Tensor joined(const Heads<T>& h, Kernel<T>& k, std::size_t now, std::size_t past) {
    const Tensor& fresh = *k.call().inputs[now];
    if (!k.has(past)) return fresh;
    Tensor all = k.scratch(with_positions(fresh.shape(), h.keys));
    T* to = all.template mutable_values<T>().data();
    const Order order(all.shape(), false), seen(with_positions(fresh.shape(), h.past), true), own(fresh.shape(), false);
    for (i64 n = 0; n < h.count; ++n) {
      copy(seen, k.input(past).data(), order, to, n, h.past);
      copy(own, k.input(now).data(), order, to + h.past * order.position, n, h.keys - h.past);
    }
    return all;
  }
  // Scores become probabilities, their gradients those of the scores.
  template <class T> static void softmax_back(T* p, T* ds, T lse, i64 kept, i64 n) {
    for (i64 i = 0; i < kept; ++i) p[i] = weft::exp(p[i] - lse);
    const T dot = lane_sum<T>(kept, [=](auto at) { return at(p) * at(ds); });
    for (i64 i = 0; i < kept; ++i) ds[i] = p[i] * (ds[i] - dot);
    for (i64 i = kept; i < n; ++i) p[i] = ds[i] = 0;
  }
  template <class T>
  static void copy_or_zero(const Kernel<T>& k, std::size_t output, const Shape& all, i64 head, T* to) {
    const Order order(all, false);
    const i64 n = all[all.size() - 2];
    if (k.has_cotangent(output)) copy(Order(all, true), k.cotangent(output).data(), order, to, head, n);
    else std::fill_n(to + head * order.head, n * order.width, T(0));
  }
  // The gradient of past and present together, each to its input.
  template <class T> static void split(Kernel<T>& k, const Tensor& all, std::size_t now, std::size_t past) {
    const Order order(all.shape(), false), own(k.shape(now), false);
    const i64 after = k.shape(now)[k.shape(now).size() - 2], before = all.shape()[all.shape().size() - 2] - after;
    const Order seen(with_positions(k.shape(now), before), true);
    const T* from = all.values<T>().data();
    for (i64 n = 0; n < order.heads; ++n) {
      if (k.wants(past)) copy(order, from, seen, k.gradient(past).data(), n, before);
      if (k.wants(now)) copy(order, from + before * order.position, own, k.gradient(now).data(), n, after);
    }
  }
  static Shape with_positions(Shape s, i64 n) {
    s[s.size() - 2] = n;
    return s;
  }

  // Of the keys, a causal query sees those up to its own.
  static double flops(const Attrs& attrs, const std::vector<Shape>& inputs, const std::vector<Shape>& outputs) {
    const Shape& q = inputs[0];
    const auto queries = static_cast<double>(q[q.size() - 2]), keys = static_cast<double>(outputs[1][0]),
               heads = static_cast<double>(element_count(Shape(q.begin(), q.end() - 2))),
               width = static_cast<double>(q.back() + outputs[0].back());
    const double own = std::min(queries, keys);
    return 2 * heads * width * (attrs.causal ? own * (2 * keys - own + 1) / 2 : queries * keys);
  }
  static std::vector<Sample> samples() {
    return {{{{5, 4}, {5, 4}, {5, 3}, {-1}, {-1}}},
            {{{2, 3, 4}, {2, 3, 4}, {2, 3, 4}, {1, 2, 4}, {1, 2, 4}}, {{"scale", 0.7}}},
            {{{2, 2, 3}, {2, 2, 3}, {2, 2, 2}, {-1}, {-1}}, {{"causal", false}}},
            {{{70, 2}, {70, 2}, {70, 2}, {-1}, {-1}}},
            {{{1, 2, 3, 2}, {1, 2, 3, 2}, {1, 2, 3, 3}, {4, 1, 2, 2}, {4, 1, 2, 3}}},
            {{{2, 2, 3, 2}, {2, 2, 3, 2}, {2, 2, 3, 3}, {4, 2, 2, 2}, {4, 2, 2, 3}}},
            {{{2, 2, 1, 9}, {2, 2, 1, 9}, {2, 2, 1, 3}, {10, 2, 2, 9}, {10, 2, 2, 3}}},
            {{{2, 2, 5, 2}, {2, 2, 5, 2}, {2, 2, 5, 3}, {-1}, {-1}}}};
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
