// What random ops draw.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/tape.h"
#include "ops/dropout.h"
#include "ops/gumbel_softmax.h"

using namespace weft;

namespace {

Tensor drawn(u64 key, const Tensor& x, const std::function<Var(const Var&)>& op) {
  static const Runtime runtime;
  Tape tape(runtime, DType::f64, Graph::Gradients::no, {.key = Key{key}, .training = true, .offsets = {}});
  return tape.value(op(tape.leaf(x)));
}

}  // namespace

TEST_CASE("dropout zeroes a share p of the elements and keeps the mean") {
  constexpr i64 n = 100000;
  for (const double p : {0.1, 0.5}) {
    const Tensor y = drawn(1, Tensor::full({n}, 2, DType::f64), [=](const Var& x) { return ops::dropout(x, p); });
    i64 zeros = 0;
    for (i64 i = 0; i < n; ++i) {
      if (y.at(i) == 0) ++zeros;
      else CHECK(y.at(i) == doctest::Approx(2 / (1 - p)).epsilon(1e-15));
    }
    // Four deviations of a binomial count.
    CHECK(std::abs(static_cast<double>(zeros) - p * n) < 4 * std::sqrt(p * (1 - p) * n));
  }
}

TEST_CASE("another key draws other numbers, and the same key the same") {
  const Tensor x = Tensor::full({64}, 1, DType::f64);
  const auto op = [](const Var& v) { return ops::dropout(v, 0.5); };
  CHECK(same_bits(drawn(1, x, op), drawn(1, x, op)));
  CHECK_FALSE(same_bits(drawn(1, x, op), drawn(2, x, op)));
}

TEST_CASE("a hard choice with Gumbel noise is drawn from the softmax") {
  constexpr i64 n = 50000;
  std::vector<double> logits;
  for (i64 i = 0; i < n; ++i) logits.insert(logits.end(), {std::log(0.2), std::log(0.3), std::log(0.5)});
  const Tensor y = drawn(3, Tensor::from(logits, {n, 3}, DType::f64),
                         [](const Var& x) { return ops::gumbel_softmax(x, 0.7, true); });
  double counts[3] = {};
  for (i64 i = 0; i < n; ++i) {
    for (i64 c = 0; c < 3; ++c) counts[c] += y.at(i * 3 + c);
  }
  const double expected[] = {0.2, 0.3, 0.5};
  for (int c = 0; c < 3; ++c) {
    const double deviation = std::sqrt(expected[c] * (1 - expected[c]) / n);
    CHECK(std::abs(counts[c] / n - expected[c]) < 4 * deviation);
  }
}
