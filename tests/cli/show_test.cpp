// `show`, `eval` and `doctor` through the real program.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "tests/cli/program.h"
#include "train/checkpoint.h"

using namespace weft;
using namespace weft::cli;

namespace {

using Json = nlohmann::json;

const std::string kRetNet = std::string(WEFT_SOURCE) + "/models/retnet.yaml";

void make_run(Desk& desk, const Words& more = {}) {
  Words words = {"train", "tiny.yaml", "--run-dir", "r"};
  words.insert(words.end(), more.begin(), more.end());
  REQUIRE(desk.run(words).exit == 0);
}

}  // namespace

TEST_CASE("show lists every weight with its shape, initialiser and count") {
  Desk desk;
  const Finished f = desk.run({"show", "tiny.yaml"});
  CHECK(f.exit == 0);
  CHECK(f.out == "model.0.embed.table  [12, 16]  normal(0.02)  192\n192 weights in 1 tensors\n");
  CHECK(desk.run({"show", "tiny.yaml", "--params", "-p", "width=2"}).out ==
        "model.0.embed.table  [12, 2]  normal(0.02)  24\n24 weights in 1 tensors\n");
  const auto json = Json::parse(desk.run({"show", "tiny.yaml", "--json"}).out);
  CHECK(json["weights"] == 192);
  CHECK(json["tensors"][0] == Json{{"name", "model.0.embed.table"},
                                   {"shape", {12, 16}},
                                   {"init", "normal(0.02)"},
                                   {"count", 192},
                                   {"decays", true},
                                   {"trained", true}});
  const Finished def = desk.run({"show", "std/retnet", "--def", "retention"});
  CHECK(contains(def.out, "Wo  [256, 128]  xavier(0.5)"));
  CHECK(contains(def.err, "note: H = 4, as the params of the file say\n"));
  CHECK(contains(def.err, "note: D = 128, as the params of the file say\n"));
  CHECK(contains(desk.run({"show", "std/layers", "--def", "rms_norm", "-p", "D=8"}).out,
                 "gain  [8]  ones  8  no decay\n"));
}

TEST_CASE("the resolved description says every default and trains to the same bytes") {
  Desk desk;
  const Finished f = desk.run({"show", "tiny.yaml", "--resolved", "-p", "width=8", "--set", "train.steps=2"});
  CHECK(f.exit == 0);
  for (const char* part : {"width: 8\n", "steps: 2\n", "dtype: f32\n", "weight_decay: 0.1\n", "val_fraction: 0.1\n",
                           "warmup: 100\n", "temperature: 0.8\n"}) {
    CAPTURE(part);
    CHECK(contains(f.out, part));
  }
  desk.write("resolved.yaml", f.out);
  CHECK(desk.run({"show", "resolved.yaml", "--resolved"}).out == f.out);
  CHECK(desk.run({"train", "tiny.yaml", "-p", "width=8", "--set", "train.steps=2", "--run-dir", "a"}).exit == 0);
  CHECK(desk.run({"train", "resolved.yaml", "--run-dir", "b"}).exit == 0);
  const auto weights = [&](const std::string& run) {
    return train::read_weights(train::checkpoint_file(desk / run / "checkpoints", 2)).tensors;
  };
  const auto a = weights("a"), b = weights("b");
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(same_bits(a[i].tensor, b[i].tensor));
  CHECK(desk.run({"show", "tiny.yaml", "--resolved", "--set", "train.stpes=2"}).exit == 2);
}

TEST_CASE("the graph has a box for every op, an oval for every input and weight, and balanced braces") {
  Desk desk;
  const Finished f = desk.run({"show", "tiny.yaml", "--graph"});
  CHECK(f.exit == 0);
  CHECK(f.out.starts_with("digraph \"tiny\" {\n"));
  CHECK(f.out.ends_with("}\n"));
  for (const char* part : {"label=\"tokens\\n[B, T]\"", "style=dotted, label=\"model.0.embed.table\\n[vocab, width]\"",
                           "label=\"embedding\\n[B, T, width]\"", "label=\"contract\\n[B, T, vocab]\"",
                           "tooltip=\"std/layers:", " -> n"}) {
    CAPTURE(part);
    CHECK(contains(f.out, part));
  }
  CHECK_FALSE(contains(f.out, "reshape"));
  CHECK(Json::parse(desk.run({"show", "tiny.yaml", "--graph", "--json"}).out)["dot"] == f.out);
}

TEST_CASE("the equations of retention are those of the paper") {
  Desk desk;
  const Finished f = desk.run({"show", kRetNet, "--equations"});
  CHECK(f.exit == 0);
  CHECK(contains(f.out, "retention(x [T, D])\n"));
  CHECK(contains(f.out, "  γ   = 1 - 2^(-5 - arange(H))\n"));
  CHECK(contains(f.out, "  q   = rotate(to_heads(x·Wq, H), θ)\n"));
  CHECK(contains(f.out, "  Sₜ  = γ ⊙ Sₜ₋₁ + kₜ ⊗ vₜ,  S₀ = 0 [H, dk, dv]\n"));
  CHECK(contains(f.out, "  yₜ  = qₜ·Sₜ\n"));
  CHECK(contains(f.out, "  out = (swish(x·Wg) ⊙ group_norm(merge_heads(y), H))·Wo\n"));
  CHECK(contains(f.out, "  S is decay, with forms for all positions at once\n"));
  CHECK(Json::parse(desk.run({"show", kRetNet, "--equations", "--json"}).out)["defs"][0]["def"] == "retention");
}

