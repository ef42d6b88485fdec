// `init` and `apply` through the real program: what another program would compare itself with.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "engine/key.h"
#include "tests/cli/program.h"
#include "train/checkpoint.h"

using namespace weft;
using namespace weft::cli;

namespace {

using Tensors = std::map<std::string, Tensor>;

Tensor drawn(const Shape& shape, u64 seed, double scale = 1) {
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = scale * normal(Key{seed}, i);
  return Tensor::from(values, shape, DType::f64);
}

Tensor tokens(const Shape& shape, u64 seed, i32 count) {
  std::vector<i32> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<i32>(bits(Key{seed}, i) % static_cast<u64>(count));
  return Tensor::of_indices(values, shape);
}

void put(const Desk& desk, const std::string& file, const Tensors& tensors) {
  std::vector<train::NamedTensor> list;
  for (const auto& [name, tensor] : tensors) list.push_back({name, tensor});
  train::write_safetensors(desk / file, list, {});
}

Tensors taken(const Desk& desk, const std::string& file) {
  Tensors tensors;
  for (auto& [name, tensor] : train::Safetensors(desk / file).load_all()) tensors[name] = tensor;
  return tensors;
}

// apply FILE on `in`, in f64 unless told otherwise; must succeed.
Tensors applied(Desk& desk, const std::string& file, const Tensors& in, const Words& more = {}) {
  put(desk, "in.safetensors", in);
  Words words = {"apply", file, "--in", "in.safetensors", "--out", "out.safetensors"};
  if (std::find(more.begin(), more.end(), "--dtype") == more.end()) words.insert(words.end(), {"--dtype", "f64"});
  words.insert(words.end(), more.begin(), more.end());
  const Finished f = desk.run(words);
  INFO(f.err);
  REQUIRE(f.exit == 0);
  return taken(desk, "out.safetensors");
}

double distance(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double worst = 0;
  for (i64 i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a.at(i) - b.at(i)));
  return worst;
}

double inner(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double sum = 0;
  for (i64 i = 0; i < a.size(); ++i) sum += a.at(i) * b.at(i);
  return sum;
}

Tensor moved(const Tensor& x, const Tensor& direction, double step) {
  std::vector<double> values;
  for (i64 i = 0; i < x.size(); ++i) values.push_back(x.at(i) + step * direction.at(i));
  return Tensor::from(values, x.shape(), DType::f64);
}

// Positions [from, to) of [B, T, ...].
Tensor cut(const Tensor& x, i64 from, i64 to) {
  const i64 B = x.shape()[0], T = x.shape()[1], rest = x.size() / (B * T);
  std::vector<double> values;
  for (i64 b = 0; b < B; ++b) {
    for (i64 i = (b * T + from) * rest; i < (b * T + to) * rest; ++i) values.push_back(x.at(i));
  }
  Shape shape = x.shape();
  shape[1] = to - from;
  return Tensor::from(values, shape, DType::f64);
}

// Two states, one of them learned; a decay from the data; an input without time.
const char* const kDefs =
    "schema: 1\n"
    "params: {H: 2}\n"
    "defs:\n"
    "  memory:\n"
    "    params: {H: int, keep: 0.9}\n"
    "    in: {x: [T, D], scale: [D]}\n"
    "    dims: {d: D / H}\n"
    "    weights: {Wk: {shape: [D, H * d]}, Wv: {shape: [D, H * d]}, Wa: {shape: [D, H]}}\n"
    "    let:\n"
    "      k: to_heads(x @ Wk, H)\n"
    "      v: to_heads(x * scale @ Wv, H)\n"
    "      a: sigmoid(x @ Wa)\n"
    "    recurrence:\n"
    "      over: T\n"
    "      state: {S: {shape: [H, d, d], learned: true}, n: {shape: [H, d], init: 0.5}}\n"
    "      step: {S: \"a * S + outer(k, v)\", n: \"keep * n + k\"}\n"
    "      read: {y: \"(k @ S) / maximum(abs(dot(k, n)), 1)\"}\n"
    "    out: merge_heads(y)\n"
    "  gru:\n"
    "    in: {x: [T, D]}\n"
    "    weights: {U: {shape: [D, D]}}\n"
    "    recurrence:\n"
    "      over: T\n"
    "      state: {h: [D]}\n"
    "      step: {h: tanh(h @ U + x)}\n"
    "      read: {y: h}\n"
    "    out: y\n"
    "  twice:\n"
    "    in: {x: [T, D]}\n"
    "    let: {a: gru(x)}\n"
    "    out: a + gru(2 * x)\n";

