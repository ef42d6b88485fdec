// Texts of all kinds, through the real program: byte pairs, folders, labels.
#include <doctest/doctest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/cli/program.h"
#include "train/checkpoint.h"
#include "train/tokenizer.h"

using namespace weft;
using namespace weft::cli;

namespace {

const char* const kPairs =
    "schema: 1\nname: pairs\nparams: {width: 16}\nmodel: [{embed: {width: width}}, {logits: {tie: embed}}]\n"
    "data: {text: {path: t.txt, tokenizer: bpe, vocab: 265}}\n"
    "train: {steps: 6, batch: 2, context: 8, save_every: 3, schedule: constant}\neval: {every: 3}\ngenerate: {tokens: 20}\n";

std::string state(const Desk& desk, const std::string& run, i64 step) {
  return train::read_file(train::checkpoint_file(desk / run / "checkpoints", step));
}

}  // namespace

TEST_CASE("byte pairs: trained, stored, resumed to the same bytes, evaluated in bits per byte, and written with") {
  Desk desk;
  desk.write("b.yaml", kPairs);
  const Finished whole = desk.run({"train", "b.yaml", "--run-dir", "whole"});
  CAPTURE(whole.err);
  REQUIRE(whole.exit == 0);
  CHECK(contains(whole.err, "tokens to learn from"));
  CHECK(contains(whole.err, "vocabulary 265"));
  CHECK(contains(whole.err, "bits per byte"));
  CHECK_FALSE(contains(whole.err, "unusual"));
  const auto stored = train::Tokenizer::from_json(desk.read("whole/tokenizer.json"), "run");
  CHECK(stored.vocab() == 265);
  CHECK(desk.run({"train", "b.yaml", "--run-dir", "part", "--set", "train.steps=3"}).exit == 0);
  CHECK(desk.run({"resume", "part", "--set", "train.steps=6"}).exit == 0);
  CHECK(state(desk, "whole", 6) == state(desk, "part", 6));

  const auto eval = nlohmann::json::parse(desk.run({"eval", "whole", "--json"}).out);
  CHECK(eval["unit"] == "token");
  CHECK(eval["bits_per_byte"].get<double>() < eval["bits"].get<double>());
  const Finished text = desk.run({"generate", "whole", "--prompt", "the cat é\xff", "--tokens", "30", "--json"});
  CHECK(text.exit == 0);
  CHECK(nlohmann::json::parse(text.out)["tokens"] == 30);
  CHECK(desk.run({"check", "b.yaml", "--set", "data.text.tokenizer=byte"}).exit == 2);
  CHECK(contains(desk.run({"check", "b.yaml", "--set", "data.text.tokenizer=byte"}).err,
                 "b.yaml:5:51: `vocab` is for `tokenizer: bpe`"));
}

TEST_CASE("a list of files and folders trains, and the run knows them by their absolute paths") {
  Desk desk;
  fs::create_directory(desk / "more");
  desk.write("more/a.txt", std::string(400, 'x') + "\r\n");
  desk.write("more/b.txt", "short");
  std::string description = kTiny;
  description.replace(description.find("path: t.txt"), 11, "path: [more, t.txt]");
  desk.write("m.yaml", description);
  const Finished f = desk.run({"train", "m.yaml", "--run-dir", "r"});
  CAPTURE(f.err);
  REQUIRE(f.exit == 0);
  CHECK(contains(f.err, "3 files of more and others"));
  CHECK(contains(f.err, "unusual in the text: 1 carriage return (more/a.txt, byte 400)"));
  CHECK(contains(desk.read("r/description.yaml"), (desk / "more").string()));
  CHECK(desk.run({"resume", "r", "--set", "train.steps=5"}).exit == 0);
  CHECK(desk.run({"eval", "r"}).exit == 0);
  const Finished one = desk.run({"check", "m.yaml", "--set", "data.text.path=more"});
  CHECK(contains(one.out, "2 files of more: 407 bytes"));
  CHECK(contains(one.err, "1 carriage return"));
  desk.write("more/b.txt", "shorn");
  const Finished changed = desk.run({"resume", "r", "--set", "train.steps=7"});
  CHECK(changed.exit == 4);
  CHECK(contains(changed.err, "the text is not the one"));
}

TEST_CASE("texts with labels are learned, and eval tells the share that is right under the classes of the run") {
  Desk desk;
  std::string lines;
  for (int i = 0; i < 200; ++i)
    lines += fmt::format("{{\"text\": \"{} {}\", \"label\": \"{}\"}}\n", i % 2 ? "aab" : "bba", i, i % 2 ? "a" : "b");
  desk.write("l.jsonl", lines);
  desk.write("l.yaml",
             "schema: 1\nname: labels\nmodel: [{use: std/gru, with: {D: 8, layers: 1}}]\n"
             "data: {jsonl: {path: l.jsonl, tokenizer: byte}}\n"
             "train: {steps: 60, batch: 8, optimizer: {adamw: {lr: 0.02}}, schedule: constant}\neval: {every: 30}\n");
  const Finished f = desk.run({"train", "l.yaml", "--run-dir", "r"});
  CAPTURE(f.err);
  REQUIRE(f.exit == 0);
  CHECK(contains(f.err, "180 texts to learn from, 20 to validate; classes a, b; vocabulary 256, 2 classes"));
  CHECK(contains(f.err, "% always the commonest class"));
  CHECK(contains(f.err, "next:\n  ./weft eval r\n"));
  const auto eval = nlohmann::json::parse(desk.run({"eval", "r", "--json"}).out);
  CHECK(eval["unit"] == "text");
  CHECK(eval["accuracy"].get<double>() > 0.9);
  // A file whose first class is the second one of the run.
  desk.write("b.jsonl", "{\"text\": \"bba 2\", \"label\": \"b\"}\n{\"text\": \"bba 8\", \"label\": \"b\"}\n");
  const auto other = nlohmann::json::parse(desk.run({"eval", "r", "--json", "--set", "data.jsonl.path=b.jsonl"}).out);
  CHECK(other["accuracy"] == 1.0);
  desk.write("c.jsonl", "{\"text\": \"x\", \"label\": \"c\"}\n{\"text\": \"y\", \"label\": \"c\"}\n");
  const Finished unknown = desk.run({"eval", "r", "--set", "data.jsonl.path=c.jsonl"});
  CHECK(unknown.exit == 4);
  CHECK(contains(unknown.err, "the label \"c\" is none of those that are learned: a, b"));
  CHECK(contains(desk.run({"generate", "r"}).err, "was trained to tell classes"));
  CHECK(desk.run({"check", "l.yaml", "--no-data"}).exit == 0);
  CHECK(desk.run({"resume", "r", "--set", "train.steps=62"}).exit == 0);
}
