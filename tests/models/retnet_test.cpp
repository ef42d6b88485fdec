// The C++ twin of RetNet is the description: the language's oracle.
#include "models/retnet.h"

#include "engine/run.h"
#include "ops/cross_entropy.h"
#include "tests/models/build.h"

using namespace weft;

namespace {

const models::RetNet::Sizes kSizes = {.vocab = 16, .D = 16, .H = 2, .layers = 2, .value = 2, .hidden = 24};
const std::vector<std::string> kSet = {"params.D=16", "params.H=2", "params.layers=2", "params.hidden=24"};

struct Twin {
  Graph graph;
  Var tokens, targets, loss;
  models::RetNet net{graph, kSizes};
  std::vector<Var> gradients;

  Twin() {
    const Dims sequence = {Dim::symbol("B"), Dim::symbol("T")};
    tokens = graph.input("tokens", sequence, Kind::index);
    targets = graph.input("targets", sequence, Kind::index);
    loss = ops::cross_entropy(net.logits(tokens), targets);
    std::vector<Var> wrt;
    for (const auto& w : net.weights) wrt.push_back(w.var);
    const Var one = graph.constant(Tensor::full({}, 1, DType::f64));
    gradients = graph.backward({&loss, 1}, {&one, 1}, wrt);
  }
  tests::Step step(const std::vector<Tensor>& weights, const dsl::Batch& batch) {
    std::vector<Var> wanted = {loss};
    wanted.insert(wanted.end(), gradients.begin(), gradients.end());
    Run::Feeds feeds = {{tokens, batch.tokens}, {targets, batch.targets}};
    for (std::size_t i = 0; i < weights.size(); ++i) feeds.emplace_back(net.weights[i].var, weights[i]);
    auto results = Run(graph, wanted)(Runtime(), weights[0].dtype(), feeds);
    const double nats = results[0].at(0);
    results.erase(results.begin());
    return {nats, results};
  }
};

}  // namespace

TEST_CASE("RetNet in C++ has the weights of the description: names, order, shapes, decay and first values") {
  const auto model = tests::built(tests::std_file("retnet"), kSet);
  const Twin twin;
  REQUIRE(twin.net.weights.size() == model->weights().size());
  const auto ours = dsl::draw_weights(twin.net.weights, 7, DType::f32), theirs = model->initial_weights(7, DType::f32);
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const dsl::Weight &a = twin.net.weights[i].weight, &b = model->weights()[i];
    CAPTURE(b.name);
    CHECK(a.name == b.name);
    CHECK(a.shape == b.shape);
    CHECK(a.decays == b.decays);
    CHECK(same_bits(ours[i], theirs[i]));
  }
}

TEST_CASE("RetNet in C++ gives the bits of the description, in its loss and in every gradient") {
  const auto model = tests::built(tests::std_file("retnet"), kSet);
  Twin twin;
  for (const DType dtype : {DType::f32, DType::f64}) {
    const auto weights = tests::random_weights(*model, dtype);
    for (const i64 length : {1, 7, 65}) {
      CAPTURE(length);
      const auto batch = tests::batch(3, length);
      const tests::Step a = twin.step(weights, batch), b = tests::step(*model, weights, batch);
      // The model tells the sum over all targets, from which `step` takes the mean again.
      CHECK(a.loss == doctest::Approx(b.loss).epsilon(1e-15));
      REQUIRE(a.gradients.size() == b.gradients.size());
      for (std::size_t i = 0; i < a.gradients.size(); ++i) {
        CAPTURE(model->weights()[i].name);
        CHECK(same_bits(a.gradients[i], b.gradients[i]));
      }
    }
  }
}
