// Weights: their names, their sharing, how they are drawn, and those that are not trained.
#include "tests/models/build.h"

using namespace weft;

namespace {

std::string names(const dsl::Model& model) {
  std::string all;
  for (const dsl::Weight& w : model.weights()) all += (all.empty() ? "" : " ") + w.name + text(w.shape);
  return all;
}

std::string composed(const std::string& items) {
  return "schema: 1\nmodel:\n  - embed: {width: 4}\n" + items + "  - logits: {tie: embed}\n";
}

std::string weight_of(const std::string& what, const std::string& init = "") {
  return tests::around("    weights: {W: {shape: " + what + (init.empty() ? "" : ", init: " + init) +
                       "}}\n    out: x + 0 * max(" + (what == "[D]" ? "W" : "max(W, dim=-1)") + ", dim=-1)\n");
}

const Tensor& drawn(const std::vector<Tensor>& weights, const dsl::Model& model, const std::string& end) {
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (model.weights()[i].name.ends_with(end)) return weights[i];
  }
  FAIL("there is no weight ", end);
  return weights[0];
}

}  // namespace

TEST_CASE("weights are named by their place, or by the name of the item") {
  const std::string f = "    weights: {W: [D, D]}\n";
  CHECK(names(*tests::built(tests::around(f + "    out: x @ W\n"))) ==
        "model.0.embed.table[16, 8] model.1.residual.body.0.f.W[8, 8]");
  CHECK(names(*tests::built(composed("  - linear: {width: 4, bias: false}\n    name: mix\n"))) ==
        "model.0.embed.table[16, 4] model.mix.W[4, 4]");
  CHECK(
      names(*tests::built(composed("  - repeat: {times: 2, body: [rms_norm]}\n"))) ==
      "model.0.embed.table[16, 4] model.1.repeat[0].body.0.rms_norm.gain[4] model.1.repeat[1].body.0.rms_norm.gain[4]");
  CHECK(names(*tests::built(composed("  - repeat: {times: 2, tied: true, body: [rms_norm]}\n"))) ==
        "model.0.embed.table[16, 4] model.1.repeat.body.0.rms_norm.gain[4]");
  CHECK(names(*tests::built(composed("  - cycle: {times: 3, of: [rms_norm, tanh]}\n"))) ==
        "model.0.embed.table[16, 4] model.1.cycle[0].body.0.rms_norm.gain[4] model.1.cycle[2].body.0.rms_norm.gain[4]");
}

TEST_CASE("a second call of a def in one equation has weights of its own") {
  const auto model = tests::built(
      "schema: 1\ndefs:\n  g:\n    in: {z: [T, D]}\n    weights: {a: [D]}\n    out: z * a\n"
      "  f:\n    in: {x: [T, D]}\n    out: g(x) + g(g(x))\n"
      "model: [{embed: {width: 2}}, f, {logits: {tie: embed}}]\n");
  CHECK(names(*model) ==
        "model.0.embed.table[16, 2] model.1.f.out.g.a[2] model.1.f.out.g#2.a[2] model.1.f.out.g#3.a[2]");
}

TEST_CASE("what is shared exists once, wherever it is used") {
  CHECK(names(*tests::built(composed("  - repeat: {times: 3, body: [{share: {name: s, of: rms_norm}}]}\n"
                                     "  - share: {name: s}\n"))) ==
        "model.0.embed.table[16, 4] share.s.0.rms_norm.gain[4]");
}

TEST_CASE("shared weights of two sizes are an error") {
  dsl::Diagnostics d;
  CHECK(
      tests::build(
          composed("  - share: {name: s, of: [{linear: {width: 6}}]}\n  - share: {name: s}\n  - linear: {width: 4}\n"),
          d) == nullptr);
  REQUIRE(!d.empty());
  CHECK(d.sorted()[0]->code == "E0211");
}

TEST_CASE("a choice that is not taken makes no weights") {
  const std::string def =
      "    params: {gate: {type: bool, default: false}}\n    weights: {A: [D, D], B: [D]}\n"
      "    out: x @ A if gate else x * B\n";
  CHECK(names(*tests::built(tests::around(def))) == "model.0.embed.table[16, 8] model.1.residual.body.0.f.B[8]");
}

