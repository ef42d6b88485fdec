// `weft eval RUN --text FILE`: what a model makes of any text.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

using namespace weft;
using namespace weft::cli;
using Json = nlohmann::json;

TEST_CASE("the loss of a text is told in nats, as perplexity and in bits per byte, as validation computes it") {
  Desk desk;
  const std::string text = desk.read("t.txt"), half = text.substr(text.size() / 2);
  desk.write("tiny.yaml", std::string(kTiny).replace(std::string(kTiny).find("t.txt"), 5, "t.txt, val_fraction: 0.5"));
  CHECK(desk.run({"train", "tiny.yaml", "--run-dir", "r"}).exit == 0);
  desk.write("half.txt", half);
  fs::remove(desk / "t.txt");  // is not needed
  const Finished f = desk.run({"eval", "r", "--text", "half.txt", "--json"});
  CAPTURE(f.err);
  const Json json = Json::parse(f.out);
  const double nats = json["nats"];
  CHECK(json["targets"] == half.size() - 1);
  CHECK(json["perplexity"].get<double>() == doctest::Approx(std::exp(nats)));
  CHECK(json["bits_per_byte"].get<double>() == doctest::Approx(nats / std::log(2)));  // a byte a character
  desk.write("t.txt", text);
  CHECK(Json::parse(desk.run({"eval", "r", "--json"}).out)["nats"] == nats);
  const Finished plain = desk.run({"eval", "r", "--text", "half.txt"});
  CHECK(contains(plain.out, fmt::format("{:.4f} nats per character, perplexity {:.4f}, ", nats, std::exp(nats))));
  CHECK(contains(plain.out, fmt::format("over {} characters", half.size() - 1).insert(6, ",")));
}

TEST_CASE("bits per byte count the bytes of characters beyond ASCII") {
  Desk desk;
  std::string text;
  for (int i = 0; i < 400; ++i) text += i % 3 ? "é" : "ü";
  desk.write("t.txt", text);
  CHECK(desk.run({"train", "tiny.yaml", "--run-dir", "r"}).exit == 0);
  const Json json = Json::parse(desk.run({"eval", "r", "--text", "t.txt", "--json"}).out);
  CHECK(json["targets"] == 399);
  CHECK(json["bytes"] == 798);
  CHECK(json["bits_per_byte"].get<double>() == doctest::Approx(json["nats"].get<double>() / std::log(2) / 2));
}

TEST_CASE("a text that cannot be scored is refused with the numbers") {
  Desk desk;
  CHECK(desk.run({"train", "tiny.yaml", "--run-dir", "r"}).exit == 0);
  desk.write("parity.yaml",
             "schema: 1\nmodel: [{use: std/gru, with: {D: 8, layers: 1}}]\n"
             "data: {parity: {longest: 6, valid: 50}}\ntrain: {steps: 1, batch: 4}\n");
  desk.write("recall.yaml",
             "schema: 1\nmodel: [{use: std/gru, with: {D: 8, layers: 1}}]\n"
             "data: {mqar: {}}\ntrain: {steps: 1, batch: 2}\neval: {every: 0}\n");
  CHECK(desk.run({"train", "parity.yaml", "--run-dir", "classes"}).exit == 0);
  CHECK(desk.run({"train", "recall.yaml", "--run-dir", "task"}).exit == 0);
  desk.write("none.txt", "");
  desk.write("one.txt", "t");
  desk.write("other.txt", "the Q");
  const std::vector<std::tuple<std::string, std::string, int, std::string>> rows = {
      {"r", "none.txt", 4, "none.txt: has 0 characters, a loss needs at least 2"},
      {"r", "one.txt", 4, "one.txt: has 1 characters, a loss needs at least 2"},
      {"r", "other.txt", 4, "other.txt: character 5 is 'Q' (U+0051), which is not among the 12"},
      {"r", "gone.txt", 4, "gone.txt"},
      {"classes", "one.txt", 2, "the model tells the class of a sequence, there is no next token to score in one.txt"},
      {"task", "one.txt", 2, "holds no tokenizer to read one.txt by; a model that was trained on a task has none"},
  };
  for (const auto& [run, text, code, part] : rows) {
    const Finished f = desk.run({"eval", run, "--text", text});
    CAPTURE(f.err);
    CHECK(f.exit == code);
    CHECK(f.out.empty());
    CHECK(contains(f.err, part));
  }
}
