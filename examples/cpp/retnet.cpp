// RetNet by its C++ twin: a small one learns a sentence by heart with AdamW.
//
// Prints:
//   29184 weights in 29 tensors
//   step  0  loss 4.8
//   step 20  loss 2.7
//   step 40  loss 1.2
//   step 60  loss 0.4
#include <fmt/format.h>

#include <string>

#include "engine/run.h"
#include "models/retnet.h"
#include "ops/cross_entropy.h"
#include "train/optimizer.h"

using namespace weft;

int main() {
  const std::string text =
      "the state of a head is the sum of its keys times values, of which each step keeps a share. ";
  Graph graph;
  const Dims sequence = {Dim::symbol("B"), Dim::symbol("T")};
  const Var tokens = graph.input("tokens", sequence, Kind::index),
            targets = graph.input("targets", sequence, Kind::index);
  models::RetNet net(graph, {.vocab = 128, .D = 32, .H = 2, .layers = 2, .hidden = 64});
  const Var logits = net.logits(tokens);
  const Var loss = ops::cross_entropy(logits, targets);

  std::vector<Var> variables;
  std::vector<train::Rule> rules;
  for (const auto& w : net.weights) {
    variables.push_back(w.var);
    rules.push_back(train::AdamWOptions{.lr = 3e-3, .weight_decay = w.weight.decays ? 0.1 : 0});
  }
  const Var one = graph.constant(Tensor::full({}, 1, DType::f64));
  std::vector<Var> outputs = graph.backward({&loss, 1}, {&one, 1}, variables);
  outputs.push_back(loss);

  const i64 T = std::ssize(text) - 1;
  const std::vector<i32> bytes(text.begin(), text.end());
  const Tensor given = Tensor::of_indices(std::span(bytes).first(bytes.size() - 1), {1, T});
  const Tensor next = Tensor::of_indices(std::span(bytes).subspan(1), {1, T});
  std::vector<Tensor> weights = dsl::draw_weights(net.weights, 1, DType::f32);
  i64 numbers = 0;
  for (const Tensor& w : weights) numbers += w.size();
  fmt::print("{} weights in {} tensors\n", numbers, weights.size());

  Runtime runtime({.products = "loops", .parallel = "serial"});  // the reference: the same bits on every machine
  Run run(graph, outputs);
  train::Optimizer optimizer(rules, weights);
  for (int step = 0; step <= 60; ++step) {
    Run::Feeds feeds = {{tokens, given}, {targets, next}};
    for (std::size_t i = 0; i < weights.size(); ++i) feeds.emplace_back(variables[i], weights[i]);
    auto results = run(runtime, DType::f32, feeds);
    if (step % 20 == 0) fmt::print("step {:2}  loss {:.1f}\n", step, results.back().at(0));
    results.pop_back();
    optimizer.step(runtime, weights, results, 1, 1);
  }
}
