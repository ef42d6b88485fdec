#include "ops/rotate.h"
#include "tests/ops/differences.h"

using namespace weft;
using namespace weft::tests;

namespace {

Tensor eager(const std::vector<Tensor>& inputs, const Build& build, const RunSettings& settings = {}) {
  Tape tape(runtime(), inputs[0].dtype(), Graph::Gradients::no, settings);
  std::vector<Var> leaves;
  for (const Tensor& t : inputs) leaves.push_back(tape.leaf(t));
  return tape.value(build(tape, leaves));
}

/// Positions begin .. end of x [..., T, D].
Tensor cut(const Tensor& x, i64 begin, i64 end) {
  Shape shape = x.shape();
  const i64 length = shape[shape.size() - 2], width = shape.back();
  std::vector<double> values;
  for (i64 i = 0; i < x.size(); ++i) {
    const i64 t = i / width % length;
    if (t >= begin && t < end) values.push_back(x.at(i));
  }
  shape[shape.size() - 2] = end - begin;
  return Tensor::from(values, shape, x.dtype());
}

}  // namespace

TEST_CASE("a rotation turns each pair by its position times theta") {
  const Tensor x = random({2, 5, 6}, 1), theta = random({2, 3}, 2);
  const Tensor y = eager({x, theta}, [](Tape&, const auto& v) { return ops::rotate(v[0], v[1]); });
  for (i64 l = 0; l < 2; ++l) {
    for (i64 n = 0; n < 5; ++n) {
      for (i64 i = 0; i < 3; ++i) {
        const i64 at = (l * 5 + n) * 6 + 2 * i;
        const double a = static_cast<double>(n) * theta.at(l * 3 + i);
        CHECK(y.at(at) == doctest::Approx(x.at(at) * std::cos(a) - x.at(at + 1) * std::sin(a)).epsilon(1e-13));
        CHECK(y.at(at + 1) == doctest::Approx(x.at(at) * std::sin(a) + x.at(at + 1) * std::cos(a)).epsilon(1e-13));
      }
    }
  }
}

TEST_CASE("rotating back undoes a rotation, and dot products depend on the distance alone") {
  const Tensor x = random({4, 6}, 1), theta = random({3}, 2);
  const Tensor back =
      eager({x, theta}, [](Tape&, const auto& v) { return ops::rotate(ops::rotate(v[0], v[1]), v[1], true); });
  CHECK(distance(back, x) < 1e-15);
  const auto dot = [&](i64 n, i64 m) {
    const auto at = [&](i64 row, i64 position) {
      return eager({cut(x, row, row + 1), theta}, [](Tape&, const auto& v) { return ops::rotate(v[0], v[1]); },
                   {.offsets = {position}});
    };
    const Tensor q = at(0, n), k = at(1, m);
    double sum = 0;
    for (i64 i = 0; i < 6; ++i) sum += q.at(i) * k.at(i);
    return sum;
  };
  CHECK(dot(7, 3) == doctest::Approx(dot(104, 100)).epsilon(1e-12));
}

TEST_CASE("an angle at position 100,000 is right in f32") {
  const float theta = 0.7f;
  const Tensor y = eager({Tensor::from({1, 0}, {1, 2}, DType::f32), Tensor::from({theta}, {1}, DType::f32)},
                         [](Tape&, const auto& v) { return ops::rotate(v[0], v[1]); }, {.offsets = {100000}});
  const double angle = 100000 * static_cast<double>(theta);
  CHECK(std::abs(y.at(0) - std::cos(angle)) < 6e-8);  // the rounding of the result
  CHECK(std::abs(y.at(1) - std::sin(angle)) < 6e-8);
}

TEST_CASE("rows of a batch may stand at different positions") {
  Graph graph;
  const Var x = graph.input("x", {Dim::symbol("B"), 2, Dim::symbol("T"), 4}, Kind::real, true);
  const Var theta = graph.input("theta", {2, 2}, Kind::real, true);
  Run run(graph, {ops::rotate(x, theta)});
  const Tensor values = random({2, 2, 3, 4}, 4), angles = random({2, 2}, 5);
  const Tensor y = run(runtime(), DType::f64, {{x, values}, {theta, angles}}, {.offsets = {5, 9}})[0];
  for (const i64 row : {0, 1}) {
    const std::vector<double> all = numbers(values);
    const auto half = std::span(all).subspan(static_cast<std::size_t>(row) * 24, 24);
    const Tensor own = Tensor::from(half, {2, 3, 4}, DType::f64);
    const Tensor expected = eager({own, angles}, [](Tape&, const auto& v) { return ops::rotate(v[0], v[1]); },
                                  {.offsets = {row == 0 ? 5 : 9}});
    for (i64 i = 0; i < 24; ++i) CHECK(y.at(row * 24 + i) == expected.at(i));
  }
}

TEST_CASE("gradients of a rotation agree with differences, for shared and own angles, with offsets") {
  for (const bool conjugate : {false, true}) {
    for (const Shape& shape : {Shape{2}, Shape{3, 2}, Shape{2, 1, 2}}) {
      CHECK(gradient_distance({random({2, 3, 4, 4}, 6), random(shape, 7)},
                              [&](Tape&, const auto& v) { return ops::rotate(v[0], v[1], conjugate); },
                              {.offsets = {3}}) < 1e-8);
    }
  }
}
