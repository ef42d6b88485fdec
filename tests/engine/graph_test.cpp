#include "engine/graph.h"

#include <doctest/doctest.h>

#include <ctime>

#include "engine/tape.h"
#include "tests/engine/little_ops.h"

using namespace weft;
using namespace weft::tests;

namespace {

// y = y w + w, `steps` times: two nodes a step. At w = 1: dy/dx = 1 and dy/dw = steps x + steps (steps + 1) / 2.
Var chain(Var y, const Var& w, int steps) {
  for (int i = 0; i < steps; ++i) y = add(mul(y, w), w);
  return y;
}

}  // namespace

TEST_CASE("appending refuses a wrong number of inputs, a missing one, and a wrong kind") {
  Graph g;
  const Var x = g.input("x", {T, 3}), i = g.input("i", {}, Kind::index);
  const std::vector<Var> three{x, x, x}, one{x}, none{Var(), x};
  CHECK_THROWS_WITH_AS(g.append(row<Mul>(), {}, three), "mul: it takes at most 2 inputs, not 3", Error);
  CHECK_THROWS_WITH_AS(g.append(row<Mul>(), {}, one), "mul: the input b is missing", Error);
  CHECK_THROWS_WITH_AS(g.append(row<Mul>(), {}, none), "mul: the input a is missing", Error);
  CHECK_THROWS_WITH_AS(mul(x, i), "mul: the input b must hold real numbers", Error);
  CHECK_THROWS_WITH_AS(apply<Pick>({x, x}), "pick: the input i must hold indices", Error);
  CHECK_THROWS_WITH_AS(mul(Var(), Var()), "mul: it needs at least one input", Error);
  CHECK(bool(apply<Pick>({x, i})));  // the bias is optional
  CHECK(g.nodes().size() == 1);      // what was refused left nothing behind
}

TEST_CASE("shapes that do not fit are refused with both, and with the op's name") {
  Graph g;
  const Var x = g.input("x", {T, 3}), y = g.input("y", {T, 4});
  CHECK_THROWS_WITH_AS(mul(x, y), "mul: shapes do not broadcast ([T, 3] and [T, 4])", Error);
  CHECK(text(mul(x, g.input("w", {3})).dims()) == "[T, 3]");
}

TEST_CASE("a value of another graph is refused") {
  Graph g, other;
  const Var x = g.input("x", {3}), stranger = other.input("x", {3});
  CHECK_THROWS_WITH_AS(mul(x, stranger), "mul: the input b belongs to another graph", Error);
  CHECK_THROWS_AS(g.backward({&stranger, 1}, {&x, 1}, {&x, 1}), Error);
}

TEST_CASE("a value used after its graph has been freed is an error that says so") {
  Var x;
  CHECK_THROWS_WITH_AS(x.dims(), "an empty value was used", Error);
  {
    Graph g;
    x = g.input("x", {3});
  }
  CHECK_THROWS_WITH_AS(
      square(x), "a value was used after its graph had been freed; keep the graph, or take its tensor first", Error);
}

TEST_CASE("an empty tensor is no constant") {
  Graph g;
  CHECK_THROWS_WITH_AS(g.constant(Tensor()), "an empty tensor cannot be a constant of a graph", Error);
}

TEST_CASE("a cotangent must have the shape of its output, and there must be one for each") {
  Graph g;
  const Var x = g.input("x", {T, 3}, Kind::real, true), y = square(x), wrong = g.input("dy", {3});
  CHECK_THROWS_WITH_AS(g.backward({&y, 1}, {&wrong, 1}, {&x, 1}),
                       "backward: the cotangent [3] does not have the shape [T, 3] of its output", Error);
  CHECK_THROWS_WITH_AS(g.backward({&y, 1}, {}, {&x, 1}), "backward: 1 outputs need as many cotangents, not 0", Error);
}

