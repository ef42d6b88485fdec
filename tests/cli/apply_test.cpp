// `init` and `apply` through the real program: what another program would compare itself with.
#include <nlohmann/json.hpp>

#include "tests/cli/applied.h"

using namespace weft;
using namespace weft::cli;

TEST_CASE("init writes the weights that show lists, with which train starts, the same for the same seed") {
  Desk desk;
  CHECK(desk.run({"init", "tiny.yaml", "--seed", "3", "--out", "w.safetensors"}).exit == 0);
  CHECK(desk.run({"train", "tiny.yaml", "--seed", "3", "--run-dir", "r", "--set", "train.steps=1"}).exit == 0);
  const train::Safetensors start(train::checkpoint_file(desk / "r/checkpoints", 0));
  const Tensors weights = taken(desk, "w.safetensors");
  const auto shown = nlohmann::json::parse(desk.run({"show", "tiny.yaml", "--params", "--json"}).out);
  REQUIRE(shown["tensors"].size() == weights.size());
  for (const auto& row : shown["tensors"]) {
    const std::string name = row["name"];
    REQUIRE(weights.contains(name));
    CHECK(nlohmann::json(weights.at(name).shape()) == row["shape"]);
    CHECK(same_bits(weights.at(name), start.load(*start.find(name))));
  }
  const std::string bytes = desk.read("w.safetensors");
  desk.run({"init", "tiny.yaml", "--seed", "3", "--out", "w.safetensors"});
  CHECK(desk.read("w.safetensors") == bytes);
  desk.run({"init", "tiny.yaml", "--seed", "4", "--out", "w.safetensors"});
  CHECK_FALSE(desk.read("w.safetensors") == bytes);
  CHECK(desk.run({"generate", "w.safetensors", "--tokens", "5"}).out.size() == 5);  // a model of step 0
}

TEST_CASE("apply gives logits, the mean loss of the counted targets, and gradients that differences confirm") {
  Desk desk;
  desk.write("model.yaml", std::string("schema: 1\nparams: {vocab: 7}\n") + (kDefs + std::string(kDefs).find("defs:")) +
                               "model: [{embed: {width: 4}}, gru, {logits: {tie: embed}}]\n");
  CHECK(desk.run({"init", "model.yaml", "--out", "w.safetensors", "--set", "train.dtype=f64"}).exit == 0);
  Tensors w = taken(desk, "w.safetensors");
  for (auto& [name, tensor] : w) tensor = drawn(tensor.shape(), 8, 0.7);
  put(desk, "w.safetensors", w);
  std::vector<i32> some(10, -1);
  some[2] = 4, some[9] = 0, some[5] = 6;
  const Tensors in = {{"tokens", tokens({2, 5}, 1, 7)}, {"targets", Tensor::of_indices(some, {2, 5})}};
  const Tensors out = applied(desk, "model.yaml", in, {"--weights", "w.safetensors", "--grad"});
  const Tensor& logits = out.at("logits");
  REQUIRE(logits.shape() == Shape{2, 5, 7});
  CHECK(logits.dtype() == DType::f64);
  double nats = 0;
  for (i64 i = 0; i < 10; ++i) {
    if (some[static_cast<std::size_t>(i)] < 0) continue;
    double sum = 0;
    for (i64 v = 0; v < 7; ++v) sum += std::exp(logits.at(i * 7 + v));
    nats += std::log(sum) - logits.at(i * 7 + some[static_cast<std::size_t>(i)]);
  }
  CHECK(out.at("loss").at(0) == doctest::Approx(nats / 3).epsilon(1e-13));
  for (const auto& [name, tensor] : w) {
    CAPTURE(name);
    const Tensor direction = drawn(tensor.shape(), 5);
    const auto loss = [&](double step) {
      Tensors changed = w;
      changed[name] = moved(tensor, direction, step);
      put(desk, "changed.safetensors", changed);
      return applied(desk, "model.yaml", in, {"--weights", "changed.safetensors"}).at("loss").at(0);
    };
    // A central difference at 1e-4 has an error of about 1e-8.
    CHECK(inner(out.at("grad." + name), direction) == doctest::Approx((loss(1e-4) - loss(-1e-4)) / 2e-4).epsilon(1e-6));
  }
  CHECK(applied(desk, "model.yaml", {{"tokens", in.at("tokens")}}, {"--weights", "w.safetensors"}).count("loss") == 0);
  const Tensors f32 = applied(desk, "model.yaml", in, {"--weights", "w.safetensors", "--dtype", "f32"});
  CHECK(f32.at("logits").dtype() == DType::f32);
  CHECK(distance(f32.at("logits"), logits) < 1e-5);
}

