#include <nlohmann/json.hpp>

#include "tests/dsl/front.h"

using namespace weft::dsl;

TEST_CASE("a diagnostic is laid out like rustc's") {
  const SourcePtr source = text_source("a: 1\nstate: g*S + outer(k, v)\n");
  Diagnostics diagnostics;
  diagnostics.error("E0203", {source, 17, 28}, "contraction dimensions differ")
      .note("S declared [H, 32]", Span{source, 0, 1})
      .note("k : [H, 64]")
      .help("set `d_key: 32`");
  CHECK(diagnostics.render(false) ==
        "error[E0203]: contraction dimensions differ\n"
        " --> test.yaml:2:13\n"
        "  |\n"
        "2 | state: g*S + outer(k, v)\n"
        "  |             ^^^^^^^^^^^\n"
        "  = note: S declared [H, 32] (test.yaml:1:1)\n"
        "  = note: k : [H, 64]\n"
        "  = help: set `d_key: 32`\n"
        "\n"
        "1 error\n");
}

TEST_CASE("tabs are expanded and carets count code points") {
  const SourcePtr source = text_source("é\té: x\n");
  Diagnostics diagnostics;
  diagnostics.warning("W0101", {source, 3, 5}, "unused");
  const std::string text = diagnostics.render(false);
  CHECK(text.find("1 | é   é: x\n  |     ^\n") != std::string::npos);
  CHECK(text.find("test.yaml:1:3") != std::string::npos);
  CHECK(!diagnostics.has_errors());
  CHECK(diagnostics.exit_code() == 0);
}

TEST_CASE("errors are sorted by position, shown once, and at most twenty") {
  const SourcePtr source = text_source(std::string(100, 'x'));
  Diagnostics diagnostics;
  for (int i = 30; i > 0; --i) diagnostics.error("E0201", {source, i, i + 1}, "unknown");
  diagnostics.error("E0201", {source, 30, 31}, "unknown");
  CHECK(diagnostics.sorted().size() == 30);
  CHECK(diagnostics.sorted()[0]->span.begin == 1);
  const std::string text = diagnostics.render(false);
  CHECK(text.find(":1:21\n") != std::string::npos);
  CHECK(text.find(":1:22\n") == std::string::npos);
  CHECK(text.find("10 errors more\n30 errors\n") != std::string::npos);
}

TEST_CASE("json tells the same as the text") {
  Diagnostics diagnostics;
  const SourcePtr source = text_source("a: bé\n");
  diagnostics.error("E0201", {source, 3, 6}, "unknown name \xff")
      .note("a fact", Span{source, 0, 1})
      .help("one")
      .help("two");
  const nlohmann::json first = diagnostics.json()["diagnostics"][0];
  CHECK(first["code"] == "E0201");
  CHECK(first["severity"] == "error");
  CHECK(first["message"] == "unknown name ?");
  CHECK(first["file"] == "test.yaml");
  CHECK(first["line"] == 1);
  CHECK(first["col"] == 4);
  CHECK(first["end_col"] == 6);
  CHECK(first["notes"][0] == "a fact (test.yaml:1:1)");
  CHECK(first["help"] == "one\ntwo");
  CHECK(!diagnostics.json().dump().empty());
}

TEST_CASE("control characters of a source never reach the terminal") {
  Diagnostics diagnostics;
  read_yaml(text_source("a: \x1b[31m"), diagnostics);
  CHECK(diagnostics.render(false).find('\x1b') == std::string::npos);
}

TEST_CASE("a very long line is shown around its caret") {
  Diagnostics diagnostics;
  diagnostics.error("E0201", {text_source(std::string(60000, 'x')), 50000, 50001}, "unknown");
  CHECK(diagnostics.render(false).size() < 800);
}

TEST_CASE("the exit code is the class that comes first: description, data, size") {
  Diagnostics diagnostics;
  diagnostics.error("E0001", {}, "no file");
  CHECK(diagnostics.exit_code() == 4);
  diagnostics.error("E0301", {}, "no key");
  CHECK(diagnostics.exit_code() == 2);
  CHECK_THROWS_AS(diagnostics.error("E9999", {}, ""), std::logic_error);
}

TEST_CASE("did-you-mean knows slips, swaps and other people's names, and nothing far off") {
  const std::vector<std::string> ops = {"rotate", "swish", "rms_norm", "stop_gradient", "outer", "sum"};
  CHECK(edit_distance("retain", "retina") == 2);
  CHECK(edit_distance("ab", "ba") == 1);
  CHECK(did_you_mean("rotat", ops) == "rotate");
  CHECK(did_you_mean("rotaet", ops) == "rotate");
  CHECK(did_you_mean("silu", ops) == "swish");
  CHECK(did_you_mean("RMSNorm", ops) == "rms_norm");
  CHECK(did_you_mean("detach", ops) == "stop_gradient");
  CHECK(did_you_mean("matmul", ops) == "@");
  CHECK(did_you_mean("bmm", ops) == "@");
  CHECK(did_you_mean("Outer", ops) == "outer");
  CHECK(did_you_mean("sun", ops) == "sum");
  CHECK(did_you_mean("x", ops).empty());
  CHECK(did_you_mean("completely_else", ops).empty());
  CHECK(did_you_mean("stop_gradXYZQ", {"stop_gradient"}).empty());  // four mistakes are no slip
  CHECK(did_you_mean(std::string(100000, 'x'), ops).empty());
  CHECK(guess_text("rotat", ops) == "did you mean `rotate`?");
  CHECK(listed({"a", "b", "c"}) == "`a`, `b` or `c`");
}
