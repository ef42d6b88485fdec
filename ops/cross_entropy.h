#pragma once
#include "engine/math.h"
#include "engine/kernel.h"

namespace weft::ops {

struct CrossEntropy : General {
  static constexpr Doc doc{"how far predicted distributions are from the targets, in nats",
                           "y_t = logsumexp(z_t) - (1 - s) z_t[target_t] - s mean(z_t), with smoothing s"};
  static constexpr std::array inputs{Input{"logits", Input::plain, 1}, Input{"targets", Input::index}};
  static constexpr std::size_t saved = 1;  // logsumexp of every row
  struct Attrs {
    double smoothing = 0;
    i64 ignore = -1;
    std::string reduction = "mean";
  };
  static auto attributes() {
    return std::tuple{attribute("smoothing", &Attrs::smoothing, "share of the target given to all classes alike"),
                      attribute("ignore", &Attrs::ignore, "targets of this value are not counted"),
                      attribute("reduction", &Attrs::reduction, "mean over the counted, or none", {"mean", "none"})};
  }
  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    in.at(0, -1);
    const Dims rows(in[0].begin(), in[0].end() - 1);
    in.require(same_size(rows, in[1]), fmt::format("logits {} need targets {}, not {}", text(in[0]), text(rows), text(in[1])));
    return {attrs.reduction == "mean" ? Dims{} : rows, rows};
  }

  template <class T> static i64 counted(const Attrs& attrs, const Kernel<T>& k) {
    const auto targets = k.indices(1);
    return std::ssize(targets) - std::count(targets.begin(), targets.end(), static_cast<i32>(attrs.ignore));
  }
  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    const auto targets = k.indices(1);
    const i64 V = k.shape(0).back(), rows = std::ssize(targets), ignore = attrs.ignore;
    for (const i32 t : targets) check(t == ignore || (t >= 0 && t < V), "cross_entropy: the target {} is none of {} classes", t, V);
    const bool mean = attrs.reduction == "mean";
    const T s = static_cast<T>(attrs.smoothing);
    const T* z = k.input(0).data();
    T* lse = k.save(0).data();
    Tensor each = mean ? k.scratch({rows}) : Tensor();
    T* loss = mean ? each.template mutable_values<T>().data() : k.result().data();
    k.rows(rows, V * 4, [=](i64 r) {
      const T* x = z + r * V;
      T top = x[0], total = 0, all = 0;
      for (i64 i = 1; i < V; ++i) top = x[i] > top ? x[i] : top;
      for (i64 i = 0; i < V; ++i) total += weft::exp(x[i] - top);
      if (s != 0) {
        for (i64 i = 0; i < V; ++i) all += x[i];
      }
      lse[r] = top + std::log(total);
      loss[r] = targets[r] == ignore ? T(0) : lse[r] - (T(1) - s) * x[targets[r]] - s * all / static_cast<T>(V);
    });
    if (!mean) return;
    double total = 0;  // in order, in double: the same for any number of threads
    for (i64 r = 0; r < rows; ++r) total += static_cast<double>(loss[r]);
    k.result()[0] = static_cast<T>(total / static_cast<double>(std::max<i64>(1, counted(attrs, k))));
  }
  // dz_i = (softmax(z)_i - (1 - s) [i = target] - s / V) dy
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    const auto targets = k.indices(1);
    const i64 V = k.shape(0).back(), ignore = attrs.ignore;
    const bool mean = attrs.reduction == "mean";
    const T s = static_cast<T>(attrs.smoothing), share = mean ? T(1) / static_cast<T>(std::max<i64>(1, counted(attrs, k))) : T(1);
    const T *z = k.input(0).data(), *lse = k.saved(0).data(), *dy = k.cotangent().data();
    T* dz = k.gradient(0).data();
    k.rows(std::ssize(targets), V * 4, [=](i64 r) {
      const T *x = z + r * V, up = dy[mean ? 0 : r] * share;
      T* out = dz + r * V;
      if (targets[r] == ignore) return std::fill_n(out, V, T(0)), void();
      for (i64 i = 0; i < V; ++i) out[i] = (weft::exp(x[i] - lse[r]) - s / static_cast<T>(V)) * up;
      out[targets[r]] -= (T(1) - s) * up;
    });
  }
  static std::vector<Sample> samples() {
    return {{{{4, 3}, {4}}}, {{{2, 3, 5}, {2, 3}}, {{"smoothing", 0.1}, {"ignore", i64{2}}}}, {{{4, 3}, {4}}, {{"reduction", std::string("none")}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{4, 3}, {3}}}, "need targets [4]"}, {{{{4, 2}, {4}}, {}, -2, 2, 9}, "is none of 2 classes"}};
  }
};

inline Var cross_entropy(const Var& logits, const Var& targets, double smoothing = 0, i64 ignore = -1,
                         const std::string& reduction = "mean") {
  return apply<CrossEntropy>({logits, targets}, {.smoothing = smoothing, .ignore = ignore, .reduction = reduction});
}

}  // namespace weft::ops
