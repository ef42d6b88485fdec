// `weft check`: what a description is told about, and what is refused before a step.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

using namespace weft;
using namespace weft::cli;

TEST_CASE("a pattern that matches nothing is an error of the description, at its place") {
  Desk desk;
  desk.write("tiny.yaml", std::string(kTiny) + "\n");
  const Finished f = desk.run({"check", "tiny.yaml", "--set", "train.groups=[{match: '*.embd.*', lr: 0.1}]"});
  CHECK(f.exit == 2);
  CHECK(contains(f.err, "error[E0507]: `*.embd.*` matches no weight"));
  CHECK(contains(f.err, "weights have names such as `model.0.embed.table`"));
}

TEST_CASE("check tells weights, memory, cost and state, as a table and as JSON") {
  Desk desk;
  const Finished f = desk.run({"check", "tiny.yaml", "-v"});
  CHECK(f.exit == 0);
  CHECK(f.err.empty());
  // t.txt has the characters of "the cat sat on a mat.\n": 12 with space, point and line feed; 12 * 16 numbers.
  CHECK(f.out.starts_with("tiny\n  weights  192 in 1 tensors, 768 bytes\n  step     2 windows of 8 tokens: "));
  CHECK(contains(f.out, "a row, whatever the length\n"));
  // Two layers of two heads of 8 keys by 16 values; the transformer keeps keys and values of every position.
  const std::string sizes = "data: {text: {path: t.txt}}\n";
  desk.write("r.yaml", "schema: 1\nmodel: [{use: std/retnet, with: {D: 16, H: 2, layers: 2}}]\n" + sizes);
  desk.write("a.yaml", "schema: 1\nmodel: [{use: std/transformer, with: {D: 16, H: 2, layers: 2}}]\n" + sizes);
  CHECK(contains(desk.run({"check", "r.yaml"}).out, "  state    2.05 kB a row, whatever the length\n"));
  CHECK(contains(desk.run({"check", "a.yaml"}).out, "  state    grows with the length\n"));
  CHECK(contains(f.out, "  data     t.txt: "));
  CHECK(contains(f.out, "vocabulary 12\n  model.0.embed.table  [12, 16]\n"));
  CHECK_FALSE(contains(desk.run({"check", "tiny.yaml"}).out, "model.0"));
  const auto json = nlohmann::json::parse(desk.run({"check", "tiny.yaml", "-p", "width=4", "--json"}).out);
  CHECK(json["weights"] == 48);
  CHECK(json["fits"] == true);
  CHECK(json["tensors"][0]["shape"] == nlohmann::json({12, 4}));
  CHECK(json["flops_per_step"] > 0);
}

TEST_CASE("check needs no data when it is told not to look at them") {
  Desk desk;
  fs::remove(desk / "t.txt");
  CHECK(desk.run({"check", "tiny.yaml"}).exit == 4);
  CHECK(desk.run({"check", "tiny.yaml", "--no-data"}).exit == 0);
}

TEST_CASE("a description may come from standard input") {
  Desk desk;
  desk.input = kTiny;
  CHECK(contains(desk.run({"check", "-"}).out, "192 in 1 tensors"));
  desk.input = "modle: [x]\n";
  CHECK(contains(desk.run({"check", "-"}).err, "--> <stdin>:1:1"));
}

TEST_CASE("a warning is told and is no failure") {
  Desk desk;
  desk.write("tiny.yaml", std::string(kTiny) + "defs: {f: {in: {x: [T, D]}, let: {r: 2 * x}, out: x}}\n");
  const Finished text = desk.run({"check", "tiny.yaml"}), json = desk.run({"check", "tiny.yaml", "--json"});
  CHECK(text.exit == 0);
  CHECK(contains(text.err, "warning[W0101]"));
  CHECK(json.exit == 0);
  CHECK(json.err.empty());
  CHECK(contains(nlohmann::json::parse(json.out)["diagnostics"].dump(), "\"W0101\""));
}
