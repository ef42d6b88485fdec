#include "ops/shared/split_backward.h"

#include "ops/contract.h"
#include "ops/fold.h"
#include "ops/gumbel_softmax.h"
#include "tests/ops/differences.h"

using namespace weft;
using namespace weft::tests;

namespace {

constexpr i64 kWidth = 20;  // a product costs 40 operations a number: worth keeping

// m = swish((l + r) W + c), with `scaled` level c: then the gradient of c differs from level to level.
std::shared_ptr<const Graph> merge(bool scaled) {
  const auto graph = std::make_shared<Graph>();
  const auto input = [&](const char* name, Dims dims, bool differentiable = true) {
    graph->inputs.push_back(graph->input(name, std::move(dims), Kind::real, differentiable));
    return graph->inputs.back();
  };
  const Dims node = {Dim::symbol("B"), kWidth};
  const Var l = input("left", node), r = input("right", node), level = input("level", {}, false),
            W = input("W", {kWidth, kWidth}), c = input("c", {kWidth});
  const Var product = ops::contract(ops::add(l, r), W, "bd,dk->bk");
  graph->results = {ops::swish(ops::add(product, scaled ? ops::mul(level, c) : c))};
  graph->differentiate();
  return graph;
}

std::vector<std::string> makers(const Graph& graph, const std::vector<Var>& values) {
  std::vector<std::string> names;
  for (const Var& v : values) names.push_back(graph.node(graph.value(v.id()).node).op->name);
  return names;
}

}  // namespace

TEST_CASE("a product is kept for the backward, what is cheap is computed again") {
  const auto graph = merge(false);
  CHECK(makers(*graph, ops::worth_keeping(*graph)) == std::vector<std::string>{"contract"});
}

TEST_CASE("what is drawn is kept, with what its backward reads of it") {
  Graph graph;
  graph.inputs = {graph.input("x", {Dim::symbol("B"), 3}, Kind::real, true)};
  graph.results = {ops::swish(ops::gumbel_softmax(graph.inputs[0]))};
  graph.differentiate();
  CHECK(makers(graph, ops::worth_keeping(graph)) == std::vector<std::string>{"gumbel_softmax", "gumbel_softmax"});
}

TEST_CASE("gradients of constants are made of the rows of all calls, unless they hang on something else") {
  const auto together = [](const Graph& g) {
    CHECK(ops::rows_apart(g, 2));
    return ops::rows_behind(g, {g.gradients[3], g.gradients[4]}, {g.inputs[3], g.inputs[4]});
  };
  const auto graph = merge(false);
  const auto rows = together(*graph);
  REQUIRE(rows);
  // W: the rows of l + r and of the product's cotangent, which is that of the sum whose columns make c's.
  CHECK(std::count_if(rows->begin(), rows->end(), [&](const Var& v) { return graph->value(v.id()).derivative; }) == 1);
  CHECK(rows->size() == 2);
  CHECK_FALSE(together(*merge(true)));
}

TEST_CASE("a fold whose gradients of constants are made at once, and a level at a time, agrees with differences") {
  for (const bool scaled : {false, true}) {
    CAPTURE(scaled);
    const auto graph = merge(scaled);
    const auto build = [&](Tape& tape, const std::vector<Var>& v) {
      const Var count = tape.constant(Tensor::of_indices(std::vector<i32>{3, 0}, {2}));
      return ops::fold(count, v[0], v[1], graph, {v[2], v[3]});
    };
    const std::vector<Tensor> inputs = {random({2, ops::kTreeLevels, kWidth}, 1), random({2, 5, kWidth}, 2),
                                        random({kWidth, kWidth}, 3), random({kWidth}, 4)};
    CHECK(gradient_distance(inputs, build) < 1e-8);
  }
}
