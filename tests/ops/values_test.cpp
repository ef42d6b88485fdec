// Every op against values and gradients that were computed without it (tests/goldens/ops.py).
#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "engine/tape.h"
#include "ops/table.h"
#include "tests/ops/goldens.h"

using namespace weft;

namespace {

const std::vector<tests::Golden>& goldens() {
  static const auto all = tests::read_goldens(WEFT_SOURCE "/tests/goldens/ops.safetensors");
  return all;
}

// Largest difference, relative to the largest element or, where all are small, to 1e-3: what cancels to nearly 0 keeps
// the rounding of its terms.
double error(const Tensor& found, const Tensor& expected) {
  if (!found || found.shape() != expected.shape()) return HUGE_VAL;
  double worst = 0, size = 1e-3;
  for (i64 i = 0; i < expected.size(); ++i) {
    const double d = std::abs(found.at(i) - expected.at(i));
    worst = std::isnan(d) ? HUGE_VAL : std::max(worst, d);
    size = std::max(size, std::abs(expected.at(i)));
  }
  return worst / size;
}

// f64 has 1e-16, the sums of the cases up to a few hundred terms; the goldens are good to 1e-15.
constexpr double kOfGoldens = 1e-12;

void compare(const tests::Golden& g, const Runtime& runtime) {
  Tape tape(runtime, DType::f64);
  std::vector<Var> inputs, wrt;
  for (const Tensor& t : g.inputs) {
    inputs.push_back(t ? tape.leaf(t) : Var());
    if (t) wrt.push_back(inputs.back());
  }
  const auto outputs = tape.append(*g.op, g.attributes, inputs);
  std::vector<Var> reached, cotangents;
  for (std::size_t i = 0; i < g.outputs.size(); ++i) {
    CAPTURE(i);
    CHECK(error(tape.value(outputs[i]), g.outputs[i]) < kOfGoldens);
    if (!g.cotangents[i] || !outputs[i].needs_gradient()) continue;
    reached.push_back(outputs[i]);
    cotangents.push_back(tape.leaf(g.cotangents[i]));
  }
  const auto gradients = tape.backward(reached, cotangents, wrt);
  std::size_t next = 0;
  for (std::size_t i = 0; i < g.inputs.size(); ++i) {
    if (!g.inputs[i]) continue;
    CAPTURE(i);
    const Var& gradient = gradients[next++];
    if (g.gradients[i]) CHECK(error(gradient ? tape.value(gradient) : Tensor(), g.gradients[i]) < kOfGoldens);
    else CHECK(!gradient);
  }
}

}  // namespace

TEST_CASE("every op has values of its own to be held against") {
  std::set<std::string> known;
  for (const tests::Golden& g : goldens()) known.insert(g.op->name);
  for (const Op* op : ops::table()) {
    INFO("add it to tests/goldens/ops.py and run that: " << op->name);
    CHECK(known.count(op->name) == 1);
  }
}

TEST_CASE("values and gradients are those of the formulas, by loops and by BLAS") {
  for (const char* products : {"loops", "blas", "auto"}) {
    const Runtime runtime({.products = products, .parallel = "serial"});
    for (const tests::Golden& g : goldens()) {
      INFO(g.name << " with " << products);
      compare(g, runtime);
    }
  }
}

TEST_CASE("a value that is off by a millionth is seen") {
  tests::Golden g = goldens().front();
  g.outputs[0] = g.outputs[0].copy();
  double worst = 0;
  const Tensor right = g.outputs[0].copy();
  for (double& v : g.outputs[0].mutable_values<double>()) v *= 1 + 1e-6;
  worst = error(g.outputs[0], right);
  CHECK(worst > kOfGoldens);
}
