// How the memory of a training step grows with the length.
#include "tests/models/build.h"

using namespace weft;

namespace {

struct Peaks {
  double planned;  // what the plan of the graph says
  double real;     // what the pool gave out
};

Peaks peaks(const dsl::Model& model, i64 length) {
  Runtime runtime({.parallel = "serial"});
  const auto weights = tests::random_weights(model);
  const dsl::Batch batch = tests::batch(1, length);
  std::vector<Tensor> gradients;
  const auto step = [&] { model.gradients(runtime, weights, batch, Key{3}, gradients); };
  step();
  const std::size_t before = runtime.pool()->live_bytes();
  runtime.pool()->reset_peak();
  step();
  return {static_cast<double>(model.cost(1, length, DType::f64).peak_bytes),
          static_cast<double>(runtime.pool()->peak_bytes() - before)};
}

// log2 of the last growth over the one before, from T to 2T to 4T: 1 when memory grows as T, 2 as T x T.
Peaks exponents(const std::string& text, const std::string& form) {
  const auto model = tests::built(text, {"train.form=" + form});
  constexpr i64 T = 128;
  const Peaks a = peaks(*model, T), b = peaks(*model, 2 * T), c = peaks(*model, 4 * T);
  return {std::log2((c.planned - b.planned) / (b.planned - a.planned)),
          std::log2((c.real - b.real) / (b.real - a.real))};
}

std::string memory(const std::string& update) {
  return tests::around("    recurrence:\n      over: T\n      state: {S: [D, D]}\n      step: {S: \"" + update +
                       "\"}\n      read: {y: x @ S}\n    out: y\n");
}

}  // namespace

TEST_CASE("the memory of a training step grows as T, by the loop and in chunks") {
  const std::string decay = memory("0.9 * S + outer(x, x)"), loop = memory("tanh(S) + outer(x, x)");
  for (const auto& [text, form] :
       {std::pair(loop, "auto"), std::pair(loop, "recurrent"), std::pair(decay, "recurrent"),
        std::pair(decay, "chunkwise"), std::pair(memory("S + outer(x, 0.1 * (x - x @ S))"), "chunkwise")}) {
    CAPTURE(text);
    CAPTURE(form);
    const Peaks e = exponents(text, form);
    CHECK(e.planned == doctest::Approx(1).epsilon(0.02));
    CHECK(e.real == doctest::Approx(1).epsilon(0.1));  // blocks of the pool are rounded up
  }
}

TEST_CASE("what is T x T is seen to be so") {
  const std::string softmax = tests::around("    out: softmax(x @ x^T, mask=causal_mask(T, T)) @ x\n");
  CHECK(exponents(softmax, "auto").planned > 1.9);
  CHECK(exponents(softmax, "auto").real > 1.9);
  CHECK(exponents(memory("0.9 * S + outer(x, x)"), "parallel").real > 1.3);
}