TEST_CASE("the equations of a fold are its token, its merge and its read") {
  Desk desk;
  const std::string out = desk.run({"show", "std/treefold", "--equations"}).out;
  for (const char* line : {"  c⁰ₜ = xₜ\n", "  lr  = concat(cₗ, cᵣ, dim=-1)\n", "  m   = relu(lr·W1 + b1)·W2 + b2\n",
                           "  c   = weighted_sum(p, cₗ, m, cᵣ) if gate == three else weighted_sum(p, cₗ, m)\n",
                           "  yₜ  = sum(c, dim=L) if readout == levels else prefix(c)\n",
                           "  neighbours merge level by level: cₗ and cᵣ are the nodes below, c⁰ those of tokens\n"}) {
    CAPTURE(line);
    CHECK(contains(out, line));
  }
}

TEST_CASE("show tells what a file of weights or a run holds, and finds damage") {
  Desk desk;
  make_run(desk);
  const Finished run = desk.run({"show", "r"});
  CHECK(run.exit == 0);
  CHECK(run.out.starts_with("r/checkpoints/best.safetensors\n  model.0.embed.table  [12, 16]  F32  "));
  CHECK(contains(run.out, "metadata\n"));
  CHECK(contains(run.out, "  seed              1\n"));
  const std::string file = "r/checkpoints/best.safetensors";
  const auto json = Json::parse(desk.run({"show", file, "--json"}).out);
  CHECK(json["tensors"][0]["shape"] == Json{12, 16});
  CHECK(json["tensors"][0]["crc32c"].get<std::string>().size() == 8);
  CHECK(json["metadata"]["format"] == "weft");
  std::string bytes = desk.read(file);
  bytes[bytes.size() - 5] = static_cast<char>(bytes[bytes.size() - 5] ^ 1);
  desk.write(file, bytes);
  const Finished damaged = desk.run({"show", file});
  CHECK(damaged.exit == 4);
  CHECK(contains(damaged.err, "\"model.0.embed.table\" is damaged"));
  CHECK(desk.run({"show", "r", "--graph"}).exit == 2);
  CHECK(desk.run({"show", "tiny.yaml", "--graph", "--params"}).exit == 2);
  CHECK(desk.run({"show", "missing.safetensors"}).exit == 4);
}

TEST_CASE("eval measures the whole validation text, as training did, beside the floors") {
  Desk desk;
  make_run(desk);
  const Finished text = desk.run({"eval", "r"});
  CHECK(text.exit == 0);
  CHECK(text.out.starts_with("weights of r/checkpoints/best.safetensors on "));
  CHECK(contains(text.out, "validation loss "));
  CHECK(contains(text.out, "2-gram); the model is "));
  const auto json = Json::parse(desk.run({"eval", "r", "--json"}).out);
  const double best = std::stod(train::Safetensors(desk / "r/checkpoints/best.safetensors").metadata().at("best_loss"));
  // best.safetensors was written with the loss that this evaluation must find again.
  CHECK(json["nats"].get<double>() == best);
  CHECK(json["bits"].get<double>() == doctest::Approx(best / std::numbers::ln2));
  const std::size_t n = desk.read("t.txt").size();  // ASCII: a token is a byte
  CHECK(json["targets"] == n - static_cast<std::size_t>(0.9 * static_cast<double>(n)) - 1);
  CHECK(json["floors"][0]["nats"].get<double>() == doctest::Approx(std::log(12)));
  const Finished moved = desk.run({"eval", (desk / "r/checkpoints/best.safetensors").string(), "tiny.yaml", "--json"});
  CHECK(Json::parse(moved.out)["nats"] == json["nats"]);
}

TEST_CASE("eval on another text says so, and what the vocabulary lacks is exit 4") {
  Desk desk;
  make_run(desk);
  desk.write("other.txt", std::string(400, 'a') + std::string(400, 't'));
  const Finished other = desk.run({"eval", "r", "--set", "data.text.path=other.txt"});
  CHECK(other.exit == 0);
  CHECK(contains(other.err, "note: other.txt is not the text that these weights were trained with\n"));
  desk.write("foreign.txt", std::string(800, 'z'));
  CHECK(desk.run({"eval", "r", "--set", "data.text.path=foreign.txt"}).exit == 4);
  CHECK(desk.run({"eval", "nothing"}).exit == 4);
}

TEST_CASE("eval of a run on the built-in text takes the run's own copy, or a path instead") {
  Desk desk;
  std::string tiny = kTiny;
  tiny.replace(tiny.find("path: t.txt"), 11, "builtin: weft");
  desk.write("tiny.yaml", tiny + "\n");
  make_run(desk, {"--set", "eval.every=0", "--set", "train.steps=1", "--set", "train.context=128"});
  const Finished own = desk.run({"eval", "r"});
  CHECK(own.exit == 0);
  CHECK(own.err.empty());
  const Finished path = desk.run({"eval", "r", "--set", "data.text.path=t.txt"});
  CHECK(path.exit == 0);
  CHECK(contains(path.err, "note: t.txt is not the text"));
}

TEST_CASE("the doctor tells a line about each thing, and exit 1 when one is wrong") {
  Desk desk;
  const Finished f = desk.run({"doctor"});
  CHECK(f.exit == 0);
  for (const char* what : {"weft ", "cpu ", "flags ", "loops ", "products ", "self-test ", "threads ", "memory ",
                           "disk ", "folder ", "libraries ", "data "}) {
    CAPTURE(what);
    CHECK((f.out.starts_with(what) || contains(f.out, std::string("\n") + what)));
  }
  CHECK_FALSE(contains(f.out, "BAD"));
  CHECK(Json::parse(desk.run({"doctor", "--json"}).out)["ok"] == true);
  desk.environment = {{"WEFT_DATA", "/nowhere"}};
  const Finished bad = desk.run({"doctor"});
  CHECK(bad.exit == 1);
  CHECK(contains(bad.out, "data       BAD  /nowhere -> WEFT_DATA names no folder"));
}
