#include "tests/dsl/front.h"

using namespace weft::dsl;

namespace {

struct Evaluated {
  Diagnostics diagnostics;
  Scope scope;
  std::string at(const std::string& name) const {
    const auto found = scope.find(name);
    return found == scope.end() || !found->second ? "nothing" : value_text(*found->second);
  }
};

Evaluated params(const std::string& yaml, const std::vector<std::pair<std::string, std::string>>& given = {}) {
  Evaluated result;
  const Yaml tree = read_yaml(text_source(yaml), result.diagnostics);
  std::vector<Argument> arguments;
  for (const auto& [name, text] : given) {
    const Yaml value = plain_scalar(text);
    arguments.push_back({name, value.span, parse_expression(value, result.diagnostics)});
  }
  result.scope =
      evaluate_params(parse_params(tree, result.diagnostics), arguments, {}, {}, {}, "def `f`", result.diagnostics);
  return result;
}

std::string value(const std::string& text, Division division = Division::exact) {
  Diagnostics diagnostics;
  const Scope scope = {
      {"n", i64{7}}, {"x", 0.5}, {"flag", true}, {"kind", Word{"dpfp", {"dpfp", "elu"}}}, {"lost", std::nullopt}};
  const auto result = evaluate(*parse_expression(plain_scalar(text), diagnostics), scope, diagnostics, division);
  return result ? value_text(*result) : "error " + codes_of(diagnostics);
}

}  // namespace

TEST_CASE("whole numbers stay whole and exact") {
  CHECK(value("2 ^ 10") == "1024");
  CHECK(value("-7 // 2") == "-4");
  CHECK(value("-7 % 2") == "1");
  CHECK(value("7 // -2") == "-4");
  CHECK(value("256 / 4") == "64");
  CHECK(value("256 / 6") == "error E0408");
  CHECK(value("1 / 4", Division::real) == "0.25");
  CHECK(value("1.0 / 4") == "0.25");
  CHECK(value("2 ^ 63") == "error E0407");
  CHECK(value("(-1) ^ 1000000000001") == "-1");
  CHECK(value("9223372036854775807 + 1") == "error E0407");
  CHECK(value("-9223372036854775807 - 2") == "error E0407");
  CHECK(value("(-9223372036854775807 - 1) // -1") == "error E0407");
  CHECK(value("3037000500 * 3037000500") == "error E0407");
  CHECK(value("n // 0") == "error E0407");
  CHECK(value("n % 0") == "error E0407");
  CHECK(value("2e4") == "20000");
}

TEST_CASE("functions, conditions and words have values") {
  CHECK(value("max(n, 3, 9)") == "9");
  CHECK(value("min(n, x)") == "0.5");
  CHECK(value("floor(7 * x) + ceil(x)") == "4");
  CHECK(value("sqrt(16)") == "4.0");
  CHECK(value("abs(-n)") == "7");
  CHECK(value("n > 5 and not n == 8") == "true");
  CHECK(value("1 if flag else 1 // 0") == "1");
  CHECK(value("kind == dpfp") == "true");
  CHECK(value("elu == kind") == "false");
  CHECK(value("kind == \"elu\"") == "false");
  CHECK(value("kind == dpf") == "error E0402");
  CHECK(value("kind + 1") == "error E0407");
  CHECK(value("sqrt(0 - 1)") == "error E0407");
  CHECK(value("log(0)") == "error E0407");
  CHECK(value("nope + 1") == "error E0201");
  CHECK(value("sine(1)") == "error E0202");
  CHECK(value("n and flag") == "error E0407");
  CHECK(value("flag == 1") == "error E0407");
  CHECK(value("lost + 1") == "error ");  // reported where `lost` failed
}

TEST_CASE("params are evaluated in the order they need each other") {
  const Evaluated e = params(
      "ffn: 4 * width\nwidth: heads * dk\nheads: 4\ndk: {type: int, default: 16, min: 8, max: "
      "heads * 8, about: key size}\n");
  CHECK(e.diagnostics.empty());
  CHECK(e.at("ffn") == "256");
}