TEST_CASE("what the output does not depend on has no gradient, and of itself an output has its cotangent") {
  Tape tape(runtime(), DType::f64);
  const Var x = tape.leaf(random({3}, 1)), other = tape.leaf(random({3}, 2)), y = square(x);
  const auto g = tape.gradient(y, {x, other, y, tape.constant(random({3}, 3))}, Tensor::from({1, 2, 3}, {3}));
  CHECK(bool(g[0]));
  CHECK_FALSE(bool(g[1]));
  CHECK(same_bits(g[2], Tensor::from({1, 2, 3}, {3})));
  CHECK_FALSE(bool(g[3]));
}

TEST_CASE("gradients add where paths meet") {
  Tape tape(runtime(), DType::f64);
  const Var a = tape.leaf(Tensor::from({3, -2}, {2}));
  const Tensor g = tape.gradient(add(mul(a, a), a), {a})[0];  // 2a + 1
  CHECK(g.at(0) == 7);
  CHECK(g.at(1) == -3);
  const Var s = square(a);
  CHECK(tape.gradient(add(mul(s, a), s), {a})[0].at(0) == 3 * 9 + 2 * 3);  // 3a^2 + 2a
}

TEST_CASE("gradients of several outputs add, and an unused output takes no part") {
  Tape tape(runtime(), DType::f64);
  const Var x = tape.leaf(Tensor::from({1, 2}, {2}));
  const auto outputs = apply_all<Witness>({x});
  REQUIRE(outputs.size() == 2);
  CHECK_FALSE(outputs[1].needs_gradient());
  CHECK(tape.value(outputs[1]).dtype() == DType::i32);
  const Var y = square(x), ones = tape.constant(Tensor::from({1, 1}, {2}));
  const std::vector<Var> both{outputs[0], y}, cotangents{ones, ones};
  const Var g = tape.backward(both, cotangents, {&x, 1})[0];
  CHECK(tape.value(g).at(0) == 2 + 2);
  CHECK(tape.value(g).at(1) == 2 + 4);
}

TEST_CASE("what was broadcast is summed in the gradient") {
  Tape tape(runtime(), DType::f64);
  const Var x = tape.leaf(random({5, 2, 3}, 1)), row = tape.leaf(random({3}, 2)), column = tape.leaf(random({2, 1}, 3)),
            scalar = tape.leaf(random({}, 4));
  const Var y = mul(mul(mul(x, row), column), scalar);
  const Tensor c = random({5, 2, 3}, 9);
  const auto g = tape.gradient(y, {x, row, column, scalar}, c);
  for (std::size_t i = 0; i < 4; ++i) CHECK(g[i].shape() == std::vector<Shape>{{5, 2, 3}, {3}, {2, 1}, {}}[i]);
  // y is linear in each: <gradient, value> is <y, c> for every one of them.
  double whole = 0;
  for (i64 i = 0; i < c.size(); ++i) whole += c.at(i) * tape.value(y).at(i);
  const std::vector<Var> leaves{x, row, column, scalar};
  for (std::size_t v = 0; v < 4; ++v) {
    double sum = 0;
    for (i64 i = 0; i < g[v].size(); ++i) sum += g[v].at(i) * tape.value(leaves[v]).at(i);
    CHECK(sum == doctest::Approx(whole).epsilon(1e-13));
  }
}

TEST_CASE("second derivatives are refused, also where a gradient is only a part of what is differentiated") {
  Tape tape(runtime(), DType::f64);
  const Var x = tape.leaf(random({3}, 1)), y = square(x), seed = tape.constant(Tensor::full({3}, 1, DType::f64));
  const Var dx = tape.backward({&y, 1}, {&seed, 1}, {&x, 1})[0];
  CHECK_THROWS_WITH_AS(tape.gradient(dx, {x}), "backward: second derivatives are not available (backward of square)",
                       Error);
  // A penalty on the gradient beside the loss: without the error its share would be missing.
  CHECK_THROWS_WITH_AS(tape.gradient(add(y, square(dx)), {x}), "backward: second derivatives are not available (add)",
                       Error);
  CHECK_NOTHROW(tape.gradient(y, {x}));
}

