// A batch cut into lanes (dsl/lanes.h) is the batch.
#include "dsl/lanes.h"

#include <algorithm>

#include "tests/models/build.h"

using namespace weft;

namespace {

constexpr i64 kRows = 5, kLength = 192;  // two lanes, of two and three rows

std::string model_text(const std::string& use) {
  return "schema: 1\nmodel: [{use: std/" + use + ", with: {D: 16, layers: 1}}]\n";
}

dsl::Batch row(const dsl::Batch& b, i64 r) { return {b.tokens.rows(r, r + 1), b.targets.rows(r, r + 1)}; }

// The gradient of the mean loss over all rows, from each row by itself.
tests::Step row_by_row(const dsl::Model& model, const std::vector<Tensor>& weights, const dsl::Batch& b) {
  const auto all = static_cast<double>(dsl::counted(b.targets));
  tests::Step sum{0, {}};
  std::vector<std::vector<double>> values;
  for (i64 r = 0; r < b.tokens.shape()[0]; ++r) {
    const auto count = static_cast<double>(dsl::counted(row(b, r).targets));
    const tests::Step one = tests::step(model, weights, row(b, r));
    if (count > 0) sum.loss += one.loss * count / all;
    values.resize(one.gradients.size());
    for (std::size_t w = 0; w < one.gradients.size(); ++w) {
      values[w].resize(static_cast<std::size_t>(one.gradients[w].size()));
      for (std::size_t i = 0; i < values[w].size(); ++i) {
        values[w][i] += count / all * one.gradients[w].at(static_cast<i64>(i));
      }
    }
  }
  for (std::size_t w = 0; w < values.size(); ++w) {
    sum.gradients.push_back(Tensor::from(values[w], weights[w].shape(), DType::f64));
  }
  return sum;
}

}  // namespace

TEST_CASE("lanes take all rows, differ by one row at most, and are no more than the work is worth") {
  for (const i64 rows : {1, 2, 7, 12, 100}) {
    for (const i64 length : {1, 64, 256, 4096}) {
      const auto lanes = dsl::lanes_of(rows, length, false);
      CHECK(lanes.front().begin == 0);
      CHECK(lanes.back().end == rows);
      for (std::size_t i = 0; i < lanes.size(); ++i) {
        CHECK((i == 0 || lanes[i].begin == lanes[i - 1].end));
        CHECK(std::abs(lanes[i].rows() - lanes[0].rows()) <= 1);
        CHECK((lanes.size() == 1 || lanes[i].rows() * length >= 192));
      }
    }
  }
  CHECK(dsl::lanes_of(12, 64, false).size() == 2);
  CHECK(dsl::lanes_of(2, 2048, false).size() == 2);
  CHECK(dsl::lanes_of(4, 8, false).size() == 1);
  CHECK(dsl::lanes_of(16, 256, true).size() == 2);  // eight rows each, where a loop has a product for each position
}

