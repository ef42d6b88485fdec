// Central differences in f64 against the tape's gradients, for the tests of single ops.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "engine/tape.h"

namespace weft::tests {

using Build = std::function<Var(Tape&, const std::vector<Var>&)>;

/// What a user gets: packed products, all threads.
inline const Runtime& runtime() {
  static const Runtime r;
  return r;
}

/// Fixed pseudo-random numbers in -1 .. 1.
inline Tensor random(const Shape& shape, u64 seed, DType dtype = DType::f64) {
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 2 * uniform(Key{seed}, i) - 1;
  return Tensor::from(values, shape, dtype);
}

inline std::vector<double> numbers(const Tensor& t) {
  std::vector<double> values;
  for (i64 i = 0; i < t.size(); ++i) values.push_back(t.at(i));
  return values;
}

/// Largest difference of elements, relative to the largest element or 1.
inline double distance(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double worst = 0, scale = 1;
  for (i64 i = 0; i < a.size(); ++i) {
    worst = std::max(worst, std::isfinite(a.at(i) - b.at(i)) ? std::abs(a.at(i) - b.at(i)) : 1e300);
    scale = std::max(scale, std::abs(b.at(i)));
  }
  return worst / scale;
}

/// Worst distance between the gradients of <build(inputs), cotangent> and central differences. With h = 1e-5 the
/// differences are good to about 1e-10: h^2 of truncation and 1e-16 / h of rounding.
inline double gradient_distance(const std::vector<Tensor>& inputs, const Build& build,
                                const RunSettings& settings = {}) {
  static const Runtime runtime({.products = "loops", .parallel = "serial"});
  Tensor cotangent;
  const auto value = [&](const std::vector<Tensor>& at, std::vector<Tensor>* gradients) {
    Tape tape(runtime, DType::f64, Graph::Gradients::yes, settings);
    std::vector<Var> leaves;
    for (const Tensor& t : at) leaves.push_back(tape.leaf(t));
    const Var y = build(tape, leaves);
    if (!cotangent) cotangent = random(tape.value(y).shape(), 99);
    if (gradients) *gradients = tape.gradient(y, leaves, cotangent);
    double sum = 0;
    for (i64 i = 0; i < cotangent.size(); ++i) sum += cotangent.at(i) * tape.value(y).at(i);
    return sum;
  };
  std::vector<Tensor> gradients;
  value(inputs, &gradients);
  double worst = 0;
  for (std::size_t n = 0; n < inputs.size(); ++n) {
    if (inputs[n].dtype() == DType::i32) continue;
    REQUIRE(gradients[n]);
    std::vector<double> differences;
    for (i64 i = 0; i < inputs[n].size(); ++i) {
      constexpr double h = 1e-5;
      double sides[2];
      for (const int side : {0, 1}) {
        std::vector<Tensor> moved = inputs;
        std::vector<double> values = numbers(inputs[n]);
        values[static_cast<std::size_t>(i)] += side ? h : -h;
        moved[n] = Tensor::from(values, inputs[n].shape(), DType::f64);
        sides[side] = value(moved, nullptr);
      }
      differences.push_back((sides[1] - sides[0]) / (2 * h));
    }
    worst = std::max(worst, distance(gradients[n], Tensor::from(differences, inputs[n].shape(), DType::f64)));
  }
  return worst;
}

}  // namespace weft::tests