// States that the derived forms hold in another layout than the loop.
const char* const kMoreDefs =
    "  turning:\n"
    "    in: {x: [T, D]}\n"
    "    recurrence:\n"
    "      over: T\n"
    "      state: {S: {shape: [D, D], init: 0.3}}\n"
    "      step: {S: \"0.9 * rotate(S, 1 / (1 + arange(D / 2))) + outer(x, 0.5 * x)\"}\n"
    "      read: {y: x @ S}\n"
    "    out: y\n"
    "  delta:\n"
    "    in: {x: [T, D]}\n"
    "    let: {k: l2_norm(x)}\n"
    "    recurrence:\n"
    "      over: T\n"
    "      state: {S: [D, D]}\n"
    "      step: {S: \"S + 0.5 * outer(k, x - k @ S)\"}\n"
    "      read: {y: k @ S}\n"
    "    out: y\n"
    "  columns:\n"
    "    in: {x: [T, D]}\n"
    "    recurrence:\n"
    "      over: T\n"
    "      state: {S: [D, D]}\n"
    "      step: {S: \"0.8 * S + outer(2 * x, x)\"}\n"
    "      read: {y: S @ x}\n"
    "    out: y\n"
    "  last:\n"
    "    in: {x: [T, D]}\n"
    "    recurrence:\n"
    "      over: T\n"
    "      state: {S: [D]}\n"
    "      step: {S: \"3 * x\"}\n"
    "      read: {y: S}\n"
    "    out: y\n";

}  // namespace

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

TEST_CASE("a sequence may be cut: the final states of a part start the next, in any form") {
  struct Row {
    std::string def;
    std::vector<std::string> forms;
  };
  // `turning` is computed in a turning frame, `columns` with keys and values exchanged, `last` keeps nothing.
  const std::vector<Row> rows = {{"memory", {"recurrent", "chunkwise"}},
                                 {"gru", {"recurrent"}},
                                 {"twice", {"recurrent"}},
                                 {"turning", {"recurrent", "chunkwise", "parallel"}},
                                 {"delta", {"recurrent", "chunkwise"}},
                                 {"columns", {"recurrent", "chunkwise", "parallel"}},
                                 {"last", {"recurrent", "chunkwise"}}};
  Desk desk;
  desk.write("defs.yaml", std::string(kDefs) + kMoreDefs);
  const Tensor x = drawn({2, 9, 4}, 1), scale = drawn({2, 4}, 2);
  for (const auto& [def, forms] : rows) {
    CAPTURE(def);
    const auto run = [&](Tensors in, const std::string& form) {
      if (def == "memory") in["scale"] = scale;
      return applied(desk, "defs.yaml", in, {"--def", def, "--form", form});
    };
    const Tensors whole = run({{"x", x}}, "auto");
    const Tensors first = run({{"x", cut(x, 0, 4)}}, "recurrent");
    Tensors rest = {{"x", cut(x, 4, 9)}};
    for (const auto& [name, tensor] : first) {
      if (name.starts_with("final.")) rest["initial." + name.substr(6)] = tensor;
    }
    REQUIRE(rest.size() > 1);
    for (const std::string& form : forms) {
      CAPTURE(form);
      const Tensors second = run(rest, form);
      // f64: nine positions, sums of a few terms.
      CHECK(distance(cut(whole.at("out"), 4, 9), second.at("out")) < 1e-12);
      for (const auto& [name, tensor] : first) {
        if (name.starts_with("final.")) CHECK(distance(whole.at(name), second.at(name)) < 1e-12);
      }
    }
  }
}

