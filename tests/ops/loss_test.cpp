#include "ops/contract.h"
#include "ops/cross_entropy.h"
#include "ops/embedding.h"
#include "ops/linear_cross_entropy.h"
#include "tests/ops/differences.h"

using namespace weft;
using namespace weft::tests;

namespace {

Tensor loss(const Tensor& logits, const std::vector<i32>& targets, const ops::CrossEntropy::Attrs& attrs = {}) {
  Tape tape(runtime(), logits.dtype());
  Shape shape = logits.shape();
  shape.pop_back();
  return tape.value(ops::cross_entropy(tape.leaf(logits), tape.leaf(Tensor::of_indices(targets, shape)), attrs));
}

}  // namespace

TEST_CASE("cross entropy is the negative logarithm of the softmax at the target") {
  // numpy: x = [[1, 2, 3], [-1, 0, 5]]; -log softmax at 2 and 0; with smoothing 0.1 spread over the three classes.
  const Tensor x = Tensor::from({1, 2, 3, -1, 0, 5}, {2, 3});
  const auto none = loss(x, {2, 0}, {.reduction = "none"});
  CHECK(none.at(0) == doctest::Approx(0.40760596444438013).epsilon(1e-14));
  CHECK(none.at(1) == doctest::Approx(6.0091744845917345).epsilon(1e-14));
  const double sum = 0.40760596444438013 + 6.0091744845917345;
  CHECK(loss(x, {2, 0}).at(0) == doctest::Approx(sum / 2).epsilon(1e-14));
  CHECK(loss(x, {2, 0}, {.reduction = "sum"}).at(0) == doctest::Approx(sum).epsilon(1e-14));
  const auto smooth = loss(x, {2, 0}, {.smoothing = 0.1, .reduction = "none"});
  CHECK(smooth.at(0) == doctest::Approx(0.5076059644443801).epsilon(1e-14));
  CHECK(smooth.at(1) == doctest::Approx(5.775841151258401).epsilon(1e-14));
}

TEST_CASE("huge logits neither overflow nor lose the loss") {
  const Tensor x = Tensor::from({1000, 0, -1000, 1000, 999, 0}, {2, 3}, DType::f32);
  const auto y = loss(x, {1, 0}, {.reduction = "none"});
  CHECK(y.at(0) == 1000);
  CHECK(y.at(1) == doctest::Approx(0.31326168751822286).epsilon(1e-6));  // f32
}

TEST_CASE("ignored targets are not counted, and a batch of them alone gives zero") {
  const Tensor x = Tensor::from({1, 2, 3, -1, 0, 5}, {2, 3});
  CHECK(loss(x, {2, -1}).at(0) == doctest::Approx(0.40760596444438013).epsilon(1e-14));
  CHECK(loss(x, {0, 2}, {.ignore = 0}).at(0) == loss(x, {-1, 2}).at(0));
  CHECK(loss(x, {-1, -1}).at(0) == 0);
  Tape tape(runtime(), DType::f64);
  const Var leaf = tape.leaf(x);
  const Var y = ops::cross_entropy(leaf, tape.leaf(Tensor::of_indices(std::vector<i32>{-1, 1}, {2})));
  const Tensor g = tape.gradient(y, {leaf})[0];
  for (const i64 i : {0, 1, 2}) CHECK(g.at(i) == 0);
  CHECK(g.at(4) < -0.9);
  CHECK(loss(Tensor::zeros({0, 3}, DType::f64), {}).at(0) == 0);
}

TEST_CASE("a target or a token that does not exist is an error with its value and the size") {
  CHECK_THROWS_WITH_AS(loss(Tensor::zeros({1, 3}, DType::f32), {3}),
                       "cross_entropy: the target 3 is none of the 3 classes", Error);
  Tape tape(runtime(), DType::f32);
  const Var table = tape.leaf(Tensor::zeros({65, 2}, DType::f32));
  CHECK_THROWS_WITH_AS(ops::embedding(tape.leaf(Tensor::of_indices(std::vector<i32>{1, 70}, {2})), table),
                       "embedding: the token 70 is not in a table of 65 rows", Error);
}

