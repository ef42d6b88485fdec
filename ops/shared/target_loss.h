// The loss of one row of logits against its target, for all who need it.
#pragma once
#include <algorithm>
#include <cmath>

#include "engine/kernel.h"
#include "engine/math.h"

namespace weft::ops {

/// How many targets count; an error when one is no class.
inline i64 counted_targets(std::span<const i32> targets, i64 ignore, i64 classes, const std::string& who) {
  i64 counted = 0;
  for (const i32 target : targets) {
    if (target == ignore) continue;
    check(target >= 0 && target < classes, "{}: the target {} is none of the {} classes", who, target, classes);
    ++counted;
  }
  return counted;
}

/// -(1 - smoothing) log p[target] - smoothing/V sum_v log p[v], p = softmax(x).
template <class T> struct TargetLoss {
  i64 classes;
  double smoothing;

  double operator()(const T* x, i32 target, double log_sum, double sum) const {
    const double loss = log_sum - (1 - smoothing) * static_cast<double>(x[target]);
    return smoothing > 0 ? loss - smoothing / static_cast<double>(classes) * sum : loss;
  }
  /// d = g (p - (1 - smoothing) onehot(target) - smoothing/V); d may be x.
  void gradient(const T* x, i32 target, T log_sum, T g, T* d) const {
    const T spread = static_cast<T>(smoothing / static_cast<double>(classes));
    for (i64 v = 0; v < classes; ++v) d[v] = g * (exp(x[v] - log_sum) - spread);
    d[target] -= g * static_cast<T>(1 - smoothing);
  }

  /// log sum_v e^{x_v} around the largest element, so that nothing overflows; also the plain sum of x. Lanes of fixed
  /// number, so that the loops are vectors and the order of the sum is one.
  double log_sum_exp(const T* x, double& sum) const {
    constexpr i64 kLanes = 16;
    const i64 n = classes;
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

}  // namespace weft::ops