TEST_CASE("states of every class are those of the loop, whose gradients agree, too") {
  Desk desk;
  desk.write("defs.yaml", std::string(kDefs) + kMoreDefs);
  const Tensor x = drawn({2, 5, 4}, 1);
  for (const auto& [def, state] : std::map<std::string, Shape>{
           {"turning", {2, 4, 4}}, {"delta", {2, 4, 4}}, {"columns", {2, 4, 4}}, {"last", {2, 4}}}) {
    CAPTURE(def);
    // 0 * tanh(S) is nonlinear to the classifier and changes nothing: it sends the recurrence to the loop.
    std::string text = desk.read("defs.yaml");
    const auto step = text.find("step: {S: \"", text.find("  " + def + ":\n"));
    REQUIRE(step != std::string::npos);
    desk.write("loop.yaml", text.insert(step + 11, "0 * tanh(S) + "));
    const Tensors in = {{"x", x},
                        {"initial.S", drawn(state, 3)},
                        {"cotangent.final.S", drawn(state, 4)},
                        {"cotangent", drawn({2, 5, 4}, 5)}};
    const Tensors a = applied(desk, "defs.yaml", in, {"--def", def, "--grad"}),
                  b = applied(desk, "loop.yaml", in, {"--def", def, "--grad"});
    REQUIRE(a.size() == b.size());
    for (const auto& [name, tensor] : a) {
      CAPTURE(name);
      CHECK(distance(tensor, b.at(name)) < 1e-12);
    }
  }
}

