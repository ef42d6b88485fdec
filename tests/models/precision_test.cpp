// `train.precision: bf16`: products round their factors; all else stays as it is.
#include <doctest/doctest.h>

#include "engine/tape.h"
#include "ops/attention.h"
#include "ops/contract.h"
#include "ops/linrec.h"
#include "ops/softmax.h"
#include "tests/models/build.h"
#include "tests/tensors.h"

using namespace weft;

namespace {

struct Made {
  double loss = 0;
  std::vector<Tensor> all;
};

Made gradients(const dsl::Model& model, Precision precision, const RuntimeOptions& options) {
  Runtime runtime(options);
  Made made;
  const auto weights = model.initial_weights(1, DType::f32);
  const dsl::LossSum sum = model.gradients(runtime, weights, tests::batch(12, 32), {Key{3}, 1, precision}, made.all);
  made.loss = sum.nats / static_cast<double>(sum.count);
  return made;
}

// |a - b| / |a| over all gradients together.
double difference(const Made& a, const Made& b) {
  double apart = 0, size = 0;
  for (std::size_t w = 0; w < a.all.size(); ++w) {
    for (i64 i = 0; i < a.all[w].size(); ++i) {
      apart += std::pow(a.all[w].at(i) - b.all[w].at(i), 2);
      size += std::pow(a.all[w].at(i), 2);
    }
  }
  return std::sqrt(apart / size);
}

std::vector<std::string> descriptions() {
  std::vector<std::string> all;
  for (const char* use : {"retnet, with: {D: 32, layers: 2, H: 2}", "fast_weights, with: {D: 32, layers: 2, H: 2}",
                          "transformer, with: {D: 32, layers: 2, H: 2}", "treefold, with: {D: 32, layers: 2}"}) {
    all.push_back(fmt::format("schema: 1\nmodel: [{{use: std/{}}}]\n", use));
  }
  return all;
}

// y, and the gradients of its sum.
std::vector<Tensor> computed(Precision precision, const std::function<Var(const Var&, const Var&, const Var&)>& f) {
  const Runtime runtime({.products = "loops", .parallel = "serial"});
  RunSettings settings;
  settings.precision = precision;
  Tape tape(runtime, DType::f32, Graph::Gradients::yes, settings);
  std::vector<Var> x;
  for (const u64 seed : {1, 2, 3}) x.push_back(tape.leaf(tests::drawn({2, 16, 8}, seed)));
  const Var y = f(x[0], x[1], x[2]);
  std::vector<Tensor> all = tape.gradient(y, x);
  all.push_back(tape.value(y));
  return all;
}

}  // namespace

TEST_CASE("a step in bf16 has nearly the loss and the gradients of one in f32") {
  for (const std::string& text : descriptions()) {
    CAPTURE(text);
    const auto model = tests::built(text);
    const RuntimeOptions loops{.products = "loops"};
    const Made exact = gradients(*model, Precision::f32, loops), rounded = gradients(*model, Precision::bf16, loops);
    CHECK(exact.loss != rounded.loss);
    CHECK(std::abs(exact.loss - rounded.loss) < 1e-3 * exact.loss);
    const double apart = difference(exact, rounded);
    CHECK(apart > 1e-4);
    CHECK(apart < 0.1);  // 0.01 to 0.04: some ten products in a row, each with factors that are off by 2^-9
    if (!has_bf16()) continue;
    const Made fast = gradients(*model, Precision::bf16, {});
    CHECK(std::abs(fast.loss - rounded.loss) < 1e-5 * exact.loss);
    CHECK(difference(fast, rounded) < 0.1 * apart);  // a last digit of f32 decides how some are rounded
  }
}

TEST_CASE("every number of threads gives the same bits in bf16") {
  if (!has_bf16()) return;
  for (const std::string& text : descriptions()) {
    const auto model = tests::built(text);
    const Made one = gradients(*model, Precision::bf16, {.parallel = "serial"});
    for (const int threads : {2, 3}) {
      const Made many = gradients(*model, Precision::bf16, {.threads = threads});
      for (std::size_t w = 0; w < one.all.size(); ++w) CHECK(same_bits(one.all[w], many.all[w]));
    }
  }
}

TEST_CASE("factors of products are rounded, of contractions and within ops alike, and nothing else") {
  const auto changes = [](const auto& f) {
    const auto exact = computed(Precision::f32, f), rounded = computed(Precision::bf16, f);
    int n = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) n += exact[i] && !same_bits(exact[i], rounded[i]);
    return n;
  };
  using V = const Var&;
  CHECK(changes([](V q, V k, V v) { return ops::attention(q, k, v); }) == 4);
  CHECK(changes([](V q, V k, V v) { return ops::linrec(q, k, v)[0]; }) == 4);
  CHECK(changes([](V q, V k, V v) { return ops::contract(ops::contract(q, k, "btd,bsd->bts"), v, "bts,bsd->btd"); }) ==
        4);
  CHECK(changes([](V q, V, V) { return ops::softmax(q); }) == 0);
}
