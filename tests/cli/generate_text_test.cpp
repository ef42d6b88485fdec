// `weft generate` as a person uses it: where the text goes, what it needs, what it cannot do.
#include <doctest/doctest.h>

#include "tests/cli/program.h"

using namespace weft;
using namespace weft::cli;

TEST_CASE("generated text goes to stdout alone, the same for the same seed, a shorter one a prefix") {
  Desk desk;
  desk.run({"train", "tiny.yaml", "--run-dir", "r"});
  const Finished a = desk.run({"generate", "r", "--prompt", "the ", "--tokens", "40"});
  CHECK(a.exit == 0);
  CHECK(a.out.size() == 40);
  CHECK(a.err.empty());
  CHECK(desk.run({"generate", "r", "--prompt", "the ", "--tokens", "40"}).out == a.out);
  CHECK(desk.run({"generate", "r", "--prompt", "the ", "--tokens", "15"}).out == a.out.substr(0, 15));
  CHECK(desk.run({"generate", "r", "--prompt", "the ", "--tokens", "40", "--seed", "9"}).out != a.out);
  CHECK(desk.run({"generate", "r"}).out.size() == 20);  // as the description says
  const std::string likeliest = desk.run({"generate", "r", "--temperature", "0"}).out;
  CHECK(desk.run({"generate", "r", "--top-k", "1"}).out == likeliest);
  CHECK(desk.run({"generate", "r", "--top-p", "1e-9"}).out == likeliest);
  CHECK(desk.run({"generate", (desk / "r/checkpoints/best.safetensors").string()}).out.size() == 20);
  const Finished document = desk.run({"generate", "r", "--prompt", "the ", "--tokens", "40", "--json"});
  const auto json = nlohmann::json::parse(document.out);
  CHECK(json["text"] == a.out);
  CHECK(json["prompt"] == "the ");
}

TEST_CASE("generation needs neither the folder it was trained in nor its text") {
  Desk desk;
  desk.run({"train", "tiny.yaml", "--run-dir", "r"});
  const std::string text = desk.run({"generate", "r"}).out;
  Desk elsewhere;
  fs::remove(desk / "t.txt");
  CHECK(elsewhere.run({"generate", (desk / "r").string()}).out == text);
}

TEST_CASE("on a terminal the prompt is shown before the text, dimmed") {
  Desk desk;
  desk.run({"train", "tiny.yaml", "--run-dir", "r"});
  desk.terminal = true;
  const Finished f = desk.run({"generate", "r", "--prompt", "the ", "--tokens", "5"});
  CHECK(f.exit == 0);
  CHECK(f.out.starts_with("\x1b[2mthe \x1b[0m"));
  CHECK(f.out.ends_with("\r\n"));
}

TEST_CASE("what generation cannot do is exit 2") {
  Desk desk;
  desk.run({"train", "tiny.yaml", "--run-dir", "r"});
  const std::vector<std::pair<Words, std::string>> rows = {
      {{"--prompt", "ZEBRA"}, "the prompt: character 1 is 'Z' (U+005A), which is not among the 12"},
      {{"--prompt", ""}, "generate.prompt must hold at least one character"},
      {{"--top-p", "2"}, "generate.top_p must be above 0 and at most 1 (2)"},
      {{"--tokens", "-4"}, "generate.tokens must be 0 or more (-4)"},
  };
  for (const auto& [words, part] : rows) {
    Words all = {"generate", "r"};
    all.insert(all.end(), words.begin(), words.end());
    const Finished f = desk.run(all);
    CAPTURE(f.err);
    CHECK(f.exit == 2);
    CHECK(f.out.empty());
    CHECK(contains(f.err, part));
  }
}
