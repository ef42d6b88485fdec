#pragma once
#include "ops/shared/causal_window.h"

namespace weft::ops {

struct CausalConv : General {
  static constexpr Doc doc{"a filter of its own for every channel over the last K positions",
                           "y[t, d] = sum over j < K of w[d, j] x[t - K + 1 + j, d]"};
  static constexpr const char* gradient =
      "dx[t, d] = sum over j of w[d, j] dy[t + K - 1 - j, d] + dlast[t - T + K - 1, d], dpast the same for t < 0\n"
      "dw[d, j] = sum over t of dy[t, d] x[t - K + 1 + j, d]";
  static constexpr Along along = Along::streams;
  static constexpr std::array inputs{Input{"x", Input::plain, 2}, Input{"w", Input::plain, 2},
                                     Input{"past", Input::optional, 2}};
  static std::vector<std::string> outputs() { return {"y", "last"}; }
  static std::vector<StateInfo> states() { return {{2, 1}}; }

  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    in.at(0, -2);
    in.require(in[1].size() == 2 && same_size(in[1][0], in.at(0, -1)) && in[1][1].known() && in[1][1].value() > 0,
               fmt::format("the filters of {} are [{}, K], not {}", text(in[0]), in.at(0, -1).text(), text(in[1])));
    const Dims last = state_dims(attrs, in, 0, 0);
    in.require(!in.has(2) || same_size(in[2], last),
               in.has(2) ? fmt::format("the past is {}, not {}", text(last), text(in[2])) : "");
    return {in[0], last};
  }
  static Dims state_dims(const Attrs&, const InputDims& in, std::size_t, const Dim&) {
    Dims d = in[0];
    d[d.size() - 2] = Dim(in[1][1].value() - 1);
    return d;
  }

  template <class T> static void forward(const Attrs&, Kernel<T>& k) {
    const i64 K = k.shape(1).back();
    const CausalWindow<T> x(k, K - 1, k.input(0).data(), k.input(2).data());
    const T* w = k.input(1).data();
    T* y = k.result(0).data();
    k.rows(x.lines * x.steps, x.width * K, [&, y, w](i64 r) {
      T* out = y + r * x.width;
      std::fill_n(out, x.width, T(0));
      for (i64 j = 0; j < K; ++j) {
        const T* in = x.at(r / x.steps, r % x.steps - K + 1 + j);
        for (i64 d = 0; in && d < x.width; ++d) out[d] += w[d * K + j] * in[d];
      }
    });
    x.keep(k.result(1).data());
  }
  // dx[t] = sum over j of w[j] dy[t + K - 1 - j] (+ what `last` hands back), dw[j] = sum over t of dy[t] x[t - K + 1 +
  // j]
  template <class T> static void backward(const Attrs&, Kernel<T>& k) {
    const i64 K = k.shape(1).back();
    const CausalWindow<T> x(k, K - 1, k.input(0).data(), k.input(2).data());
    const T *w = k.input(1).data(), *dy = k.has_cotangent(0) ? k.cotangent(0).data() : nullptr;
    const T* dlast = k.has_cotangent(1) ? k.cotangent(1).data() : nullptr;
    const auto dx = k.gradient(0), dpast = k.gradient(2);
    const auto at_input = [&](i64 line, i64 t, T* out) {  // gradient of position t, from -(K - 1) on
      std::fill_n(out, x.width, T(0));
      for (i64 j = 0; dy && j < K; ++j) {
        const i64 to = t + K - 1 - j;
        if (to < 0 || to >= x.steps) continue;
        const T* up = dy + (line * x.steps + to) * x.width;
        for (i64 d = 0; d < x.width; ++d) out[d] += w[d * K + j] * up[d];
      }
      const i64 i = t - (x.steps - x.n);
      if (!dlast || i < 0) return;
      for (i64 d = 0; d < x.width; ++d) out[d] += dlast[(line * x.n + i) * x.width + d];
    };
    if (!dx.empty())
      k.rows(x.lines * x.steps, x.width * K,
             [&](i64 r) { at_input(r / x.steps, r % x.steps, dx.data() + r * x.width); });
    for (i64 r = 0; r < std::ssize(dpast) / std::max<i64>(1, x.width); ++r)
      at_input(r / x.n, r % x.n - x.n, dpast.data() + r * x.width);
    if (!k.wants(1)) return;
    T* dw = k.gradient(1).data();
    k.rows(K, x.lines * x.steps * x.width, [&, dw](i64 j) {
      for (i64 d = 0; d < x.width; ++d) dw[d * K + j] = 0;
      for (i64 r = 0; dy && r < x.lines * x.steps; ++r) {
        const T* in = x.at(r / x.steps, r % x.steps - K + 1 + j);
        for (i64 d = 0; in && d < x.width; ++d) dw[d * K + j] += dy[r * x.width + d] * in[d];
      }
    });
  }
  static std::vector<Sample> samples() {
    return {{{{5, 3}, {3, 2}, {-1}}},
            {{{2, 4, 3}, {3, 3}, {2, 2, 3}}},
            {{{2, 1, 3}, {3, 4}, {2, 3, 3}}},
            {{{3, 2}, {2, 1}, {-1}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{5, 3}, {4, 2}, {-1}}}, "are [3, K]"}, {{{{5, 3}, {3, 2}, {2, 3}}}, "the past is [1, 3]"}};
  }
};

inline Var causal_conv(const Var& x, const Var& w) { return apply<CausalConv>({x, w}); }

}  // namespace weft::ops
