#include "ops/scan.h"

#include "ops/rotate.h"
#include "tests/ops/differences.h"

using namespace weft;
using namespace weft::tests;

namespace {

// A step in the two places where it is written: as a graph for the scan, and unrolled by hand.
//   h' = swish(h + swish(x + c)), m' = m + h', read swish(m' + u)
std::vector<Var> equations(const Var& h, const Var& m, const Var& x, const Var& u, const Var& c) {
  const Var next = ops::swish(ops::add(h, ops::swish(ops::add(x, c), 1.3)));
  const Var sum = ops::add(m, next);
  return {next, sum, ops::swish(ops::add(sum, u))};
}

// u is one for all rows or, with rows that are `apart`, one a row: then gradients are made a chunk of steps at a time.
std::shared_ptr<const Graph> step(bool apart) {
  const auto graph = std::make_shared<Graph>();
  const Dims rows = {Dim::symbol("B"), 3}, one = {3};
  const auto input = [&](const char* name, const Dims& dims) {
    graph->inputs.push_back(graph->input(name, dims, Kind::real, true));
  };
  for (const char* name : {"h", "m", "x"}) input(name, rows);
  input("u", apart ? rows : one);
  input("c", one);
  const auto& in = graph->inputs;
  graph->results = equations(in[0], in[1], in[2], in[3], in[4]);
  graph->differentiate();
  return graph;
}

Tensor entries(const Tensor& x, i64 begin, i64 end) {
  std::vector<double> values = numbers(x);
  Shape shape = x.shape();
  const i64 size = x.size() / shape[0];
  shape[0] = end - begin;
  return Tensor::from(
      std::span(values).subspan(static_cast<std::size_t>(begin * size), static_cast<std::size_t>((end - begin) * size)),
      shape, x.dtype());
}

std::vector<Tensor> arguments(i64 length, bool apart = false) {
  const Shape u = apart ? Shape{length, 2, 3} : Shape{length, 3};
  return {random({2, 3}, 1), random({2, 3}, 2), random({length, 2, 3}, 3), random(u, 4), random({3}, 5)};
}

std::vector<Var> scanned(const std::vector<Var>& v, i64 chunk = 0) {
  return ops::scan({v[0], v[1]}, {v[2], v[3]}, {v[4]}, step(v[3].dims().size() == 3), chunk);
}

}  // namespace

TEST_CASE("a scan gives the values and the gradients of the loop written out by hand") {
  const i64 length = 7;
  for (const bool apart : {false, true}) {
    CAPTURE(apart);
    const auto in = arguments(length, apart);
    Tape tape(runtime(), DType::f64);
    std::vector<Var> leaves, x, u;
    for (const Tensor& t : in) leaves.push_back(tape.leaf(t));
    Var h = leaves[0], m = leaves[1];
    std::vector<Var> reads;
    for (i64 t = 0; t < length; ++t) {
      x.push_back(tape.leaf(in[2].entry(t)));
      u.push_back(tape.leaf(in[3].entry(t)));
      const auto made = equations(h, m, x.back(), u.back(), leaves[4]);
      h = made[0], m = made[1];
      reads.push_back(made[2]);
    }
    // The sum of all reads, of the final m, and twice the final h.
    Var total = ops::add(m, ops::add(h, h));
    for (const Var& r : reads) total = ops::add(total, r);
    std::vector<Var> wrt = {leaves[0], leaves[1], leaves[4]};
    wrt.insert(wrt.end(), x.begin(), x.end());
    wrt.insert(wrt.end(), u.begin(), u.end());
    const auto expected = tape.gradient(total, wrt);

    for (const i64 chunk : {0, 1, 2, 3, 7, 100}) {
      CAPTURE(chunk);
      Tape other(runtime(), DType::f64);
      std::vector<Var> v;
      for (const Tensor& t : in) v.push_back(other.leaf(t));
      const auto made = scanned(v, chunk);
      REQUIRE(made.size() == 3);
      CHECK(same_bits(other.value(made[0]), tape.value(h)));
      CHECK(same_bits(other.value(made[1]), tape.value(m)));
      for (i64 t = 0; t < length; ++t) {
        CHECK(same_bits(other.value(made[2]).entry(t), tape.value(reads[static_cast<std::size_t>(t)])));
      }
      const Var ends = ops::add(made[1], ops::add(made[0], made[0]));
      const Var one = other.constant(Tensor::full({2, 3}, 1, DType::f64));
      const Var ones = other.constant(Tensor::full({length, 2, 3}, 1, DType::f64));
      const std::vector<Var> outputs = {ends, made[2]}, cotangents = {one, ones};
      const auto g = other.backward(outputs, cotangents, v);
      // Only the order of sums over time differs.
      CHECK(distance(other.value(g[0]), expected[0]) < 1e-14);
      CHECK(distance(other.value(g[1]), expected[1]) < 1e-14);
      CHECK(distance(other.value(g[4]), expected[2]) < 1e-14);
      for (i64 t = 0; t < length; ++t) {
        CHECK(distance(other.value(g[2]).entry(t), expected[static_cast<std::size_t>(3 + t)]) < 1e-14);
        CHECK(distance(other.value(g[3]).entry(t), expected[static_cast<std::size_t>(3 + length + t)]) < 1e-14);
      }
    }
  }
}

