#include "engine/not_finite.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "engine/op.h"
#include "tests/engine/little_ops.h"

using namespace weft;
using namespace weft::tests;

namespace {

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// y = (x^2 + x) x^2, each node with a place of its own, and its gradient.
struct Net {
  Graph g;
  Var x = g.input("x", {3}, Kind::real, true), y, gradient;
  const Runtime runtime{{.products = "loops", .parallel = "serial"}};

  Net() {
    g.set_origin("net.yaml:1:1");
    const Var a = square(x);
    g.set_origin("net.yaml:2:1");
    const Var b = add(a, x);
    g.set_origin("net.yaml:3:1");
    y = mul(b, a);
    const Var one = g.constant(Tensor::full({3}, 1, DType::f64));
    gradient = g.backward({&y, 1}, {&one, 1}, {&x, 1})[0];
  }
  std::string found(const Tensor& given, const RunSettings& settings = {}) {
    Run run(g, {y, gradient});
    NotFinite watch;
    run(runtime, DType::f64, {{x, given}}, settings, &watch);
    return watch.text();
  }
};

}  // namespace

TEST_CASE("what is not finite is named with its op, place and position, whichever node makes it") {
  Net net;
  const Tensor given = Tensor::from({1, 2, 3}, {3});
  CHECK(net.found(given).empty());
  for (const i32 n : {0, 1, 2}) {
    for (const double value : {std::nan(""), kInfinity, -kInfinity}) {
      const Intervention plant = [&](const Node& node, std::vector<Tensor>& made) {
        if (&node == &net.g.node(n)) made[0].mutable_values<double>()[1] = value;
      };
      RunSettings settings;
      settings.intervention = &plant;
      const std::string text = net.found(given, settings);
      CAPTURE(text);
      CHECK(text.starts_with("`" + net.g.node(n).op->name + "` (net.yaml:" + std::to_string(n + 1) + ":1) makes "));
      CHECK(contains(text, fmt::format("{} at [1] of [3]", std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf")));
    }
  }
}

TEST_CASE("an overflow is where it happens, in backward, too, with how large the numbers were") {
  Net net;
  CHECK(net.found(Tensor::from({1, 1e200, 3}, {3})) ==
        "`square` (net.yaml:1:1) makes inf at [1] of [3], from values of at most 1e+200");
  // y = x^4 is 1e307, its gradient 4 x^3 is small; with x = 0 and a cotangent that overflows only backward would.
  Graph g;
  g.set_origin("net.yaml:7:3");
  const Var x = g.input("x", {3}, Kind::real, true), y = square(x);
  const Var large = g.constant(Tensor::full({3}, 1e308, DType::f64));
  const Var gradient = g.backward({&y, 1}, {&large, 1}, {&x, 1})[0];
  Run run(g, {y, gradient});
  NotFinite watch;
  run(net.runtime, DType::f64, {{x, Tensor::from({0, 0, 9}, {3})}}, {}, &watch);
  CHECK(watch.text() ==
        "the gradient of `square` by `x` (net.yaml:7:3) makes inf at [2] of [3], from values of at most 1e+308");
}

TEST_CASE("an input that is not finite is the culprit itself") {
  Net net;
  CHECK(net.found(Tensor::from({1, std::nan(""), 3}, {3})) == "`x` is nan at [1]");
}

TEST_CASE("an infinity that a later node turns into finite numbers is meant, and not reported") {
  Net net;
  Graph g;
  const Var x = g.input("x", {3}, Kind::real, true), a = square(x), y = mul(a, a);
  Run run(g, {y});
  NotFinite watch;
  const Intervention plant = [&](const Node& node, std::vector<Tensor>& made) {
    const auto values = made[0].mutable_values<double>();
    if (&node == &g.node(0)) values[0] = -kInfinity;
    else values[0] = 0;  // as a softmax does with it
  };
  RunSettings settings;
  settings.intervention = &plant;
  run(net.runtime, DType::f64, {{x, Tensor::from({1, 2, 3}, {3})}}, settings, &watch);
  CHECK(watch.text().empty());
}
