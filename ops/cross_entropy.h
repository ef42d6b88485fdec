#pragma once
#include "ops/shared/target_loss.h"

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
    const i64 counted = counted_targets(targets, a.ignore, classes, k.op().name);
    const TargetLoss<T> loss{classes, a.smoothing};
    T* lse = k.save(0).data();
    std::vector<double> losses(static_cast<std::size_t>(rows));
    k.rows(rows, classes, [&](i64 n) {
      const T* x = logits + n * classes;
      double sum = 0;
      const double log_sum = loss.log_sum_exp(x, sum);
      lse[n] = static_cast<T>(log_sum);
      if (targets[n] != a.ignore) losses[n] = loss(x, targets[n], log_sum, sum);
    });
    T* y = k.result().data();
    if (a.reduction == "none") {
      std::transform(losses.begin(), losses.end(), y, [](double one) { return static_cast<T>(one); });
      return;
    }
    double total = 0;
    for (const double one : losses) total += one;
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
    const TargetLoss<T> loss{classes, a.smoothing};
    k.rows(rows, classes, [&](i64 n) {
      T* d = dlogits + n * classes;
      if (targets[n] == a.ignore) {
        std::fill_n(d, classes, T(0));
        return;
      }
      const T g = static_cast<T>(static_cast<double>(dy[a.reduction == "none" ? n : 0]) * share);
      loss.gradient(logits + n * classes, targets[n], lse[n], g, d);
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
};

/// logits [..., V], targets [...] -> the mean loss over the targets that are not `ignore`.
inline Var cross_entropy(const Var& logits, const Var& targets, const CrossEntropy::Attrs& attrs = {}) {
  return apply<CrossEntropy>({logits, targets}, attrs);
}

}  // namespace weft::ops