TEST_CASE("initialisers draw what they say") {
  const auto first = [](const std::string& init, const std::string& shape = "[D, 400]") {
    const auto model = tests::built(weight_of(shape, init));
    return drawn(model->initial_weights(3, DType::f64), *model, "f.W");
  };
  const auto deviation = [](const Tensor& t) {
    double sum = 0;
    for (const double x : t.values<double>()) sum += x * x;
    return std::sqrt(sum / static_cast<double>(t.size()));
  };
  const auto largest = [](const Tensor& t) {
    double most = 0;
    for (const double x : t.values<double>()) most = std::max(most, std::abs(x));
    return most;
  };
  // 3200 draws: their deviation is within 2.5 % of the true one but for one seed in twenty; this seed is fixed.
  CHECK(deviation(first("normal(0.02)")) == doctest::Approx(0.02).epsilon(0.05));
  CHECK(deviation(first("uniform(0.3)")) == doctest::Approx(0.3 / std::sqrt(3.0)).epsilon(0.05));
  CHECK(largest(first("uniform(0.3)")) <= 0.3);
  const double glorot = std::sqrt(6.0 / 408);
  CHECK(largest(first("xavier")) == doctest::Approx(glorot).epsilon(0.01));
  CHECK(largest(first("xavier(0.5)")) == doctest::Approx(glorot / 2).epsilon(0.01));
  CHECK(largest(first("")) == doctest::Approx(glorot).epsilon(0.01));  // the default from rank 2 up
  CHECK(largest(first("", "[D]")) == 0);                               // and below
  CHECK(largest(first("zeros")) == 0);
  CHECK(deviation(first("ones")) == 1);
  CHECK(deviation(first("1 / 4")) == 0.25);
  const Tensor q = first("orthogonal(2)", "[D, D]");
  for (i64 i = 0; i < 8; ++i) {
    for (i64 j = 0; j < 8; ++j) {
      double dot = 0;
      for (i64 k = 0; k < 8; ++k) dot += q.at(i * 8 + k) * q.at(j * 8 + k);
      CHECK(dot == doctest::Approx(i == j ? 4 : 0).scale(1));
    }
  }
}

// A QR decomposition whose signs are left as they come prefers one side: q_11 is then -0.28 on average for 8 columns.
TEST_CASE("orthogonal matrices are drawn evenly from all rotations and reflections") {
  const auto model =
      tests::built(tests::around("    weights: {W: {shape: [400, D, D], init: orthogonal}}\n"
                                 "    out: x + 0 * max(max(max(W, dim=-1), dim=-1), dim=-1)\n"));
  const Tensor q = drawn(model->initial_weights(3, DType::f64), *model, "f.W");
  for (i64 element = 0; element < 64; ++element) {
    double sum = 0;
    for (i64 m = 0; m < 400; ++m) sum += q.at(m * 64 + element);
    CHECK(std::abs(sum / 400) < 0.075);  // 64 means of 400 with deviation 1 / sqrt(8 * 400) = 0.018: four of them
  }
}

TEST_CASE("an initialiser may be an expression with a value for each element") {
  const auto model = tests::built(tests::contents(WEFT_SOURCE "/tests/models/descriptions/computed_init.yaml"));
  for (const u64 seed : {1, 2}) {
    const auto weights = model->initial_weights(seed, DType::f64);
    const Tensor &a = drawn(weights, *model, ".a"), &b = drawn(weights, *model, ".b"),
                 &c = drawn(weights, *model, ".c");
    for (i64 i = 0; i < 2; ++i) CHECK(a.at(i) == doctest::Approx(std::log(1 + i)).epsilon(1e-15));
    for (i64 i = 0; i < 6; ++i) CHECK(b.at(i) == doctest::Approx(std::exp(-(i % 3) / 3.0)).epsilon(1e-15));
    for (i64 i = 0; i < 6; ++i) CHECK(c.at(i) == std::sqrt(6.0));
  }
}

TEST_CASE("decay is for matrices, unless the weight says") {
  const auto model = tests::built(
      tests::around("    weights: {A: [D, D], B: {shape: [D, D], decay: false}, c: [D], e: {shape: [D], decay: true}}\n"
                    "    out: (x @ A @ B + c) * e\n"));
  std::string decayed;
  for (const dsl::Weight& w : model->weights()) decayed += w.decays ? w.name.back() : '-';
  CHECK(decayed == "eA--e");  // table, A, B, c, e
}

TEST_CASE("a buffer is drawn and not trained, and drawn anew when its time comes") {
  const auto model = tests::built(tests::around(
      "    weights: {W: [D, D], R: {shape: [D, D], init: normal(1), buffer: true, redraw: 3}, F: {shape: [D, D], buffer: true}}\n"
      "    out: relu(x @ W @ R) @ F\n"));
  const auto& all = model->weights();
  REQUIRE(all.size() == 4);
  CHECK(all[1].trained);
  CHECK((!all[2].trained && !all[2].decays && all[2].redraw == 3));
  CHECK((!all[3].trained && all[3].redraw == 0));

  auto weights = model->initial_weights(7, DType::f64);
  const tests::Step step = tests::step(*model, weights, tests::batch(2, 5));
  for (const double g : step.gradients[2].values<double>()) CHECK(g == 0);
  CHECK(tests::distance(step.gradients[1], Tensor::zeros({8, 8}, DType::f64)) > 0);

  const auto before = weights;
  std::string redrawn;
  for (i64 n = 1; n <= 8; ++n) {
    const Tensor last = weights[2];
    model->redraw(7, n, weights);
    redrawn += tests::distance(last, weights[2]) > 0 ? 'x' : '.';
  }
  CHECK(redrawn == "...x..x.");  // after 3 steps, and after 6
  for (const std::size_t kept : {0, 1, 3}) CHECK(tests::distance(before[kept], weights[kept]) == 0);
  auto again = before;
  model->redraw(7, 7, again);
  CHECK(tests::distance(again[2], weights[2]) == 0);  // the draw follows from seed and step alone
}