TEST_CASE("a def alone takes its inputs by name and gives out, final states and all gradients") {
  Desk desk;
  desk.write("defs.yaml", kDefs);
  const Words words = {"--def", "memory", "--weights", "w.safetensors"};
  CHECK(desk.run({"init", "defs.yaml", "--def", "memory", "-p", "D=4", "--out", "w.safetensors"}).exit == 0);
  Tensors w = taken(desk, "w.safetensors");
  CHECK(w.size() == 4);
  for (auto& [name, tensor] : w) tensor = drawn(tensor.shape(), tensor.shape().size(), 0.8);
  put(desk, "w.safetensors", w);
  const Tensors in = {{"x", drawn({3, 6, 4}, 1)},
                      {"scale", drawn({3, 4}, 2)},
                      {"initial.n", drawn({3, 2, 2}, 3)},
                      {"initial.S", drawn({3, 2, 2, 2}, 7)},
                      {"cotangent", drawn({3, 6, 4}, 4)},
                      {"cotangent.final.S", drawn({3, 2, 2, 2}, 5)},
                      {"cotangent.final.n", drawn({3, 2, 2}, 6)}};
  Words grad = words;
  grad.push_back("--grad");
  const Tensors out = applied(desk, "defs.yaml", in, grad);
  CHECK(out.at("out").shape() == Shape{3, 6, 4});
  CHECK(out.at("final.S").shape() == Shape{3, 2, 2, 2});
  CHECK(out.at("final.n").shape() == Shape{3, 2, 2});
  CHECK(distance(out.at("grad.S.init"), Tensor::zeros({2, 2, 2}, DType::f64)) == 0);  // another start was given
  const auto value = [&](const Tensors& from) {
    const Tensors o = applied(desk, "defs.yaml", from, words);
    return inner(o.at("out"), in.at("cotangent")) + inner(o.at("final.S"), in.at("cotangent.final.S")) +
           inner(o.at("final.n"), in.at("cotangent.final.n"));
  };
  for (const char* name : {"x", "scale", "initial.n", "initial.S"}) {
    CAPTURE(name);
    const Tensor direction = drawn(in.at(name).shape(), 9);
    const auto at = [&](double step) {
      Tensors changed = in;
      changed[name] = moved(in.at(name), direction, step);
      return value(changed);
    };
    CHECK(inner(out.at(std::string("grad.") + name), direction) ==
          doctest::Approx((at(1e-4) - at(-1e-4)) / 2e-4).epsilon(1e-6));
  }
}

