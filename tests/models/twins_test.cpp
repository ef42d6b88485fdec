// The C++ twins of RetNet, fast weights and TreeFold are the descriptions: the language's oracle.
#include "engine/run.h"
#include "models/fast_weights.h"
#include "models/retnet.h"
#include "models/treefold.h"
#include "ops/cross_entropy.h"
#include "tests/models/build.h"

using namespace weft;

namespace {

using Values = std::map<std::string, Tensor>;  // logits, loss, grad.<weight>

// Each in small, and as its file is told to be the same.
template <class Net> struct Small;
template <> struct Small<models::RetNet> {
  static constexpr const char* file = "retnet";
  static inline const models::RetNet::Sizes sizes = {
      .vocab = 16, .D = 16, .H = 2, .layers = 2, .value = 2, .hidden = 24};
  static inline const std::vector<std::string> set = {"params.D=16", "params.H=2", "params.layers=2",
                                                      "params.hidden=24"};
};
template <> struct Small<models::FastWeights> {
  static constexpr const char* file = "fast_weights";
  static inline const models::FastWeights::Sizes sizes = {
      .vocab = 16, .D = 16, .H = 2, .layers = 2, .hidden = 24, .nu = 2};
  static inline const std::vector<std::string> set = {"params.D=16", "params.H=2", "params.layers=2",
                                                      "params.hidden=24", "params.nu=2"};
};
template <> struct Small<models::TreeFold> {
  static constexpr const char* file = "treefold";
  static inline const models::TreeFold::Sizes sizes = {.vocab = 16, .D = 12, .layers = 2, .tau = 0.7, .hidden = 24};
  static inline const std::vector<std::string> set = {"params.D=12", "params.layers=2", "params.tau=0.7",
                                                      "params.hidden=24"};
};

RunSettings mode(bool training) {
  RunSettings s;
  s.training = training;
  if (training) s.key = Key{3};  // that of tests::step
  return s;
}

template <class Net> struct Twin {
  Graph graph;
  Var tokens, targets, logits, loss;
  Net net;
  std::vector<Var> gradients;

  explicit Twin(const typename Net::Sizes& sizes = Small<Net>::sizes) : net(graph, sizes) {
    const Dims sequence = {Dim::symbol("B"), Dim::symbol("T")};
    tokens = graph.input("tokens", sequence, Kind::index);
    targets = graph.input("targets", sequence, Kind::index);
    logits = net.logits(tokens);
    loss = ops::cross_entropy(logits, targets);
    std::vector<Var> wrt;
    for (const auto& w : net.weights) wrt.push_back(w.var);
    const Var one = graph.constant(Tensor::full({}, 1, DType::f64));
    gradients = graph.backward({&loss, 1}, {&one, 1}, wrt);
  }
  Values operator()(const std::vector<Tensor>& weights, const dsl::Batch& batch, bool training) {
    std::vector<std::string> names = {"logits", "loss"};
    std::vector<Var> wanted = {logits, loss};
    Run::Feeds feeds = {{tokens, batch.tokens}, {targets, batch.targets}};
    for (std::size_t i = 0; i < weights.size(); ++i) {
      feeds.emplace_back(net.weights[i].var, weights[i]);
      names.push_back("grad." + net.weights[i].weight.name);
      wanted.push_back(gradients[i]);
    }
    const auto results = Run(graph, wanted)(Runtime(), weights[0].dtype(), feeds, mode(training));
    Values values;
    for (std::size_t i = 0; i < names.size(); ++i) values[names[i]] = results[i];
    return values;
  }
};

// The file as the function that `apply --grad` runs.
std::unique_ptr<const dsl::Function> function(const std::string& name, const std::vector<std::string>& set) {
  dsl::Diagnostics d;
  const dsl::Description description(dsl::make_source("test.yaml", tests::std_file(name)), set, tests::surroundings(),
                                     d);
  const dsl::Asked asked{.given = {{"tokens", {3, 7}}, {"targets", {3, 7}}}, .with_tensors = true, .gradients = true};
  auto f = description.function(asked, 16, d);
  INFO(d.render(false));
  REQUIRE(f != nullptr);
  return f;
}

Values run(const dsl::Function& f, const std::vector<Tensor>& weights, const dsl::Batch& batch, bool training) {
  const Values inputs = {{"tokens", batch.tokens}, {"targets", batch.targets}};
  const auto results = f(Runtime(), weights[0].dtype(), weights, inputs, mode(training));
  return {results.begin(), results.end()};  // also of states, which a twin does not tell
}

}  // namespace

