#pragma once
#include <algorithm>

#include "engine/math.h"
#include "engine/op.h"

namespace weft::ops {

struct CrossEntropy : General {
  static constexpr Doc doc{
      "negative log-likelihood of the targets, in nats",
      "y_n = -(1 - smoothing) log p_n[targets_n] - smoothing/V sum_v log p_n[v], p_n = softmax(logits_n)",
      "label smoothing: Szegedy et al. 2016, arXiv:1512.00567"};
  static constexpr const char* gradient =
      "dlogits_n = g_n (p_n - (1 - smoothing) onehot(targets_n) - smoothing/V), 0 for an ignored target\n"
      "g_n = dy_n, or dy for the sum, dy / counted for the mean";
  static constexpr Along along = Along::whole;  // mean and sum go over all positions
  static constexpr std::array inputs{Input{"logits", Input::plain, 1}, Input{"targets", Input::index}};
  static constexpr std::size_t saved = 1;  // log sum_v exp(logits_n[v])
  struct Attrs {
    double smoothing = 0;
    i64 ignore = -1;
    std::string reduction = "mean";
  };
  static auto attributes() {
    return std::tuple{
        attribute("smoothing", &Attrs::smoothing, "share of the target's weight that is spread over all classes"),
        attribute("ignore", &Attrs::ignore, "targets of this value give 0, no gradient, and are not counted"),
        attribute("reduction", &Attrs::reduction, "mean over the counted targets (0 when there are none), none, or sum",
                  {"mean", "none", "sum"})};
  }

  // logits [..., V], targets [...] -> [], or [...] without reduction
  static std::vector<Dims> infer(const Attrs& a, const InputDims& in) {
    in.require(a.smoothing >= 0 && a.smoothing <= 1, fmt::format("smoothing is from 0 to 1, not {}", a.smoothing));
    in.at(0, -1);
    const Dims rows(in[0].begin(), in[0].end() - 1);
    in.require(rows.size() == in[1].size() && same_size(rows, in[1]),
               fmt::format("logits [..., V] need targets [...] ({} and {})", text(in[0]), text(in[1])));
    return {a.reduction == "none" ? rows : Dims{}, rows};
  }

  template <class T> static void forward(const Attrs& a, Kernel<T>& k) {
    const T* logits = k.input(0).data();
    const auto targets = k.indices(1);
    const i64 rows = std::ssize(targets), classes = k.shape(0).back();
    i64 counted = 0;
    for (const i32 target : targets) {
      if (target == a.ignore) continue;
      check(target >= 0 && target < classes, "cross_entropy: the target {} is none of the {} classes", target, classes);
      ++counted;
    }
    T* lse = k.save(0).data();
    std::vector<double> losses(static_cast<std::size_t>(rows));
    k.rows(rows, classes, [&](i64 n) {
      const T* x = logits + n * classes;
      double sum = 0;
      const double log_sum = log_sum_exp(x, classes, sum);
      lse[n] = static_cast<T>(log_sum);
      if (targets[n] == a.ignore) return;
      losses[n] = log_sum - (1 - a.smoothing) * static_cast<double>(x[targets[n]]);
      if (a.smoothing > 0) losses[n] -= a.smoothing / static_cast<double>(classes) * sum;
    });
    T* y = k.result().data();
    if (a.reduction == "none") {
      std::transform(losses.begin(), losses.end(), y, [](double loss) { return static_cast<T>(loss); });
      return;
    }
    double total = 0;
    for (const double loss : losses) total += loss;
    y[0] = static_cast<T>(a.reduction == "sum" ? total : total / static_cast<double>(std::max<i64>(1, counted)));
  }