TEST_CASE("gradients of the loss agree with differences for every reduction") {
  const Tensor x = random({2, 3, 19}, 5), targets = Tensor::of_indices(std::vector<i32>{0, 18, -1, 7, 7, -1}, {2, 3});
  for (const char* reduction : {"mean", "none", "sum"}) {
    for (const double smoothing : {0.0, 0.2}) {
      CHECK(gradient_distance({x, targets}, [&](Tape&, const std::vector<Var>& v) {
              return ops::cross_entropy(v[0], v[1], {.smoothing = smoothing, .reduction = reduction});
            }) < 1e-9);
    }
  }
}

TEST_CASE("a loss by blocks of rows is that of all logits, whichever way the weight lies") {
  const Tensor x = random({2, 5, 7}, 6),
               targets = Tensor::of_indices(std::vector<i32>{0, 18, -1, 7, 7, -1, 3, 2, 1, 18}, {2, 5});
  for (const bool table : {false, true}) {
    const Tensor weight = random(table ? Shape{19, 7} : Shape{7, 19}, 7);
    Tape tape(runtime(), DType::f64);
    const Var a = tape.leaf(x), w = tape.leaf(weight), t = tape.leaf(targets);
    const Var whole =
        ops::cross_entropy(ops::contract(a, w, table ? "btd,vd->btv" : "btd,dv->btv"), t, {.smoothing = 0.1});
    const auto expected = tape.gradient(whole, {a, w}, Tensor::full({}, 0.25, DType::f64));
    for (const i64 block : {0, 1, 4, 10, 64}) {
      const Var y = ops::linear_cross_entropy(a, w, t, {.table = table, .smoothing = 0.1, .block = block});
      CHECK(tape.value(y).at(0) == doctest::Approx(tape.value(whole).at(0)).epsilon(1e-14));
      const auto found = tape.gradient(y, {a, w}, Tensor::full({}, 0.25, DType::f64));
      for (std::size_t i = 0; i < 2; ++i) CHECK(distance(found[i], expected[i]) < 1e-15);  // numbers of some 0.01
    }
  }
}

TEST_CASE("an embedding picks rows, and its gradient adds up where a token repeats") {
  const Tensor table = random({5, 67}, 3), tokens = Tensor::of_indices(std::vector<i32>{4, 0, 4, 2, 4, 0}, {2, 3});
  Tape tape(runtime(), DType::f64);
  const Var t = tape.leaf(table);
  const Var y = ops::embedding(tape.leaf(tokens), t);
  REQUIRE(tape.value(y).shape() == Shape{2, 3, 67});
  for (i64 n = 0; n < 6; ++n) {
    for (i64 d = 0; d < 67; ++d) {
      CHECK(tape.value(y).at(n * 67 + d) == table.at(static_cast<i64>(tokens.at(n)) * 67 + d));
    }
  }
  const Tensor g = tape.gradient(y, {t})[0];
  const double expected[] = {2, 0, 1, 0, 3};
  for (i64 v = 0; v < 5; ++v) CHECK(g.at(v * 67 + 66) == expected[v]);
  CHECK(gradient_distance({tokens, table},
                          [](Tape&, const std::vector<Var>& v) { return ops::embedding(v[0], v[1]); }) < 1e-9);
}

TEST_CASE("loss and embedding have the same bits for any number of threads") {
  const Tensor table = random({11, 130}, 1, DType::f32);
  std::vector<i32> tokens(3000);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<i32>(bits(Key{7}, i) % 11);
  std::vector<Tensor> seen;
  for (const int threads : {1, 2, 5}) {
    const Runtime r({.threads = threads});
    Tape tape(r, DType::f32);
    const Var t = tape.leaf(table), ids = tape.leaf(Tensor::of_indices(tokens, {3000}));
    const Var y = ops::cross_entropy(ops::embedding(ids, t), ids);
    seen.push_back(tape.gradient(y, {t})[0]);
  }
  CHECK(same_bits(seen[0], seen[1]));
  CHECK(same_bits(seen[0], seen[2]));
}
