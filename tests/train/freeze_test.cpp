// `train.freeze`: what a frozen weight costs, and what it does not change.
#include "tests/models/build.h"
#include "train/options.h"

using namespace weft;

namespace {

std::shared_ptr<const dsl::Model> model(const std::string& freeze) {
  dsl::Surroundings surroundings = tests::surroundings();
  surroundings.sections = train::option_tables();
  dsl::Diagnostics d;
  const dsl::Description description(
      dsl::make_source("f.yaml",
                       "schema: 1\nmodel: [{use: std/transformer, with: {D: 16, layers: 2}}]\n"
                       "train: {freeze: " +
                           freeze + "}\n"),
      {}, surroundings, d);
  auto built = description.model(16, d);
  INFO(d.render(false));
  REQUIRE(built != nullptr);
  return built;
}

}  // namespace

TEST_CASE("the gradient of a frozen weight is zero, and those of the others keep their bits") {
  Runtime runtime;
  const auto free = model("[]"), frozen = model("['*.embed.*', '*.ffn.*']");
  const auto weights = tests::random_weights(*free);
  std::vector<Tensor> a, b;
  free->gradients(runtime, weights, tests::batch(2, 12), Key{3}, a);
  frozen->gradients(runtime, weights, tests::batch(2, 12), Key{3}, b);
  int zeros = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const dsl::Weight& w = frozen->weights()[i];
    CAPTURE(w.name);
    CHECK(w.frozen == !w.trained);
    CHECK(same_bits(b[i], w.frozen ? Tensor::zeros(w.shape, b[i].dtype()) : a[i]));
    zeros += w.frozen;
  }
  CHECK(zeros == 9);  // the table, and W1 b1 W2 b2 of two layers
}

TEST_CASE(
    "backward does not compute what nobody takes: a step costs less, and least when the first layers are frozen") {
  const auto flops = [](const std::string& freeze) { return model(freeze)->cost(8, 64, DType::f32).flops; };
  const double all = flops("[]"), without_ffn = flops("['*.ffn.*']"), last = flops("['*.embed.*', '*repeat[0]*']");
  // The estimate counts a backward node as twice its forward one, whichever gradients are wanted: of a layer whose
  // inputs still want theirs only the sums of the biases are gone from it.
  CHECK(without_ffn < all);
  CHECK(last < 0.75 * all);  // no gradient goes through the first layer at all
}

TEST_CASE("a frozen buffer is not drawn anew") {
  dsl::Surroundings surroundings = tests::surroundings();
  surroundings.sections = train::option_tables();
  const auto redraw = [&](const std::string& freeze) {
    dsl::Diagnostics d;
    const std::string text =
        tests::around("    weights: {W: {shape: [D, D], buffer: true, redraw: 2, init: normal(1)}}\n    out: x @ W\n");
    const dsl::Description description(dsl::make_source("f.yaml", text + "train: {freeze: " + freeze + "}\n"), {},
                                       surroundings, d);
    const auto m = description.model(16, d);
    REQUIRE(m != nullptr);
    auto weights = m->initial_weights(1, DType::f32);
    const auto before = weights;
    m->redraw(1, 3, weights);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (!same_bits(weights[i], before[i])) return true;
    }
    return false;
  };
  CHECK(redraw("[]"));
  CHECK_FALSE(redraw("['*.W']"));
}