  // dlogits_n = dy_n (p_n - (1 - smoothing) onehot(targets_n) - smoothing/V)
  template <class T> static void backward(const Attrs& a, Kernel<T>& k) {
    const T *logits = k.input(0).data(), *lse = k.saved(0).data(), *dy = k.cotangent().data();
    const auto targets = k.indices(1);
    const i64 rows = std::ssize(targets), classes = k.shape(0).back();
    T* dlogits = k.gradient(0).data();
    const i64 counted = rows - std::count(targets.begin(), targets.end(), a.ignore);
    const double share = a.reduction == "mean" ? 1 / static_cast<double>(std::max<i64>(1, counted)) : 1;
    k.rows(rows, classes, [&](i64 n) {
      T* d = dlogits + n * classes;
      if (targets[n] == a.ignore) {
        std::fill_n(d, classes, T(0));
        return;
      }
      const T* x = logits + n * classes;
      const T g = static_cast<T>(static_cast<double>(dy[a.reduction == "none" ? n : 0]) * share);
      const T log_sum = lse[n], spread = static_cast<T>(a.smoothing / static_cast<double>(classes));
      for (i64 v = 0; v < classes; ++v) d[v] = g * (exp(x[v] - log_sum) - spread);
      d[targets[n]] -= g * static_cast<T>(1 - a.smoothing);
    });
  }

  static double flops(const Attrs&, const std::vector<Shape>& in, const std::vector<Shape>&) {
    return 4 * static_cast<double>(element_count(in[0]));
  }
  static std::vector<Sample> samples() {
    return {{{{2, 3, 5}, {2, 3}}},
            {{{4, 37}, {4}}, {{"smoothing", 0.1}}},
            {{{7, 3}, {7}}, {{"ignore", i64{2}}}},
            {{{7, 3}, {7}}, {{"reduction", std::string("none")}, {"ignore", i64{1}}}},
            {{{2, 2, 3}, {2, 2}}, {{"reduction", std::string("sum")}, {"smoothing", 0.3}}},
            {{{4}, {}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{2, 3, 5}, {3}}}, "logits [..., V] need targets [...] ([2, 3, 5] and [3])"},
            {{.shapes = {{9, 2}, {9}}, .classes = 1000}, "is none of the 2 classes"},
            {{{{2, 5}, {2}}, {{"smoothing", 1.5}}}, "smoothing is from 0 to 1, not 1.5"}};
  }

 private:
  // log sum_v e^{x_v} around the largest element, so that nothing overflows; also the plain sum of x. Lanes of fixed
  // number, so that the loops are vectors and the order of the sum is one.
  template <class T> static double log_sum_exp(const T* x, i64 n, double& sum) {
    constexpr i64 kLanes = 16;
    T top[kLanes];
    std::fill_n(top, kLanes, n ? x[0] : T(0));
    double plain[kLanes] = {}, exps[kLanes] = {};
    i64 v = 0;
    for (; v + kLanes <= n; v += kLanes) {
      for (i64 j = 0; j < kLanes; ++j) top[j] = x[v + j] > top[j] ? x[v + j] : top[j];
    }
    for (; v < n; ++v) top[0] = x[v] > top[0] ? x[v] : top[0];
    const T largest = *std::max_element(top, top + kLanes);
    for (v = 0; v + kLanes <= n; v += kLanes) {
      T e[kLanes];
      for (i64 j = 0; j < kLanes; ++j) e[j] = exp(x[v + j] - largest);
      for (i64 j = 0; j < kLanes; ++j) exps[j] += static_cast<double>(e[j]);
      for (i64 j = 0; j < kLanes; ++j) plain[j] += static_cast<double>(x[v + j]);
    }
    for (; v < n; ++v) {
      exps[0] += static_cast<double>(exp(x[v] - largest));
      plain[0] += static_cast<double>(x[v]);
    }
    double total = 0;
    for (i64 j = 0; j < kLanes; ++j) total += exps[j], sum += plain[j];
    return static_cast<double>(largest) + std::log(total);
  }
};

/// logits [..., V], targets [...] -> the mean loss over the targets that are not `ignore`.
inline Var cross_entropy(const Var& logits, const Var& targets, const CrossEntropy::Attrs& attrs = {}) {
  return apply<CrossEntropy>({logits, targets}, attrs);
}

}  // namespace weft::ops
