// Recurrences that only a loop computes: what is left in their step.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/models/folded.h"

using namespace weft;
using namespace weft::tests;

TEST_CASE("the product of an input and a weight leaves the step of a loop, that of a state stays") {
  Folded f{
      def("    weights: {W: {shape: [D, D]}, U: {shape: [D, D]}}\n"
          "    recurrence:\n      over: T\n      state: {h: [D]}\n"
          "      step: {h: tanh(x @ W + h @ U)}\n      read: {y: h}\n    out: y\n")};
  f({{"x", numbers({2, 5, 4}, 2)}});
  const auto products = [](const Graph& g) {
    return std::count_if(g.nodes().begin(), g.nodes().end(),
                         [](const Node& n) { return n.op->name == "contract" && n.phase == Phase::forward; });
  };
  const auto& nodes = f.function->graph().nodes();
  const auto scan = std::find_if(nodes.begin(), nodes.end(), [](const Node& n) { return n.op->name == "scan"; });
  REQUIRE(scan != nodes.end());
  CHECK(products(f.function->graph()) == 1);
  CHECK(products(*std::get<std::shared_ptr<const Graph>>(scan->attributes[0])) == 1);
}