TEST_CASE("shares are added in the order of the lanes, whichever comes first") {
  // 1e8 + 1 is 1e8 in f32: any other order gives another sum.
  const std::vector<double> shares = {1e8, 1, 1, -1e8, 3};
  std::vector<std::size_t> order = {0, 1, 2, 3, 4};
  do {
    dsl::LaneSums sums(best_isa(), 2);
    for (const std::size_t lane : order) {
      sums.add(0, lane, Tensor::full({3}, shares[lane], DType::f32));
      sums.add(1, lane, Tensor::full({2}, shares[lane], DType::f64));
    }
    const auto all = sums.take();
    CHECK(all[0].at(2) == 3);
    CHECK(all[1].at(1) == 5);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("the loss and gradients of a batch in lanes are those of its rows") {
  REQUIRE(dsl::lanes_of(kRows, kLength, false).size() == 2);
  for (const char* use : {"retnet", "transformer", "fast_weights", "gla"}) {
    CAPTURE(use);
    const auto model = tests::built(model_text(use));
    const auto weights = tests::random_weights(*model);
    dsl::Batch b = tests::batch(kRows, kLength);
    std::vector<i32> targets(b.targets.values<i32>().begin(), b.targets.values<i32>().end());
    for (std::size_t i = 0; i < 2 * kLength + 7; ++i) targets[i] = -1;  // a lane without targets, a row with few
    for (const bool some : {false, true}) {
      CAPTURE(some);
      if (some) b.targets = Tensor::of_indices(targets, {kRows, kLength});
      const tests::Step together = tests::step(*model, weights, b), apart = row_by_row(*model, weights, b);
      CHECK(together.loss == doctest::Approx(apart.loss).epsilon(1e-12));
      for (std::size_t w = 0; w < weights.size(); ++w) {
        CHECK(tests::distance(apart.gradients[w], together.gradients[w]) < 1e-10);
      }
      Runtime runtime;
      const dsl::LossSum sum = model->loss(runtime, weights, b);
      CHECK(sum.count == dsl::counted(b.targets));
      CHECK(sum.nats / static_cast<double>(sum.count) == doctest::Approx(apart.loss).epsilon(1e-12));
    }
  }
}

TEST_CASE("lanes on any number of threads give the same bits") {
  const auto model = tests::built(model_text("retnet"));
  const auto weights = tests::random_weights(*model, DType::f32);
  const dsl::Batch b = tests::batch(12, 64);
  const tests::Step alone = tests::step(*model, weights, b, {.parallel = "serial"});
  for (const int threads : {1, 2, 3, 4, 7}) {
    CAPTURE(threads);
    const tests::Step many = tests::step(*model, weights, b, {.threads = threads});
    CHECK(many.loss == alone.loss);
    for (std::size_t w = 0; w < weights.size(); ++w) CHECK(same_bits(many.gradients[w], alone.gradients[w]));
  }
}

TEST_CASE("each row draws its own numbers, whichever lane it is in") {
  const auto model = tests::built(tests::around("    out: dropout(x, p=0.5)\n"));
  const auto weights = tests::random_weights(*model);
  const dsl::Batch one = tests::batch(1, 384);
  dsl::Batch same = tests::batch(4, 384);
  std::vector<i32> tokens, targets;
  for (int r = 0; r < 4; ++r) {
    tokens.insert(tokens.end(), one.tokens.values<i32>().begin(), one.tokens.values<i32>().end());
    targets.insert(targets.end(), one.targets.values<i32>().begin(), one.targets.values<i32>().end());
  }
  same = {Tensor::of_indices(tokens, {4, 384}), Tensor::of_indices(targets, {4, 384})};
  REQUIRE(dsl::lanes_of(4, 384, false).size() == 4);
  CHECK(tests::step(*model, weights, same).loss !=
        doctest::Approx(tests::step(*model, weights, one).loss).epsilon(1e-9));
}

TEST_CASE("states are carried lane by lane") {
  const auto model = tests::built(model_text("retnet"), {"train.carry_state=true"});
  const auto weights = tests::random_weights(*model);
  const dsl::Batch all = tests::batch(4, 384);
  Runtime runtime;
  dsl::Carried carried;
  double nats = 0;
  for (const i64 begin : {0, 192}) {
    std::vector<Tensor> gradients;
    const dsl::Batch window{tests::part(all.tokens, begin, begin + 192), tests::part(all.targets, begin, begin + 192)};
    nats += model->gradients(runtime, weights, window, Key{3}, gradients, nullptr, &carried).nats;
  }
  std::vector<Tensor> gradients;
  const double whole = model->gradients(runtime, weights, all, Key{3}, gradients).nats;
  CHECK(nats == doctest::Approx(whole).epsilon(1e-10));
}

TEST_CASE("an error in one lane ends all, and is told once") {
  const auto model = tests::built(model_text("retnet"));
  const auto weights = tests::random_weights(*model);
  Runtime runtime({.threads = 2});
  runtime.pool()->limit(1000);
  std::vector<Tensor> gradients;
  CHECK_THROWS_AS(model->gradients(runtime, weights, tests::batch(12, 64), Key{3}, gradients), Error);
  runtime.pool()->limit(0);
  CHECK(std::isfinite(model->gradients(runtime, weights, tests::batch(12, 64), Key{3}, gradients).nats));
}
