// Ops at the edges: NaN, tiny numbers, long positions, all lengths.
#include <numbers>

#include "ops/dct.h"
#include "ops/dft.h"
#include "ops/elu.h"
#include "ops/max.h"
#include "ops/min.h"
#include "ops/position.h"
#include "ops/rotate.h"
#include "ops/softmax.h"
#include "ops/table.h"
#include "ops/to_index.h"
#include "tests/ops/differences.h"

using namespace weft;
using namespace weft::tests;

namespace {

Tensor eager(const std::vector<Tensor>& inputs, const std::function<Var(const std::vector<Var>&)>& build,
             const RunSettings& settings = {}) {
  Tape tape(runtime(), inputs[0].dtype(), Graph::Gradients::no, settings);
  std::vector<Var> leaves;
  for (const Tensor& t : inputs) leaves.push_back(tape.leaf(t));
  return tape.value(build(leaves));
}

bool any_nan(const Tensor& t) {
  for (i64 i = 0; i < t.size(); ++i) {
    if (t.dtype() != DType::i32 && std::isnan(t.at(i))) return true;
  }
  return false;
}

// The first input of the op's first sample is all NaN, the others are 1.
bool shows_nan(const Op& op, DType dtype) {
  const Sample sample = op.samples()[0];
  Tape tape(runtime(), dtype, Graph::Gradients::no);
  std::vector<Var> inputs;
  for (std::size_t i = 0; i < sample.shapes.size(); ++i) {
    const Shape& shape = sample.shapes[i];
    inputs.emplace_back();
    if (shape == Shape{-1}) continue;
    const bool index = op.inputs[std::min(i, op.inputs.size() - 1)].is(Input::index);
    inputs.back() =
        tape.leaf(index ? Tensor::of_indices(std::vector<i32>(static_cast<std::size_t>(element_count(shape))), shape)
                        : Tensor::full(shape, i ? 1 : std::nan(""), dtype));
  }
  bool shown = false;
  for (const Var& y : tape.append(op, op.complete(sample.attributes), inputs)) shown = shown || any_nan(tape.value(y));
  return shown;
}

}  // namespace

TEST_CASE("no op hides a NaN, comparisons and choices by a condition apart") {
  for (const Op* op : ops::table()) {
    const bool takes_real = !op->inputs.empty() && !op->inputs[0].is(Input::index);
    const bool compares = op->family == Op::Family::pointwise && !op->backward_f32 && op->name != "stop_gradient";
    if (!takes_real || compares || op->name == "where" || op->name == "to_index" || op->name == "last") continue;
    CAPTURE(op->name);
    CHECK(shows_nan(*op, DType::f32));
    CHECK(shows_nan(*op, DType::f64));
  }
  const Tensor nan = Tensor::full({1}, std::nan(""), DType::f32);
  CHECK_THROWS_WITH_AS(eager({nan}, [](const auto& v) { return ops::to_index(v[0]); }),
                       "to_index: nan is no index: it is not within 2^24, up to which f32 counts", Error);
  for (const i64 place : {0, 1, 2}) {
    std::vector<double> x = {1, 3, 2};
    x[static_cast<std::size_t>(place)] = std::nan("");
    const Tensor t = Tensor::from(x, {3}, DType::f32);
    CHECK(any_nan(eager({t}, [](const auto& v) { return ops::max(v[0], 0); })));
    CHECK(any_nan(eager({t}, [](const auto& v) { return ops::min(v[0], 0); })));
    CHECK(any_nan(eager({t}, [](const auto& v) { return ops::softmax(v[0]); })));
  }
}

TEST_CASE("elu keeps its digits near 0 in f32") {
  for (const double x : {-1e-6, -1e-3, -0.1, -0.33, -0.35, -2.0}) {
    const Tensor y = eager({Tensor::from({x}, {1}, DType::f32)}, [](const auto& v) { return ops::elu(v[0]); });
    const double expected = std::expm1(static_cast<double>(static_cast<float>(x)));
    CHECK(std::abs(y.at(0) - expected) < 3e-7 * std::abs(expected));  // a few roundings of 6e-8
  }
}

TEST_CASE("the transforms are those of their matrices, for every length up to 40 and some beyond") {
  std::vector<i64> lengths = {64, 97, 100, 121, 128, 210};  // 97 is prime, 121 is 11 * 11
  for (i64 n = 1; n <= 40; ++n) lengths.push_back(n);
  for (const i64 n : lengths) {
    CAPTURE(n);
    const Tensor x = random({n}, 1);
    const Tensor real = eager({x}, [](const auto& v) { return ops::dft(v[0], 0); });
    const Tensor imag = eager({x}, [](const auto& v) { return ops::dft(v[0], 0, "imag", "ortho"); });
    const Tensor cosine = eager({x}, [](const auto& v) { return ops::dct(v[0], 0); });
    const double length = static_cast<double>(n), root = std::sqrt(length);
    double worst = 0;
    for (i64 k = 0; k < n; ++k) {
      double re = 0, im = 0, c = 0;
      for (i64 j = 0; j < n; ++j) {
        const double angle = 2 * std::numbers::pi * static_cast<double>(j * k % n) / length;
        re += x.at(j) * std::cos(angle);
        im -= x.at(j) * std::sin(angle);
        c += x.at(j) * std::cos(std::numbers::pi * static_cast<double>((2 * j + 1) * k % (4 * n)) / (2 * length));
      }
      c *= std::sqrt((k ? 2 : 1) / length);
      worst =
          std::max({worst, std::abs(real.at(k) - re), std::abs(imag.at(k) - im / root), std::abs(cosine.at(k) - c)});
    }
    CHECK(worst < 1e-13 * (1 + length));  // sums of n terms below 1
    CHECK(distance(eager({cosine}, [](const auto& v) { return ops::dct(v[0], 0, true); }), x) < 1e-14 * (1 + root));
  }
}

TEST_CASE("a scale whose power is too large for the numbers is an error that says where") {
  const Tensor x = Tensor::full({2, 2}, 1, DType::f32), theta = Tensor::full({1}, 0.1, DType::f32);
  const auto at = [&](double scale, i64 offset) {
    eager({x, theta, Tensor::full({1}, scale, DType::f32)},
          [](const auto& v) { return ops::rotate(v[0], v[1], false, v[2]); }, {.offsets = {offset}});
  };
  at(0.5, 100000);  // it only vanishes
  at(2, 100);
  CHECK_THROWS_WITH_AS(at(2, 127), "rotate: 2^128 is too large: a scale above 1 has a last position", Error);
}

TEST_CASE("a position that is one for all rows is refused where the rows differ") {
  const auto run = [](std::vector<i64> offsets) {
    Graph graph;
    Run r(graph, {ops::position(graph, 3)});
    return r(runtime(), DType::f64, {}, {.offsets = std::move(offsets)})[0];
  };
  CHECK(numbers(run({7, 7})) == std::vector<double>{7, 8, 9});
  CHECK_THROWS_WITH_AS(
      run({7, 8}),
      "position: the rows of this batch stand at different positions, and it has no row of its own for each", Error);
}
