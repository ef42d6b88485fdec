// A large vocabulary: in training its logits never exist whole.
#include <doctest/doctest.h>

#include "tests/models/build.h"

using namespace weft;
using namespace weft::tests;

namespace {

constexpr i64 kLarge = 4099;  // above dsl/lower.cpp's limit, and no multiple of anything

std::shared_ptr<const dsl::Model> with_head(const std::string& head) {
  dsl::Diagnostics d;
  auto model = build("schema: 1\nmodel: [{embed: {width: 8}}, tanh, " + head + "]\n", d, kLarge);
  INFO(d.render(false));
  REQUIRE(model != nullptr);
  return model;
}

double dot(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (i64 j = 0; j < a[i].size(); ++j) sum += a[i].at(j) * b[i].at(j);
  }
  return sum;
}

std::vector<Tensor> moved(const std::vector<Tensor>& from, const std::vector<Tensor>& direction, double step) {
  std::vector<Tensor> to;
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::vector<double> values(static_cast<std::size_t>(from[i].size()));
    for (i64 j = 0; j < from[i].size(); ++j) values[j] = from[i].at(j) + step * direction[i].at(j);
    to.push_back(Tensor::from(values, from[i].shape(), DType::f64));
  }
  return to;
}

}  // namespace

TEST_CASE("a large vocabulary has the loss of its whole logits, and that loss's gradients") {
  Runtime runtime;
  for (const std::string head : {"{logits: {tie: embed}}", "logits"}) {
    CAPTURE(head);
    const auto model = with_head(head);
    const auto weights = random_weights(*model), direction = random_weights(*model, DType::f64, 10);
    const dsl::Batch some = batch(3, 5);
    std::vector<Tensor> gradients;
    const dsl::LossSum by_blocks = model->gradients(runtime, weights, some, Key{3}, gradients);
    const auto whole = [&](double step) { return model->loss(runtime, moved(weights, direction, step), some).nats; };
    CHECK(by_blocks.nats == doctest::Approx(whole(0)).epsilon(1e-12));
    // Central differences of f64 at 1e-4 are good to 1e-8; `nats` are of all tokens, gradients of their mean.
    const double slope = (whole(1e-4) - whole(-1e-4)) / 2e-4 / 15;
    CHECK(dot(gradients, direction) == doctest::Approx(slope).epsilon(1e-6));
  }
}

TEST_CASE("a step with a large vocabulary holds less than its logits") {
  const auto model = with_head("{logits: {tie: embed}}");
  CHECK(model->cost(1, 4096, DType::f32).peak_bytes < 4096 * kLarge * 4);
}
