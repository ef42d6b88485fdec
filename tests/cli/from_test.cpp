// `train.from` and `train.freeze` as a user meets them: a run that starts from the weights of another.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"
#include "train/checkpoint.h"

using namespace weft;
using namespace weft::cli;

namespace {

const char* const kMixer = R"(schema: 1
defs:
  NAME:
    in: {x: [T, D]}
    weights: {Wa: {shape: [D, D]}, Wb: {shape: [D, D]}}
    out: swish(x @ Wa) @ Wb
model: [{embed: {width: 8}}, {repeat: {times: 2, body: [{residual: {body: [NAME]}}]}}, {logits: {tie: embed}}]
data: {text: {path: TEXT}}
eval: {every: 0}
generate: {tokens: 0}
train: {steps: 6, batch: 2, context: 8, save_every: 2TRAIN}
)";

std::string filled(std::string text, const std::string& what, const std::string& with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
  return text;
}

// A small model with a mixer of that name; `train` continues the section.
std::string mixer(const std::string& name, const std::string& train = "", const std::string& text = "t.txt") {
  return filled(filled(filled(kMixer, "NAME", name), "TRAIN", train), "TEXT", text);
}

// A desk with a run `r` of six steps.
struct Pretrained : Desk {
  Pretrained() {
    write("old.yaml", mixer("old"));
    REQUIRE(run({"train", "old.yaml", "--run-dir", "r"}).exit == 0);
  }
  std::map<std::string, Tensor> tensors(const std::string& name, i64 step) const {
    std::map<std::string, Tensor> all;
    for (auto& t : train::Safetensors(train::checkpoint_file(*this / name / "checkpoints", step)).load_all())
      all[t.name] = t.tensor;
    return all;
  }
  std::string bytes(const std::string& name) const {
    const auto steps = train::list_checkpoints(*this / name / "checkpoints");
    return train::read_file(train::checkpoint_file(*this / name / "checkpoints", steps.at(0)));
  }
  Finished started(const std::string& description, const std::string& run_dir, Words more = {}) {
    write("new.yaml", description);
    Words words = {"train", "new.yaml", "--run-dir", run_dir};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
};

std::string layer(int i, const std::string& weight) {
  return "model.1.repeat[" + std::to_string(i) + "].body.0.residual.body.0." + weight;
}

}  // namespace

