#include "engine/observer.h"

#include <doctest/doctest.h>

#include "engine/op.h"
#include "engine/run.h"
#include "tests/engine/little_ops.h"

using namespace weft;
using namespace weft::tests;

namespace {

// A clock that ticks once every time it is read.
struct Notes final : Observer {
  double now() const override { return static_cast<double>(ticks++); }
  void computed(const Graph& graph, const Node& node, double seconds, double flops, double bytes) override {
    seen.push_back(graph.describe(node));
    time += seconds;
    work += flops;
    moved += bytes;
  }
  mutable i64 ticks = 0;
  std::vector<std::string> seen;
  double time = 0, work = 0, moved = 0;
};

}  // namespace

TEST_CASE("an observer is told of every node that is computed, in order, with its time, operations and bytes") {
  const Runtime runtime({.products = "loops", .parallel = "serial"});
  Graph g;
  const Var x = g.input("x", {4}, Kind::real, true), y = mul(x, square(x)), unused = square(y);
  const Var one = g.constant(Tensor::full({4}, 1, DType::f64));
  const Var gradient = g.backward({&y, 1}, {&one, 1}, {&x, 1})[0];
  Run run(g, {y, gradient});
  const Run::Feeds feeds = {{x, random({4}, 1)}};
  Notes notes;
  const auto observed = run(runtime, DType::f64, feeds, {}, &notes), plain = run(runtime, DType::f64, feeds);
  const std::string prefix = g.describe(g.node(0));  // the name of `square` here
  REQUIRE(notes.seen.size() == run.order().size());
  for (std::size_t i = 0; i < notes.seen.size(); ++i) CHECK(notes.seen[i] == g.describe(g.node(run.order()[i])));
  CHECK(notes.seen.front() == prefix);
  CHECK(notes.time == static_cast<double>(notes.seen.size()));  // one tick from before a node to behind it
  CHECK(notes.work == run.flops(run.bindings(feeds)));
  // square, mul, and backward of both with the sum of two gradients: 2 + 3 + (1 + 2 + 2) + (1 + 1 + 1) + 3 tensors
  // of 4.
  CHECK(notes.moved == 16 * 4 * 8);
  for (std::size_t i = 0; i < plain.size(); ++i) CHECK(same_bits(observed[i], plain[i]));
  CHECK(unused.id() >= 0);
}
