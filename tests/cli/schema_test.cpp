// `weft schema`: what the checker accepts fits the schema, and wrong keys do not.
#include "tests/cli/json_schema.h"

#include <doctest/doctest.h>

#include "cli/work.h"
#include "tests/cli/program.h"

using namespace weft;
using namespace weft::cli;
using tests::Json;

namespace {

std::vector<fs::path> yaml_files(const std::string& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(std::string(WEFT_SOURCE) + "/" + folder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  return files;
}

tests::SchemaChecker checker(const Words& more = {}) {
  Words words = {"schema"};
  words.insert(words.end(), more.begin(), more.end());
  Desk desk;
  const Finished f = desk.run(words);
  REQUIRE(f.exit == 0);
  return tests::SchemaChecker(Json::parse(f.out));
}

Json tree_of(const fs::path& path) {
  dsl::Diagnostics d;
  return tests::plain_json(dsl::read_yaml(dsl::read_source(path.string(), d), d));
}

std::string fault_of(tests::SchemaChecker& checker, const std::string& text) {
  dsl::Diagnostics d;
  return checker.fault(tests::plain_json(dsl::read_yaml(dsl::make_source("m.yaml", text), d)));
}

}  // namespace

TEST_CASE("every description in the repository fits the schema, and that of its own") {
  tests::SchemaChecker all = checker();
  int count = 0;
  for (const char* folder : {"models", "examples", "tests/models/descriptions"}) {
    for (const fs::path& path : yaml_files(folder)) {
      CAPTURE(path.string());
      ++count;
      CHECK(all.fault(tree_of(path)) == "");
      tests::SchemaChecker own = checker({"--for", path.string()});
      CHECK(own.fault(tree_of(path)) == "");
    }
  }
  CHECK(count >= 50);
  CHECK(all.unknown.empty());
}

TEST_CASE("a key that the checker refuses does not fit the schema") {
  tests::SchemaChecker all = checker();
  int count = 0;
  for (const fs::path& path : yaml_files("tests/models/mistakes")) {
    fs::path answer = path;
    if (!fs::exists(answer.replace_extension(".txt"))) continue;
    const std::string said = train::read_file(answer);
    if (!contains(said, "error[E0301]") && !contains(said, "error[E0311]")) continue;
    CAPTURE(path.filename().string());
    CHECK(all.fault(tree_of(path)) != "");
    ++count;
  }
  CHECK(count >= 5);
  for (const std::string wrong : {"modle: []",
                                  "model: [{linear: {}, dropout: {}}]",
                                  "model: [{residual: {bdy: [f]}}]",
                                  "model: [residual]",
                                  "model: [{use: std/retnet, wiht: {}}]",
                                  "model: [{name: x}]",
                                  "model: [{inline: {params: {}}}]",
                                  "defs: {f: {ot: x}}",
                                  "defs: {f: {out: x, weights: {W: {shap: [D]}}}}",
                                  "params: {a: {typ: int}}",
                                  "train: {stepz: 3}",
                                  "train: {steps: 0}",
                                  "train: {steps: 1.5}",
                                  "train: {optimizer: {adamw: {lrr: 1}}}",
                                  "train: {schedule: {cosine: {}, linear: {}}}",
                                  "train: {groups: [{lr: 2}]}",
                                  "train: {groups: [{match: a, lrr: 2}]}",
                                  "data: {text: {tokenizer: words}}",
                                  "sweep: {gird: {}}",
                                  "defs: {f: {out: x, recurrence: {over: T, state: {}, read: {}}}}",
                                  "schema: 2"}) {
    CAPTURE(wrong);
    CHECK(fault_of(all, (wrong.starts_with("schema") ? "" : "schema: 1\n") + wrong) != "");
  }
  CHECK(fault_of(all, "model: [f]") == ": required");
}

TEST_CASE("what the tables say is there to hover over") {
  Desk desk;
  const Json schema = Json::parse(desk.run({"schema"}).out);
  CHECK(schema["$schema"] == "http://json-schema.org/draft-07/schema#");
  const Json steps = schema["properties"]["train"]["anyOf"][0]["properties"]["steps"];
  CHECK(steps["description"] == "Updates of the weights.");
  CHECK(steps["default"] == "1000");
  CHECK(contains(schema["definitions"]["layer.ffn"].dump(), "Two linear maps"));
  for (const char* hard : {"oneOf", "allOf", "\"if\"", "\"not\""}) CHECK_FALSE(contains(schema.dump(), hard));
}

TEST_CASE("the schema of one file knows its own layers and no others") {
  Desk desk;
  desk.write(
      "m.yaml",
      "schema: 1\nimport: {r: std/retnet}\nparams: {kind: {type: enum, choices: [parallel, auto], default: auto}}\n"
      "defs: {mix: {about: mixes, params: {n: {type: int, about: how much}}, in: {x: [T, D]}, out: x * n}}\n"
      "model: [{mix: {n: 2}}]\ntrain: {form: kind}\n");
  tests::SchemaChecker own = checker({"--for", (desk / "m.yaml").string()});
  CHECK(own.fault(tree_of(desk / "m.yaml")) == "");
  const auto with = [&](const std::string& item) { return fault_of(own, "schema: 1\nmodel: [" + item + "]\n"); };
  CHECK(with("{mix: {n: 3}, name: two}") == "");
  CHECK(with("{r.retention: {H: 2}}") == "");
  CHECK(with("swish") == "");
  CHECK(with("{inline: {defs: {g: {out: x}}, model: [g, {g: {a: 1}}]}}") == "");
  for (const char* wrong :
       {"mixx", "{mixx: {n: 2}}", "{mix: {m: 2}}", "{r.retentoin: {H: 2}}", "{dropout: {q: 0.1}}"}) {
    CAPTURE(std::string(wrong));
    CHECK(with(wrong) != "");
  }
  CHECK(desk.run({"schema", "--for", "none.yaml"}).exit == 4);
}