TEST_CASE_TEMPLATE("a C++ twin has the weights of its description: names, order, shapes, decay and first values", Net,
                   models::RetNet, models::FastWeights, models::TreeFold) {
  const auto model = tests::built(tests::std_file(Small<Net>::file), Small<Net>::set);
  const Twin<Net> twin;
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

TEST_CASE_TEMPLATE("a C++ twin gives the bits of its description: logits, loss and every gradient", Net, models::RetNet,
                   models::FastWeights, models::TreeFold) {
  const auto model = tests::built(tests::std_file(Small<Net>::file), Small<Net>::set);
  const auto described = function(Small<Net>::file, Small<Net>::set);
  Twin<Net> twin;
  for (const DType dtype : {DType::f32, DType::f64}) {
    const auto weights = tests::random_weights(*model, dtype);
    for (const i64 length : {1, 7, 65}) {
      const auto batch = tests::batch(3, length);
      for (const bool training : {false, true}) {
        CAPTURE(length);
        CAPTURE(training);
        const Values ours = twin(weights, batch, training);
        const Values theirs = run(*described, weights, batch, training);
        CHECK(ours.size() == 2 + weights.size());
        for (const auto& [name, value] : ours) {
          CAPTURE(name);
          CHECK(same_bits(value, theirs.at(name)));
        }
      }
      // What `train` runs. The model tells the sum over all targets, from which `step` takes the mean again.
      const Values ours = twin(weights, batch, true);
      const tests::Step theirs = tests::step(*model, weights, batch);
      CHECK(ours.at("loss").at(0) == doctest::Approx(theirs.loss).epsilon(1e-15));
      REQUIRE(theirs.gradients.size() == weights.size());
      for (std::size_t i = 0; i < weights.size(); ++i) {
        CAPTURE(model->weights()[i].name);
        CHECK(same_bits(ours.at("grad." + model->weights()[i].name), theirs.gradients[i]));
      }
    }
  }
}

TEST_CASE_TEMPLATE("a C++ twin has the defaults of its description", Net, models::RetNet, models::FastWeights,
                   models::TreeFold) {
  const auto described = function(Small<Net>::file, {});
  Twin<Net> twin(typename Net::Sizes{.vocab = 16});
  const auto weights = dsl::draw_weights(twin.net.weights, 7, DType::f32);
  REQUIRE(weights.size() == described->slots().size());
  for (std::size_t i = 0; i < weights.size(); ++i) CHECK(weights[i].shape() == described->slots()[i].weight.shape);
  const auto batch = tests::batch(2, 9);
  for (const bool training : {false, true}) {
    const Values theirs = run(*described, weights, batch, training);
    CHECK(same_bits(twin(weights, batch, training).at("logits"), theirs.at("logits")));
  }
}

TEST_CASE("the modes of the TreeFold twin differ: the noise of training is really there") {
  const auto model = tests::built(tests::std_file("treefold"), Small<models::TreeFold>::set);
  Twin<models::TreeFold> twin;
  const auto weights = tests::random_weights(*model);
  const auto batch = tests::batch(3, 7);
  CHECK(tests::distance(twin(weights, batch, false).at("logits"), twin(weights, batch, true).at("logits")) > 0.01);
}