TEST_CASE("states of defs that are called have a path, two calls two of them") {
  Desk desk;
  desk.write("defs.yaml", kDefs);
  const Tensors out = applied(desk, "defs.yaml", {{"x", drawn({1, 3, 4}, 1)}}, {"--def", "twice", "--grad"});
  for (const char* name :
       {"final.a.gru.h", "final.out.gru.h", "grad.a.gru.U", "grad.out.gru.U", "grad.initial.a.gru.h"}) {
    CAPTURE(name);
    CHECK(out.contains(name));
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

TEST_CASE("tensors that do not fit are listed all at once, with exit 4") {
  Desk desk;
  desk.write("defs.yaml", kDefs);
  desk.write("plain.yaml", "schema: 1\nparams: {vocab: 5}\nmodel: [{embed: {width: 3}}, {logits: {tie: embed}}]\n");
  const Tensor x = drawn({2, 3, 4}, 1), scale = drawn({2, 4}, 1);
  struct Row {
    std::string file, def;
    Tensors in;
    std::vector<std::string> parts;
  };
  const std::vector<Row> rows = {
      {"defs.yaml", "memory", {{"y", x}}, {"missing: x, [T, D] behind a batch", "missing: scale", "unknown: y"}},
      {"defs.yaml",
       "memory",
       {{"x", x}, {"scale", scale}, {"initial.s", x}, {"cotangnt", x}},
       {"unknown: initial.s; did you mean `initial.S`?", "unknown: cotangnt; did you mean `cotangent`?"}},
      {"defs.yaml",
       "memory",
       {{"x", x}, {"scale", drawn({3, 4}, 1)}},
       {"scale is [3, 4], and [B, 4] is taken (B = 2, T = 3)"}},
      {"defs.yaml",
       "memory",
       {{"x", x}, {"scale", drawn({2, 5}, 1)}},
       {"the input `scale` is [2, 5]", "D is 4, not 5"}},
      {"defs.yaml", "memory", {{"x", scale}, {"scale", scale}}, {"the input `x` is [2, 4]", "that are 3 dimensions"}},
      {"defs.yaml", "gru", {{"x", tokens({2, 3, 4}, 1, 5)}}, {"x holds whole numbers, and real ones are taken"}},
      {"defs.yaml", "gru", {{"x", x}, {"initial.h", x}}, {"initial.h is [2, 3, 4], and [B, D] is taken"}},
      {"plain.yaml", "", {{"targets", tokens({2, 3}, 1, 5)}}, {"missing: tokens [B, T]"}},
      {"plain.yaml", "", {{"tokens", tokens({2, 3}, 1, 9)}}, {"tokens holds ", "the vocabulary has 5 tokens"}},
      {"plain.yaml",
       "",
       {{"tokens", tokens({2, 3}, 1, 5)}, {"targets", tokens({2, 4}, 1, 5)}},
       {"targets is [2, 4], and [B, T] is taken (B = 2, T = 3)"}},
      {"plain.yaml", "", {{"tokens", x}}, {"tokens holds real numbers"}},
  };
  for (const Row& row : rows) {
    put(desk, "in.safetensors", row.in);
    Words words = {"apply", row.file, "--in", "in.safetensors", "--out", "o.safetensors"};
    if (!row.def.empty()) words.insert(words.end(), {"--def", row.def});
    const Finished f = desk.run(words);
    CAPTURE(f.err);
    CHECK(f.exit == 4);
    for (const std::string& part : row.parts) {
      CAPTURE(part);
      CHECK(contains(f.err, part));
    }
    CHECK_FALSE(fs::exists(desk / "o.safetensors"));
  }
  put(desk, "in.safetensors", {{"x", x}});
  put(desk, "w.safetensors", {{"V", drawn({4, 4}, 1)}});
  const Finished f = desk.run(
      {"apply", "defs.yaml", "--def", "gru", "--weights", "w.safetensors", "--in", "in.safetensors", "--out", "o"});
  CHECK(f.exit == 4);
  CHECK(contains(f.err, "missing: U\n  not in the model: \"V\""));
}

TEST_CASE("what apply cannot be asked is exit 2") {
  Desk desk;
  desk.write("defs.yaml", kDefs);
  put(desk, "in.safetensors", {{"x", drawn({1, 3, 4}, 1)}});
  const std::vector<std::pair<Words, std::string>> rows = {
      {{"--def", "gruu"}, "the description has no def `gruu`; did you mean `gru`?"},
      {{"--def", "gru", "--form", "parallel"}, "the parallel (`train.form`) form cannot be derived here"},
      {{"--def", "gru", "-p", "width=4"}, "the description has no param `width`"},
      {{"--def", "memory", "-p", "H=x"}, "`x`"},
      {{}, "there is no `model`"},
  };
  for (const auto& [more, part] : rows) {
    Words words = {"apply", "defs.yaml", "--in", "in.safetensors", "--out", "o.safetensors"};
    words.insert(words.end(), more.begin(), more.end());
    if (part == "`x`") put(desk, "in.safetensors", {{"x", drawn({1, 3, 4}, 1)}, {"scale", drawn({1, 4}, 1)}});
    const Finished f = desk.run(words);
    CAPTURE(f.err);
    CHECK(f.exit == 2);
    CHECK(contains(f.err, part));
  }
  desk.write("broken.yaml", "schema: 1\nmodle: []\n");
  const Finished broken = desk.run({"apply", "broken.yaml", "--in", "missing.safetensors", "--out", "o"});
  CHECK(broken.exit == 2);  // the description before the data
  CHECK(desk.run({"apply", "defs.yaml", "--in", "missing.safetensors", "--out", "o"}).exit == 4);
  const Finished init = desk.run({"init", "defs.yaml", "--def", "gru", "--out", "w.safetensors"});
  CHECK(init.exit == 2);
  CHECK(contains(init.err, "the size `D` of the input `x` is not known"));
  CHECK(contains(init.err, "give it by `-p D=64`"));
}