TEST_CASE("a circle of params is shown at its first member") {
  const Evaluated e = params("x: 1\na: b + 1\nb: c\nc: a * 2\nd: a + 1\n");
  CHECK(codes_of(e.diagnostics) == "E0401");
  CHECK(first_place(e.diagnostics) == "2:1");
  CHECK(e.diagnostics.render(false).find("`a` -> `b` -> `c` -> `a`") != std::string::npos);
  CHECK(e.at("d") == "nothing");  // silenced
  CHECK(e.at("x") == "1");
  CHECK(codes_of(params("a: a + 1").diagnostics) == "E0401");
  CHECK(first_place(params("d: b\na: b\nb: a\n").diagnostics) == "2:1");
}

TEST_CASE("declared types, choices and ranges hold") {
  CHECK(params("n: {type: float, default: 3}").at("n") == "3.0");
  CHECK(codes_of(params("n: {type: int, default: 2.5}").diagnostics) == "E0402");
  CHECK(codes_of(params("n: {type: int, default: 4, min: 8}").diagnostics) == "E0403");
  CHECK(codes_of(params("n: {type: int, default: 9, max: 8}").diagnostics) == "E0403");
  CHECK(codes_of(params("b: {type: bool, default: 1}").diagnostics) == "E0402");
  CHECK(params("b: true").at("b") == "true");
  CHECK(params("k: {type: enum, choices: [dpfp, elu], default: elu}").at("k") == "elu");
  CHECK(codes_of(params("k: {type: enum, choices: [dpfp, elu], default: relu}").diagnostics) == "E0402");
  CHECK(codes_of(params("k: enum").diagnostics) == "E0302");
  CHECK(codes_of(params("n: {type: itn}").diagnostics) == "E0303");
  CHECK(codes_of(params("n: {defualt: 3}").diagnostics) == "E0301");
  CHECK(codes_of(params("T: 3").diagnostics) == "E0304");
  CHECK(codes_of(params("and: 3").diagnostics) == "E0106");
  CHECK(params("n: \"5\"").at("n") == "5");  // a quoted number reads like a plain one
}

TEST_CASE("a list of words is an enum whose first word is the default") {
  CHECK(params("k: [dpfp, elu]").at("k") == "dpfp");
  CHECK(params("k: [dpfp, elu]", {{"k", "elu"}}).at("k") == "elu");
  CHECK(codes_of(params("k: [dpfp, elu]", {{"k", "relu"}}).diagnostics) == "E0402");
  CHECK(codes_of(params("k: []").diagnostics) == "E0302");
  CHECK(codes_of(params("k: [3]").diagnostics) == "E0303");
}

TEST_CASE("arguments are checked against the params that are declared") {
  CHECK(params("heads: int\nD: 2 * heads\n", {{"heads", "4"}}).at("D") == "8");
  CHECK(codes_of(params("heads: int\n").diagnostics) == "E0405");
  const Evaluated e = params("heads: 4\n", {{"hedas", "8"}});
  CHECK(codes_of(e.diagnostics) == "E0404");
  CHECK(e.diagnostics.render(false).find("did you mean `heads`?") != std::string::npos);
  CHECK(params("k: {choices: [dpfp, elu]}", {{"k", "dpfp"}}).at("k") == "dpfp");
  CHECK(codes_of(params("k: {choices: [dpfp, elu]}", {{"k", "relu"}}).diagnostics) == "E0402");
}

TEST_CASE("a check that fails prints the values it read") {
  Diagnostics diagnostics;
  CHECK(front_codes("schema: 1\nparams: {D: 250, H: 6}\ncheck:\n  - D % H == 0\n  - D > H\n", diagnostics) == "E0406");
  CHECK(first_place(diagnostics) == "4:5");
  CHECK(diagnostics.render(false).find("D = 250, H = 6") != std::string::npos);
}

TEST_CASE("a chain of ten thousand params needs no recursion") {
  std::string yaml;
  for (int i = 0; i < 10000; ++i) yaml += "p" + std::to_string(i) + ": p" + std::to_string(i + 1) + " + 1\n";
  const Evaluated e = params(yaml + "p10000: 0\n");
  CHECK(e.diagnostics.empty());
  CHECK(e.at("p0") == "10000");
}