TEST_CASE("a learned state starts every row, and its gradient is that of the rows together") {
  Desk desk;
  desk.write("defs.yaml", kDefs);
  const Tensors in = {{"x", drawn({3, 4, 4}, 1)}, {"scale", drawn({3, 4}, 2)}};
  CHECK(desk.run({"init", "defs.yaml", "--def", "memory", "-p", "D=4", "--out", "w.safetensors"}).exit == 0);
  Tensors w = taken(desk, "w.safetensors");
  w["S.init"] = drawn({2, 2, 2}, 3);
  put(desk, "w.safetensors", w);
  const Words words = {"--def", "memory", "--weights", "w.safetensors", "--grad"};
  const Tensors learned = applied(desk, "defs.yaml", in, words);
  std::vector<double> rows;
  for (int b = 0; b < 3; ++b) {
    for (i64 i = 0; i < 8; ++i) rows.push_back(w["S.init"].at(i));
  }
  Tensors given = in;
  given["initial.S"] = Tensor::from(rows, {3, 2, 2, 2}, DType::f64);
  given["initial.n"] = Tensor::full({3, 2, 2}, 0.5, DType::f64);
  const Tensors same = applied(desk, "defs.yaml", given, words);
  CHECK(same_bits(learned.at("out"), same.at("out")));
  CHECK(same_bits(learned.at("grad.initial.S"), same.at("grad.initial.S")));
  CHECK(same_bits(learned.at("grad.initial.n"), same.at("grad.initial.n")));
  for (i64 i = 0; i < 8; ++i) {
    double sum = 0;
    for (i64 b = 0; b < 3; ++b) sum += learned.at("grad.initial.S").at(b * 8 + i);
    CHECK(learned.at("grad.S.init").at(i) == doctest::Approx(sum).epsilon(1e-12));
  }
}

TEST_CASE("without weights they are drawn from the seed, which is said") {
  Desk desk;
  desk.write("defs.yaml", kDefs);
  put(desk, "in.safetensors", {{"x", drawn({1, 3, 4}, 1)}});
  const Words words = {"apply", "defs.yaml", "--def", "gru", "--in", "in.safetensors", "--out", "a.safetensors"};
  const Finished f = desk.run(words);
  CHECK(f.exit == 0);
  CHECK(f.err == "note: no --weights: they are drawn from seed 1\n");
  CHECK(f.out == "out      [1, 3, 4]  f32\nfinal.h  [1, 4]     f32\n");
  desk.run({"init", "defs.yaml", "--def", "gru", "-p", "D=4", "--seed", "1", "--out", "w.safetensors"});
  Words with = words;
  with.back() = "b.safetensors";
  with.insert(with.end(), {"--weights", "w.safetensors"});
  CHECK(desk.run(with).err.empty());
  CHECK(desk.read("a.safetensors") == desk.read("b.safetensors"));
}

TEST_CASE("prelude defs, a batch of integers, and sizes that only the tensors know") {
  Desk desk;
  desk.write("plain.yaml", "schema: 1\nparams: {vocab: 5}\nmodel: [{embed: {width: 3}}, {logits: {tie: embed}}]\n");
  const Tensors embedded =
      applied(desk, "plain.yaml", {{"tokens", tokens({2, 4}, 1, 5)}}, {"--def", "embed", "-p", "width=3"});
  CHECK(embedded.at("out").shape() == Shape{2, 4, 3});
  for (const Shape& front : {Shape{2}, Shape{2, 5}, Shape{2, 3, 5}}) {
    Shape in = front, out = front;
    in.push_back(4), out.push_back(6);
    const Tensors linear = applied(desk, "plain.yaml", {{"x", drawn(in, 1)}}, {"--def", "linear", "-p", "width=6"});
    CHECK(linear.at("out").shape() == out);
  }
}

TEST_CASE("dropout is off unless training is asked for, and then follows the seed") {
  Desk desk;
  desk.write("drop.yaml", "schema: 1\ndefs: {d: {in: {x: [T, D]}, out: \"dropout(x, 0.5)\"}}\n");
  const Tensors in = {{"x", drawn({2, 8, 16}, 1)}};
  const auto out = [&](const Words& more) {
    Words words = {"--def", "d"};
    words.insert(words.end(), more.begin(), more.end());
    return applied(desk, "drop.yaml", in, words).at("out");
  };
  CHECK(same_bits(out({}), in.at("x")));
  CHECK_FALSE(same_bits(out({"--train", "--seed", "1"}), in.at("x")));
  CHECK(same_bits(out({"--train", "--seed", "1"}), out({"--train", "--seed", "1"})));
  CHECK_FALSE(same_bits(out({"--train", "--seed", "1"}), out({"--train", "--seed", "2"})));
  put(desk, "in.safetensors", in);
  CHECK(desk.run({"apply", "drop.yaml", "--def", "d", "--in", "in.safetensors", "--out", "o", "--train"}).exit == 2);
}
