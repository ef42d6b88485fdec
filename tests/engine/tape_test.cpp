#include "engine/tape.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/engine/little_ops.h"

using namespace weft;
using namespace weft::tests;

namespace {}  // namespace

TEST_CASE("an op is computed when it is applied") {
  Tape tape(runtime(), DType::f64);
  const Var y = square(tape.leaf(Tensor::from({3, -4}, {2})));
  CHECK(tape.value(y).at(0) == 9);
  CHECK(tape.value(y).at(1) == 16);
}

TEST_CASE("without a cotangent the gradient is that of the sum") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    Tape tape(runtime(), dtype);
    const Var x = tape.leaf(Tensor::from({3, -4}, {2}));  // converted to the tape's type
    const Tensor g = tape.gradient(square(x), {x})[0];
    CHECK(g.dtype() == dtype);
    CHECK(g.at(0) == 6);
    CHECK(g.at(1) == -8);
  }
}

TEST_CASE("a cotangent weighs the outputs, and may be of another type than the tape") {
  Tape tape(runtime(), DType::f32);
  const Var x = tape.leaf(Tensor::from({3, -4}, {2}));
  const Tensor g = tape.gradient(square(x), {x}, Tensor::from({0.5, -1}, {2}))[0];
  CHECK(g.at(0) == 3);
  CHECK(g.at(1) == 8);
  CHECK_THROWS_WITH_AS(tape.gradient(square(x), {x}, Tensor::from({1}, {1})),
                       "backward: the cotangent [1] does not have the shape [2] of its output", Error);
}

TEST_CASE("f32 and f64 run through the same code and agree within the rounding of f32") {
  const Tensor x = random({40, 50}, 1), w = random({50}, 2);
  std::vector<Tensor> found;
  for (const DType dtype : {DType::f32, DType::f64}) {
    Tape tape(runtime(), dtype);
    const Var a = tape.leaf(x), b = tape.leaf(w);
    found.push_back(tape.gradient(exponential(mul(square(a), b)), {b})[0]);
  }
  for (i64 i = 0; i < 50; ++i) {
    // Forty terms of at most e, each with a handful of roundings of 6e-8.
    CHECK(std::abs(found[0].at(i) - found[1].at(i)) < 40 * 2.7 * 5 * 6e-8);
  }
}

TEST_CASE("the same tape gives its gradient twice, bit for bit") {
  Tape tape(runtime(), DType::f32);
  const Var x = tape.leaf(random({30}, 1)), y = exponential(mul(x, square(x)));
  CHECK(same_bits(tape.gradient(y, {x})[0], tape.gradient(y, {x})[0]));
}

TEST_CASE("inputs and values are untouched by the backward") {
  Tape tape(runtime(), DType::f64);
  const Tensor in = random({9}, 1), before = in.copy();
  const Var x = tape.leaf(in), y = exponential(square(x));
  const Tensor value = tape.value(y).copy();
  tape.gradient(y, {x}, random({9}, 2));
  CHECK(same_bits(in, before));
  CHECK(same_bits(tape.value(y), value));
}

TEST_CASE("sizes of zero have values and gradients of size zero") {
  Tape tape(runtime(), DType::f64);
  const Var x = tape.leaf(Tensor::zeros({0, 3}, DType::f64)), row = tape.leaf(random({3}, 1));
  const auto g = tape.gradient(mul(x, row), {x, row});
  CHECK(g[0].shape() == Shape{0, 3});
  CHECK(g[1].shape() == Shape{3});
  for (i64 i = 0; i < 3; ++i) CHECK(g[1].at(i) == 0);  // a sum over nothing
}

TEST_CASE("an op that fails leaves a tape that goes on") {
  Tape tape(runtime(), DType::f64);
  const Var x = tape.leaf(random({3}, 1));
  runtime().pool()->limit(runtime().pool()->live_bytes() + 32);
  CHECK_THROWS_AS(square(x), Error);
  runtime().pool()->limit(0);
  CHECK(tape.gradient(square(x), {x})[0].at(0) == 2 * tape.value(x).at(0));
}

TEST_CASE("a tape computes in f32 or f64, holds its own values, and takes no empty leaf") {
  CHECK_THROWS_WITH_AS(Tape(runtime(), DType::i32), "tape: it computes in f32 or f64", Error);
  Tape a(runtime(), DType::f32), b(runtime(), DType::f32);
  const Var x = a.leaf(random({3}, 1));
  CHECK_THROWS_WITH_AS(b.value(x), "tape: a value of another tape", Error);
  CHECK_THROWS_WITH_AS(a.leaf(Tensor()), "tape: a leaf needs a tensor, not an empty one", Error);
}
