// A training loop of one's own: a small network learns the sine by plain gradient descent.
//
//     h = tanh(x A + a),  y = h B,  loss = mean((y - sin x)^2)
//
// The graph is built once, as data, and run at every step; the loop is all there is to training.
//
// Prints:
//   step    0  loss 0.506833
//   step  500  loss 0.004736
//   step 1000  loss 0.001404
//   step 1500  loss 0.000702
//   step 2000  loss 0.000486
#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "engine/run.h"
#include "ops/add.h"
#include "ops/contract.h"
#include "ops/mean.h"
#include "ops/square.h"
#include "ops/sub.h"
#include "ops/tanh.h"

using namespace weft;

Tensor drawn(const Shape& shape, double scale, Key key) {
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = scale * normal(key, i);
  return Tensor::from(values, shape, DType::f64);
}

Tensor stepped(const Tensor& weight, const Tensor& gradient, double rate) {
  std::vector<double> values(static_cast<std::size_t>(weight.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = weight.values<double>()[i] - rate * gradient.values<double>()[i];
  }
  return Tensor::from(values, weight.shape(), weight.dtype());
}

int main() {
  Graph graph;
  const Var x = graph.input("x", {Dim::symbol("N"), 1}), wanted = graph.input("wanted", {Dim::symbol("N"), 1});
  const std::vector<Var> w = {graph.input("A", {1, 16}, Kind::real, true), graph.input("a", {16}, Kind::real, true),
                              graph.input("B", {16, 1}, Kind::real, true)};
  const Var h = ops::tanh(ops::add(ops::contract(x, w[0], "nd,dk->nk"), w[1]));
  const Var y = ops::contract(h, w[2], "nd,dk->nk");
  const Var loss = ops::mean(ops::mean(ops::square(ops::sub(y, wanted)), 1), 0);
  const Var one = graph.constant(Tensor::full({}, 1, DType::f64));
  std::vector<Var> outputs = graph.backward({&loss, 1}, {&one, 1}, w);  // the gradients, nodes like all others
  outputs.push_back(loss);

  std::vector<double> points, sines;
  for (int i = -32; i <= 32; ++i) points.push_back(i / 10.0), sines.push_back(std::sin(i / 10.0));
  const i64 n = std::ssize(points);
  const Tensor inputs = Tensor::from(points, {n, 1}, DType::f64), targets = Tensor::from(sines, {n, 1}, DType::f64);
  std::vector<Tensor> weights = {drawn({1, 16}, 1, Key{1}), drawn({16}, 1, Key{2}), drawn({16, 1}, 0.25, Key{3})};

  Runtime runtime({.products = "loops", .parallel = "serial"});  // the reference: the same bits on every machine
  Run run(graph, outputs);
  for (int step = 0; step <= 2000; ++step) {
    const auto results =
        run(runtime, DType::f64,
            {{x, inputs}, {wanted, targets}, {w[0], weights[0]}, {w[1], weights[1]}, {w[2], weights[2]}});
    if (step % 500 == 0) fmt::print("step {:4}  loss {:.6f}\n", step, results.back().at(0));
    for (std::size_t i = 0; i < w.size(); ++i) weights[i] = stepped(weights[i], results[i], 0.1);
  }
}
