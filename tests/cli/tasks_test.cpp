// Data other than a text, through the real program.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"
#include "train/safetensors.h"

using namespace weft;
using namespace weft::cli;

namespace {

const std::string kParity =
    "schema: 1\nname: odd\nmodel: [{use: std/gru, with: {D: 8, layers: 1}}]\n"
    "data: {parity: {longest: 6, valid: 50}}\ntrain: {steps: 6, batch: 4, save_every: 3}\neval: {every: 3}\n";

}  // namespace

TEST_CASE("a task is trained, stopped, resumed to the same bytes, evaluated with its floors, and not written from") {
  Desk desk;
  desk.write("p.yaml", kParity);
  const Finished whole = desk.run({"train", "p.yaml", "--run-dir", "whole"});
  CAPTURE(whole.err);
  CHECK(whole.exit == 0);
  CHECK(
      contains(whole.err,
               "data: parity of 1 to 6 bits: ever new ones to learn from, 50 to validate; vocabulary 2, 2 classes\n"));
  CHECK(contains(whole.err, "plan: 6 steps of 4 windows of up to 6 tokens"));
  CHECK(contains(whole.err, " % of 50 sequences right\nwithout a network: 50.0 % chance\n"));
  CHECK(contains(whole.err, "next:\n  ./weft eval whole\n"));
  CHECK(desk.run({"train", "p.yaml", "--run-dir", "part", "--set", "train.steps=3"}).exit == 0);
  CHECK(desk.run({"resume", "part", "--set", "train.steps=6"}).exit == 0);
  // The first part followed a schedule of 3 steps: only a constant one gives the bytes of the whole.
  for (const char* steps : {"3", "6"}) {
    const std::vector<std::string> set = {"--set", std::string("train.steps=") + steps, "--set",
                                          "train.schedule=constant"};
    std::vector<std::string> train = {"train", "p.yaml", "--run-dir", std::string("constant") + steps};
    train.insert(train.end(), set.begin(), set.end());
    CHECK(desk.run(train).exit == 0);
  }
  CHECK(desk.run({"resume", "constant3", "--set", "train.steps=6"}).exit == 0);
  const char* kState = "checkpoints/step_0000006/state.safetensors";
  CHECK(desk.read(std::string("constant3/") + kState) == desk.read(std::string("constant6/") + kState));

  const auto json = nlohmann::json::parse(desk.run({"eval", "whole", "--json"}).out);
  CHECK(json["targets"] == 50);
  CHECK(json["unit"] == "sequence");
  CHECK(json["floors"][0]["accuracy"] == 0.5);
  CHECK(json["accuracy"].get<double>() >= 0);
  const Finished generate = desk.run({"generate", "whole"});
  CHECK(generate.exit == 2);
  CHECK(contains(generate.err, "was trained on a task, which has no text to write; ./weft eval whole"));
  const Finished other = desk.run({"resume", "whole", "--set", "train.steps=9", "--set", "data.parity.longest=7"});
  CHECK(other.exit == 2);
}

TEST_CASE("check tells how long the rows of a task are, and that a context is not read") {
  Desk desk;
  desk.write("p.yaml", kParity);
  const Finished check = desk.run({"check", "p.yaml", "--no-data"});
  CHECK(contains(check.out, "4 windows of 6 tokens"));
  const Finished context = desk.run({"check", "p.yaml", "--set", "train.context=64"});
  CHECK(context.exit == 0);
  CHECK(contains(context.err, "warning[W0103]: `context` is for a text: here rows are as long as the data"));
  CHECK(contains(context.err, "those of parity of 1 to 6 bits have up to 6 tokens"));
  const Finished carry = desk.run({"train", "p.yaml", "--set", "train.carry_state=true"});
  CHECK(carry.exit == 2);
  CHECK(contains(carry.err, "train.carry_state is for a text"));
}

TEST_CASE("verify holds a model that tells classes to what can be said of it") {
  Desk desk;
  desk.write("p.yaml", kParity);
  const Finished f = desk.run({"verify", "p.yaml"});
  CAPTURE(f.out);
  CHECK(f.exit == 0);
  CHECK(contains(f.out, "holds gradients"));
  CHECK(contains(f.out, "holds f32"));
  CHECK(contains(f.out, "the result has no T"));
}

TEST_CASE("apply takes the class of each row as target and gives scores of classes") {
  Desk desk;
  desk.write("p.yaml", kParity);
  const std::vector<i32> tokens = {1, 0, 1, 1, -1, -1}, classes = {0, 1};
  train::write_safetensors(
      desk / "in.safetensors",
      {{"tokens", Tensor::of_indices(tokens, {2, 3})}, {"targets", Tensor::of_indices(classes, {2})}}, {});
  const Finished f = desk.run({"apply", "p.yaml", "--in", "in.safetensors", "--out", "out.safetensors"});
  CAPTURE(f.err);
  CHECK(f.exit == 0);
  const train::Safetensors out(desk / "out.safetensors");
  CHECK(out.load(*out.find("logits")).shape() == Shape{2, 2});
  train::write_safetensors(
      desk / "wrong.safetensors",
      {{"tokens", Tensor::of_indices(tokens, {2, 3})}, {"targets", Tensor::of_indices(std::vector<i32>{0, 2}, {2})}},
      {});
  const Finished wrong = desk.run({"apply", "p.yaml", "--in", "wrong.safetensors", "--out", "out.safetensors"});
  CHECK(wrong.exit == 4);
  CHECK(contains(wrong.err, "targets holds 2, and there are 2 classes, from 0"));
}

TEST_CASE("the tasks of examples/ are descriptions without a fault") {
  Desk desk;
  int found = 0;
  for (const auto& entry : fs::directory_iterator(WEFT_SOURCE "/examples/tasks")) {
    CAPTURE(entry.path().string());
    if (entry.path().extension() != ".yaml") continue;  // what one of them learns from
    const Finished f = desk.run({"check", entry.path().string(), "--no-data"});
    CAPTURE(f.err);
    CHECK(f.exit == 0);
    CHECK(f.err.empty());
    ++found;
  }
  CHECK(found >= 8);
}
