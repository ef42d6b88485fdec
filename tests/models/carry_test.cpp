// `train.carry_state`: a window goes on where the one before it ended.
#include "tests/models/build.h"

using namespace weft;

namespace {

const std::vector<std::string> kCarry = {"train.carry_state=true"};

// The loss of tokens [1, n] in windows of these lengths, each from the states of the one before.
double nats(const dsl::Model& model, const std::vector<i64>& windows,
            std::vector<std::vector<Tensor>>* gradients = {}) {
  Runtime runtime;
  const auto weights = tests::random_weights(model);
  const dsl::Batch all = tests::batch(2, 12);
  dsl::Carried carried;
  double sum = 0;
  i64 begin = 0;
  for (const i64 n : windows) {
    std::vector<Tensor> g;
    const dsl::Batch window{tests::part(all.tokens, begin, begin + n), tests::part(all.targets, begin, begin + n)};
    sum += model.gradients(runtime, weights, window, Key{3}, g, nullptr, &carried).nats;
    if (gradients) gradients->push_back(g);
    begin += n;
    CHECK(carried.position == begin);
  }
  return sum;
}

std::string mixer(const std::string& file) { return tests::contents(WEFT_SOURCE "/tests/models/descriptions/" + file); }

}  // namespace

TEST_CASE("windows with carried states have the loss of the whole: sums, gates, delta rule, convolutions, rotations") {
  for (const char* file : {"linear_attention.yaml", "gla.yaml", "delta.yaml", "mamba2.yaml", "gru.yaml", "lstm.yaml",
                           "momentum_memory.yaml", "learned_state.yaml", "shift_mix.yaml"}) {
    CAPTURE(file);
    const auto model = tests::built(mixer(file), kCarry);
    CHECK(model->carries());
    const double whole = nats(*model, {12});
    CHECK(nats(*model, {5, 7}) == doctest::Approx(whole).epsilon(1e-12));
    CHECK(nats(*model, {1, 4, 4, 3}) == doctest::Approx(whole).epsilon(1e-12));
  }
  const std::string retnet = "schema: 1\nmodel: [{use: std/retnet, with: {D: 8, H: 2, layers: 2}}]\n";
  const auto model = tests::built(retnet, kCarry);
  CHECK(nats(*model, {3, 9}) == doctest::Approx(nats(*model, {12})).epsilon(1e-12));
}

TEST_CASE("a state that is carried is a constant, and a learned start learns where a row begins") {
  const auto model = tests::built(tests::around("    recurrence:\n      over: T\n"
                                                "      state: {h: {shape: [D], init: 0.5, learned: true}}\n"
                                                "      step: {h: 0.9 * h + x}\n      read: {y: h}\n    out: y\n"),
                                  kCarry);
  std::size_t start = 0;
  while (!model->weights()[start].name.ends_with("h.init")) ++start;
  std::vector<std::vector<Tensor>> gradients;
  nats(*model, {6, 6}, &gradients);
  CHECK(tests::distance(gradients[0][start], Tensor::zeros({8}, DType::f64)) > 1e-3);
  for (i64 i = 0; i < 8; ++i) CHECK(gradients[1][start].at(i) == 0);
}

TEST_CASE("without carried states every window starts anew") {
  const auto model = tests::built(mixer("gru.yaml"));
  CHECK(!model->carries());
  const dsl::Batch all = tests::batch(2, 12);
  Runtime runtime;
  const auto weights = tests::random_weights(*model);
  dsl::Carried carried;
  std::vector<Tensor> g;
  const dsl::Batch half{tests::part(all.tokens, 6, 12), tests::part(all.targets, 6, 12)};
  const double alone = model->gradients(runtime, weights, half, Key{3}, g).nats;
  CHECK(model->gradients(runtime, weights, half, Key{3}, g, nullptr, &carried).nats == alone);
  CHECK(carried.states.empty());
}