TEST_CASE("a run starts from the weights of another, by name, in its own precision, and says and records it") {
  Pretrained desk;
  const Finished f = desk.started(mixer("old", ", from: r, dtype: f64"), "n", {"--set", "train.steps=1"});
  INFO(f.err);
  REQUIRE(f.exit == 0);
  const auto before = desk.tensors("r", 6), after = desk.tensors("n", 0);
  for (const auto& name : {std::string("model.0.embed.table"), layer(0, "old.Wa"), layer(1, "old.Wb")})
    CHECK(same_bits(after.at(name), before.at(name).converted(DType::f64)));
  CHECK(contains(f.err, "from: 5 of 5 tensors are those of "));
  CHECK(contains(f.err, "r/checkpoints/best.safetensors\n"));
  CHECK(contains(desk.read("n/log.jsonl"), R"({"event":"from","step":0,"detail":")"));
  CHECK(contains(desk.read("n/log.jsonl"), "best.safetensors (hash "));
  CHECK(desk.run({"check", "new.yaml"}).out.find("from: 5 of 5") != std::string::npos);
}

TEST_CASE("a path on the command line is relative to where the user stands, one in a file to the file") {
  Pretrained desk;
  std::filesystem::create_directory(desk / "sub");
  desk.write("sub/new.yaml", mixer("old", "", "../t.txt"));
  CHECK(desk.run({"check", "sub/new.yaml", "--set", "train.from=r"}).exit == 0);
  desk.write("sub/new.yaml", mixer("old", ", from: ../r", "../t.txt"));
  CHECK(desk.run({"check", "sub/new.yaml"}).exit == 0);
  CHECK(desk.run({"check", "sub/new.yaml", "--set", "train.from.missing=init"}).exit == 0);  // beside the shorthand
  const Finished f = desk.run({"check", "sub/new.yaml", "--set", "train.from=../r"});
  CHECK(f.exit == 4);
  CHECK(contains(f.err, "train.from: there is no such run or file of weights: "));
}

TEST_CASE("a map gives weights of the new model as expressions of those of the file, each of its own layer") {
  Pretrained desk;
  desk.write("m.map", "b: {Wa: 2 * Wb, Wb: Wa^T}\n");
  const Finished f = desk.started(mixer("new", ", from: {path: r, map: m.map}"), "n", {"--set", "train.steps=1"});
  INFO(f.err);
  REQUIRE(f.exit == 0);
  const auto before = desk.tensors("r", 6), after = desk.tensors("n", 0);
  for (const int i : {0, 1}) {
    const Tensor &a = before.at(layer(i, "old.Wa")), &b = before.at(layer(i, "old.Wb"));
    for (i64 row = 0; row < 8; ++row) {
      for (i64 column = 0; column < 8; ++column) {
        CHECK(after.at(layer(i, "new.Wa")).at(8 * row + column) == 2 * b.at(8 * row + column));
        CHECK(after.at(layer(i, "new.Wb")).at(8 * row + column) == a.at(8 * column + row));
      }
    }
  }
  CHECK(contains(f.err, ", 4 by the map "));
  desk.write("m.map", "a: {Wa: Wb}\n");
  const Finished other = desk.run({"check", "new.yaml"});
  CHECK(contains(other.err, "`train.from` reads the side `b` of a map"));
  desk.write("m.map", "b: {Wa: 2 * Wb + }\n");
  const Finished broken = desk.run({"check", "new.yaml"});
  CHECK(broken.exit == 2);
  CHECK(contains(broken.err, "m.map:1:"));
}

TEST_CASE(
    "what is missing or has another shape is listed at once, what is not used is named, and missing weights may be drawn") {
  Pretrained desk;
  const Finished f = desk.started(mixer("new", ", from: r"), "n");
  CHECK(f.exit == 4);
  for (const int i : {0, 1}) CHECK(contains(f.err, "\n  " + layer(i, "new.Wa") + " [8, 8]\n"));
  CHECK(contains(f.err, "train.from.missing=init draws them"));
  CHECK_FALSE(std::filesystem::exists(desk / "n"));
  const Finished wide = desk.started(filled(mixer("new", ", from: r"), "width: 8", "width: 6"), "n");
  CHECK(wide.exit == 4);
  CHECK(contains(wide.err, "of another shape:\n  model.0.embed.table is [12, 6] and gets [12, 8]\n"));
  CHECK(contains(wide.err, "not in the file:"));
  const Finished drawn =
      desk.started(mixer("new", ", from: {path: r, missing: init}"), "n", {"--set", "train.steps=1"});
  CHECK(drawn.exit == 0);
  CHECK(contains(drawn.err, "from: 1 of 5 tensors are those of"));
  CHECK(contains(drawn.err, "; 4 are drawn: " + layer(0, "new.Wa")));
  CHECK(contains(drawn.err, "note: not used: \"" + layer(0, "old.Wa") + "\""));
  desk.write("plain.yaml", mixer("new"));
  CHECK(desk.run({"train", "plain.yaml", "--run-dir", "p", "--set", "train.steps=1"}).exit == 0);
  CHECK(same_bits(desk.tensors("n", 0).at(layer(1, "new.Wb")), desk.tensors("p", 0).at(layer(1, "new.Wb"))));
}

TEST_CASE("resume needs the file and the map no more, and ends with the same bytes as a run that never stopped") {
  Pretrained desk;
  desk.write("m.map", "b: {Wa: Wb, Wb: Wa}\n");
  desk.write("few.txt", filled(desk.read("t.txt"), "mat", "hat"));  // fewer characters than the file knows
  const std::string description =
      mixer("new", ", schedule: constant, from: {path: r, map: m.map}, freeze: '*.Wa'", "few.txt");
  REQUIRE(desk.started(description, "whole").exit == 0);
  for (const char* steps : {"2", "3", "5"}) {
    const std::string run = std::string("to") + steps;
    REQUIRE(desk.started(description, run, {"--set", std::string("train.steps=") + steps}).exit == 0);
  }
  std::filesystem::rename(desk / "r", desk / "gone");
  std::filesystem::remove(desk / "m.map");
  for (const char* run : {"to2", "to3", "to5"}) {
    const Finished f = desk.run({"resume", run, "--set", "train.steps=6"});
    INFO(f.err);
    CHECK(f.exit == 0);
    CHECK(desk.tensors(run, 6).size() == desk.tensors("whole", 6).size());
    for (const auto& [name, tensor] : desk.tensors("whole", 6)) CHECK(same_bits(desk.tensors(run, 6).at(name), tensor));
    CHECK(contains(desk.read(std::string(run) + "/log.jsonl"), R"("event":"from")"));
  }
  CHECK(desk.run({"generate", "whole", "--tokens", "5"}).exit == 0);
  CHECK(desk.run({"eval", "whole"}).exit == 0);
}

TEST_CASE("the tokenizer of the weights is kept where it knows the new text, and else the fix is told") {
  Pretrained desk;
  desk.write("few.txt", filled(desk.read("t.txt"), "mat", "hat"));
  const Finished few = desk.started(mixer("old", ", from: r", "few.txt"), "n", {"--set", "train.steps=1"});
  INFO(few.err);
  CHECK(few.exit == 0);
  CHECK(train::Safetensors(train::checkpoint_file(desk / "n" / "checkpoints", 1)).metadata().at("tokenizer") ==
        train::Safetensors(train::checkpoint_file(desk / "r" / "checkpoints", 6)).metadata().at("tokenizer"));
  desk.write("more.txt", desk.read("t.txt") + "Z");
  const Finished more = desk.started(mixer("old", ", from: r", "more.txt"), "m");
  CHECK(more.exit == 4);
  CHECK(contains(more.err, "is 'Z' (U+005A), which is not among the"));
  CHECK(contains(more.err, "its tokenizer stays: take what it does not know out of the text"));
  const Finished byte = desk.started(mixer("old", ", from: r"), "m", {"--set", "data.text.tokenizer=byte"});
  CHECK(byte.exit == 4);
  CHECK(contains(byte.err, "leave `tokenizer` out"));
}

TEST_CASE("frozen weights keep their bits, have no memory in the checkpoint, and a step without them costs less") {
  Pretrained desk;
  const std::string frozen = mixer("old", ", freeze: ['*.embed.*', '*.Wa']");
  CHECK(desk.started(frozen, "n").exit == 0);
  const auto first = desk.tensors("n", 4), last = desk.tensors("n", 6);
  CHECK(same_bits(first.at(layer(0, "old.Wa")), last.at(layer(0, "old.Wa"))));
  CHECK(same_bits(first.at("model.0.embed.table"), last.at("model.0.embed.table")));
  CHECK_FALSE(same_bits(first.at(layer(0, "old.Wb")), last.at(layer(0, "old.Wb"))));
  CHECK(last.contains("adamw.first." + layer(0, "old.Wb")));
  CHECK_FALSE(last.contains("adamw.first." + layer(0, "old.Wa")));
  const auto check = [&](const std::string& file) {
    return nlohmann::json::parse(desk.run({"check", file, "--json"}).out).at("flops_per_step").get<double>();
  };
  CHECK(check("new.yaml") < 0.9 * check("old.yaml"));
  CHECK(contains(desk.run({"check", "new.yaml", "-v"}).out, layer(0, "old.Wa") + "  [8, 8]  (frozen)\n"));
  const Finished other = desk.run({"check", "new.yaml", "--set", "train.freeze=['*.Wc', '*.old.*']"});
  CHECK(other.exit == 2);
  CHECK(contains(other.err, "`*.Wc` matches no weight"));
  const Finished all = desk.run({"check", "new.yaml", "--set", "train.freeze='*'"});
  CHECK(all.exit == 2);
  CHECK(contains(all.err, "every weight is frozen: there is nothing to train"));
}
