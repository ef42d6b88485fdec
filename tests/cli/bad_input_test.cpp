// What a person gets wrong, one row each: the exit code, and a message that says where and what to do.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

using namespace weft;
using namespace weft::cli;

namespace {

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

struct Row {
  const char* from;  // what of the tiny description is replaced
  const char* to;
  int exit;
  std::vector<std::string> parts;  // of the message
};

}  // namespace

TEST_CASE("a wrong description is told with its place, a code and what may have been meant") {
  const std::vector<Row> rows = {
      {"train:", "trian:", 2, {"error[E0301]", "--> tiny.yaml:6:1", "did you mean `train`?"}},
      {"steps: 3", "step: 3", 2, {"error[E0301]", "tiny.yaml:6:9", "did you mean `steps`?"}},
      {"steps: 3", "steps: many", 2, {"error[E0201]", "tiny.yaml:6:16"}},
      {"steps: 3", "steps: 0", 2, {"error[E0503]", "`steps` must be at least 1, not 0"}},
      {"context: 8", "dtype: f16", 2, {"error[E0504]", "choices are `f32` or `f64`"}},
      {"train: {", "train: [", 2, {"error[E0103]"}},
      {"schema: 1\n", "", 2, {"error[E0302]", "tiny.yaml:1:1", "begin it with `schema: 1`"}},
      {"schema: 1", "schema: 7", 2, {"error[E0314]"}},
      {"tie: embed", "tie: embde", 2, {"error[E0211]"}},
      {"{embed: ", "{embde: ", 2, {"embde", "did you mean `embed`?"}},
      {"width: width", "widht: width", 2, {"error[E0404]", "did you mean `width`?"}},
      {"path: t.txt", "path: gone.txt", 4, {"gone.txt: there is no such file"}},
      {"path: t.txt", "path: none", 4, {"none: has no files"}},
      {"path: t.txt", "path: /dev/null", 4, {"is a pipe or a device"}},
      {"path: t.txt", "tokenizer: char", 2, {"needs a `path` or a `builtin`"}},
      {"path: t.txt", "path: t.txt, builtin: weft", 2, {"exclude each other"}},
      {"context: 8", "context: 9000", 4, {"the training part has", "a context of 9000 needs at least 9001"}},
      {"batch: 2", "batch: 1000000000", 6, {"a step needs", "make train.batch or train.context smaller"}},
      {"name: tiny", "name: tiny\n---\nname: more", 2, {"error[E0108]"}},
  };
  Desk desk;
  fs::create_directory(desk / "none");
  for (const Row& row : rows) {
    CAPTURE(row.to);
    desk.write("tiny.yaml", replaced(kTiny, row.from, row.to));
    for (const char* verb : {"check", "train"}) {
      const Finished f = desk.run({verb, "tiny.yaml"});
      CHECK(f.exit == row.exit);
      CHECK((f.out.empty() || row.exit == 6));  // check tells the cost before its verdict
      for (const std::string& part : row.parts) {
        CAPTURE(f.err);
        CHECK(contains(f.err, part));
      }
    }
    CHECK_FALSE(fs::exists(desk / "runs"));
    const Finished json = desk.run({"check", "tiny.yaml", "--json"});
    CHECK(json.exit == row.exit);
    CHECK(json.err.empty());
    const auto document = nlohmann::json::parse(json.out);
    if (row.exit == 6) CHECK(document["fits"] == false);
    else CHECK(document["errors"] >= 1);
  }
}

TEST_CASE("an override that fits nowhere is told with its place in the word") {
  struct Override {
    Words words;
    std::vector<std::string> parts;
  };
  const std::vector<Override> rows = {
      {{"--set", "train.step=3"}, {"error[E0505]", "<--set #1>:1:7", "did you mean `steps`?"}},
      {{"--set", "batch=3"}, {"error[E0505]", "the description has no `batch`"}},
      {{"--set", "train.width=3"}, {"`train` has no `width`"}},
      {{"--set", "train.steps"}, {"`--set` needs a path and a value"}},
      {{"--set", "train.steps=x"}, {"error[E0201]"}},
      {{"-p", "widht=3"}, {"the description has no param `widht`", "did you mean `width`?"}},
      {{"--seed", "-1"}, {"`seed` must be at least 0"}},
      {{"--set", "train.seed=2", "--set", "data.path=x"}, {"<--set #2>:1:6"}},
  };
  Desk desk;
  for (const Override& row : rows) {
    Words words = {"check", "tiny.yaml"};
    words.insert(words.end(), row.words.begin(), row.words.end());
    const Finished f = desk.run(words);
    CAPTURE(f.err);
    CHECK(f.exit == 2);
    for (const std::string& part : row.parts) CHECK(contains(f.err, part));
  }
}

TEST_CASE("several errors are told in one pass, and those of the description before those of the data") {
  Desk desk;
  desk.write("tiny.yaml", replaced(replaced(replaced(kTiny, "steps: 3", "step: 3"), "tie: embed", "tie: mebed"),
                                   "path: t.txt", "path: gone.txt"));
  const Finished f = desk.run({"check", "tiny.yaml"});
  CHECK(f.exit == 2);
  CHECK(contains(f.err, "E0211"));
  CHECK(contains(f.err, "E0301"));
  CHECK_FALSE(contains(f.err, "gone.txt"));
}

TEST_CASE("a file or a run that is not there is exit 4") {
  Desk desk;
  fs::create_directory(desk / "empty");
  const std::vector<std::pair<Words, std::string>> rows = {
      {{"check", "gone.yaml"}, "error[E0001]: cannot read `gone.yaml`: there is no such file"},
      {{"train", "gone.yaml"}, "error[E0001]"},
      {{"check", "empty"}, "it is a folder"},
      {{"resume", "gone"}, "gone: there is no such run"},
      {{"resume", "empty"}, "empty: is not the folder of a run"},
      {{"generate", "gone"}, "gone: there is no such run or file of weights"},
      {{"generate", "empty"}, "empty: has no weights"},
      {{"generate", "t.txt"}, "t.txt: "},
      {{"train", "tiny.yaml", "--run-dir", "t.txt/run"}, "t.txt"},
      {{"train", "tiny.yaml", "--run-dir", "t.txt"}, "t.txt: is not a folder"},
      {{"train", "tiny.yaml", "--run-dir", "/proc/weft"}, "/proc/weft"},
  };
  for (const auto& [words, part] : rows) {
    const Finished f = desk.run(words);
    CAPTURE(f.err);
    CHECK(f.exit == 4);
    CHECK(f.out.empty());
    CHECK(contains(f.err, part));
    Words json = words;
    json.push_back("--json");
    CHECK(nlohmann::json::parse(desk.run(json).out)["errors"] == 1);
  }
}