TEST_CASE("gradients of a scan agree with differences, of its reads and of a final state alone") {
  for (const std::size_t output : {0, 1, 2, 3, 4, 5}) {
    const bool apart = output > 2;
    for (const i64 length : {1, 2, 5}) {
      const auto build = [&](Tape&, const std::vector<Var>& v) {
        const auto made = scanned(v, 2);
        return output % 3 == 0 ? ops::add(made[0], v[4]) : made[output % 3];
      };
      if (output % 3 ==
          0) {  // m and u do not reach h: no gradient comes back for them, and a zero one through the scan
        Tape tape(runtime(), DType::f64);
        std::vector<Var> v;
        for (const Tensor& t : arguments(length, apart)) v.push_back(tape.leaf(t));
        const auto g = tape.gradient(scanned(v, 2)[0], v);
        CHECK(distance(g[1], Tensor::zeros({2, 3}, DType::f64)) == 0);
        CHECK(distance(g[3], Tensor::zeros(v[3].dims().size() == 3 ? Shape{length, 2, 3} : Shape{length, 3},
                                           DType::f64)) == 0);
      }
      CHECK(gradient_distance(arguments(length, apart), build) < 1e-9);
    }
  }
}

TEST_CASE("a sequence cut anywhere gives the same bits as the whole") {
  const i64 length = 9;
  const auto in = arguments(length);
  const auto run = [&](const Tensor& h, const Tensor& m, i64 begin, i64 end) {
    Tape tape(runtime(), DType::f64, Graph::Gradients::no);
    const auto out = scanned({tape.leaf(h), tape.leaf(m), tape.leaf(entries(in[2], begin, end)),
                              tape.leaf(entries(in[3], begin, end)), tape.leaf(in[4])},
                             4);
    return std::vector{tape.value(out[0]), tape.value(out[1]), tape.value(out[2])};
  };
  const auto whole = run(in[0], in[1], 0, length);
  for (i64 at = 0; at <= length; ++at) {
    const auto left = run(in[0], in[1], 0, at), right = run(left[0], left[1], at, length);
    CHECK(same_bits(right[0], whole[0]));
    CHECK(same_bits(right[1], whole[1]));
    for (i64 t = 0; t < length; ++t) {
      CHECK(same_bits(t < at ? left[2].entry(t) : right[2].entry(t - at), whole[2].entry(t)));
    }
  }
}

TEST_CASE("an op of the step that knows its position sees the position in the sequence") {
  const auto graph = std::make_shared<Graph>();
  graph->inputs = {graph->input("x", {1, 2}, Kind::real, true), graph->input("theta", {1}, Kind::real, true)};
  graph->results = {ops::rotate(graph->inputs[0], graph->inputs[1])};
  graph->differentiate();
  const Tensor x = random({6, 1, 2}, 1), theta = random({1}, 2);
  Tape tape(runtime(), DType::f64, Graph::Gradients::no, {.offsets = {10}});
  const Tensor y = tape.value(ops::scan({}, {tape.leaf(x)}, {tape.leaf(theta)}, graph)[0]);
  const Tensor whole = tape.value(ops::rotate(tape.leaf(x.reshaped({6, 2})), tape.leaf(theta)));
  CHECK(same_bits(y.reshaped({6, 2}), whole));
}

TEST_CASE("a symbolic batch and length go through a scan, and only wanted gradients are made") {
  Graph graph;
  const Dim b = Dim::symbol("B"), t = Dim::symbol("T");
  const std::vector<Var> v = {graph.input("h", {b, 3}), graph.input("m", {b, 3}),
                              graph.input("x", {t, b, 3}, Kind::real, true), graph.input("u", {t, 3}),
                              graph.input("c", {3})};
  const auto made = scanned(v, 2);
  CHECK(text(made[2].dims()) == "[T, B, 3]");
  const Var dy = graph.input("dy", made[2].dims());
  const auto g = graph.backward({&made[2], 1}, {&dy, 1}, v);
  CHECK(!g[0]);
  CHECK(!g[4]);
  Run run(graph, {made[2], g[2]});
  const auto in = arguments(5);
  Run::Feeds feeds;
  for (std::size_t i = 0; i < v.size(); ++i) feeds.emplace_back(v[i], in[i]);
  const Tensor cotangent = random({5, 2, 3}, 8);
  feeds.emplace_back(dy, cotangent);
  const auto symbolic = run(runtime(), DType::f64, feeds);
  Tape tape(runtime(), DType::f64);
  std::vector<Var> leaves;
  for (const Tensor& x : in) leaves.push_back(tape.leaf(x));
  const Var y = scanned(leaves, 2)[2];
  CHECK(same_bits(symbolic[0], tape.value(y)));
  CHECK(same_bits(symbolic[1], tape.gradient(y, {leaves[2]}, cotangent)[0]));
}