TEST_CASE("a graph without gradients is not differentiated and saves nothing for it") {
  Tape tape(runtime(), DType::f64, Graph::Gradients::no);
  const Var x = tape.leaf(random({3}, 1));
  const Var y = apply_all<Witness>({x})[0];
  CHECK_FALSE(y.needs_gradient());
  CHECK_THROWS_WITH_AS(tape.gradient(y, {x}), "backward: this graph was built without gradients", Error);
  const std::size_t held = runtime().pool()->live_bytes();
  CHECK(held == 2 * 64);  // y and its signs, a cache line each; the third value is gone
}

TEST_CASE("an op that calls itself not differentiable stops the gradient") {
  Tape tape(runtime(), DType::f64);
  const Var x = tape.leaf(random({3}, 1)), i = tape.leaf(Tensor::of_indices(std::vector<i32>{2}, {}));
  const Var y = apply<Pick>({x, i});
  CHECK(tape.value(y).at(0) == tape.value(x).at(2));
  CHECK_FALSE(y.needs_gradient());
  CHECK_FALSE(bool(tape.gradient(y, {x})[0]));
}

TEST_CASE("an op may have more inputs than a mask has bits") {
  Tape tape(runtime(), DType::f64);
  std::vector<Var> x;
  for (int i = 0; i < 40; ++i) x.push_back(tape.leaf(Tensor::from({double(i)}, {1})));
  const Var y = apply<Total>(x);
  CHECK(tape.value(y).at(0) == 780);
  for (const Tensor& g : tape.gradient(y, x)) CHECK(g.at(0) == 1);
  CHECK(tape.nodes().size() == 1);  // what it says of its last input holds for all: cotangents pass, nothing runs
}

TEST_CASE("nodes say which op they are and where the user wrote it") {
  Graph g;
  const Var x = g.input("x", {3}, Kind::real, true);
  g.set_origin("model.yaml:7");
  const Var y = square(x);
  CHECK(g.describe(g.nodes()[0]) == "square (model.yaml:7)");
  g.set_origin("model.yaml:9");
  const Var dy = g.input("dy", {3});
  g.backward({&y, 1}, {&dy, 1}, {&x, 1});
  CHECK(g.describe(g.nodes()[1]) == "backward of square (model.yaml:7)");
}

TEST_CASE("a tape of 100,000 nodes is computed, differentiated and freed without deep recursion") {
  constexpr int steps = 50000;
  const std::clock_t begin = std::clock();  // of this process, whatever else the machine does
  {
    Tape tape(runtime(), DType::f64);
    const Var x = tape.leaf(Tensor::from({0.5}, {})), w = tape.leaf(Tensor::from({1}, {}));
    const Var y = chain(x, w, steps);
    CHECK(tape.nodes().size() == 2 * steps);
    const auto g = tape.gradient(y, {x, w});
    CHECK(g[0].at(0) == 1);
    CHECK(g[1].at(0) == steps * 0.5 + steps * (steps + 1.0) / 2);
    // Forward a value a node, backward two a product; a cache line each.
    CHECK(runtime().pool()->live_bytes() <= 64 * 4 * steps + 4096);
  }
  CHECK(runtime().pool()->live_bytes() == 0);
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  CHECK(seconds < 20);  // 0.4 measured; work quadratic in the nodes would take minutes
}

TEST_CASE("a graph of 100,000 nodes is run in constant memory when nothing is differentiated") {
  Graph g(Graph::Gradients::no);
  const Var x = g.input("x", {T}), w = g.input("w", {});
  const Var y = chain(x, w, 50000);
  Run run(g, {y});
  runtime().pool()->reset_peak();
  const auto out =
      run(runtime(), DType::f32, {{x, Tensor::zeros({16}, DType::f32)}, {w, Tensor::from({1}, {}, DType::f32)}});
  CHECK(out[0].at(15) == 50000);
  CHECK(runtime().pool()->peak_bytes() == 2 * 64);  // what a node reads and what it writes
}
