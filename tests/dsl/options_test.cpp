#include "tests/dsl/front.h"

using namespace weft::dsl;

namespace {

struct Read {
  Diagnostics diagnostics;
  Settings settings;
};

Read options(int table, const std::string& yaml) {
  Read result;
  const std::vector<Option> tables = test_tables();
  const Yaml tree = read_yaml(make_source("runs/model.yaml", yaml), result.diagnostics);
  const Scope scope = {
      {"ctx", i64{128}}, {"mode", Word{"parallel", {"parallel", "recurrent"}}}, {"lost", std::nullopt}};
  result.settings =
      read_options(tables[static_cast<size_t>(table)], &tree, tree.span, scope, result.diagnostics, tables);
  return result;
}

constexpr int kData = 0, kTrain = 1, kEval = 2;

}  // namespace

TEST_CASE("defaults fill what the description does not say") {
  const Read r = options(kTrain, "steps: 5000\n");
  CHECK(r.diagnostics.empty());
  CHECK(r.settings.whole("steps") == 5000);
  CHECK(r.settings.given("steps"));
  CHECK(r.settings.whole("batch") == 32);
  CHECK(!r.settings.given("batch"));
  CHECK(r.settings.chosen("optimizer") == "adamw");
  CHECK(r.settings.real("optimizer.adamw.lr") == 1e-3);
  CHECK(r.settings.reals("optimizer.adamw.betas") == std::vector<double>{0.9, 0.95});
  CHECK(!r.settings.boolean("carry_state"));
  CHECK_THROWS_AS(r.settings.whole("nothing"), std::logic_error);
  CHECK_THROWS_AS(r.settings.real("steps"), std::logic_error);
}

TEST_CASE("a one-key map chooses, and so does a bare name") {
  CHECK(options(kTrain, "optimizer: {sgd: {lr: 0.5}}").settings.real("optimizer.sgd.lr") == 0.5);
  CHECK(options(kTrain, "optimizer: sgd").settings.real("optimizer.sgd.lr") == 0.1);
  CHECK(codes_of(options(kTrain, "optimizer: {adamv: {lr: 1}}").diagnostics) == "E0502");
  CHECK(codes_of(options(kTrain, "optimizer: {adamw: {}, sgd: {}}").diagnostics) == "E0502");
  const Read r = options(kData, "text: {path: shakespeare.txt}");
  CHECK(r.settings.chosen("") == "text");
  CHECK(r.settings.path("text.path") == "runs/shakespeare.txt");
  CHECK(r.settings.word("text.tokenizer") == "char");
}

TEST_CASE("numbers are expressions over the params") {
  const Read r = options(kTrain, "steps: 2 * ctx\noptimizer: {adamw: {lr: 1 / 4}}\nform: mode\n");
  CHECK(r.diagnostics.empty());
  CHECK(r.settings.whole("steps") == 256);
  CHECK(r.settings.real("optimizer.adamw.lr") == 0.25);
  CHECK(r.settings.word("form") == "parallel");
  CHECK(options(kTrain, "steps: 2e4").settings.whole("steps") == 20000);
  CHECK(options(kTrain, "steps: \"300\"").settings.whole("steps") == 300);
}

TEST_CASE("what does not fit the table is refused with what would") {
  CHECK(codes_of(options(kTrain, "steps: 0").diagnostics) == "E0503");
  CHECK(codes_of(options(kTrain, "steps: 2.5").diagnostics) == "E0402");
  CHECK(codes_of(options(kTrain, "steps: [1]").diagnostics) == "E0303");
  CHECK(codes_of(options(kTrain, "steps:\n").diagnostics) == "E0501");
  CHECK(codes_of(options(kTrain, "steps: ctx / 3").diagnostics) == "E0408");
  CHECK(codes_of(options(kTrain, "steps: lost").diagnostics).empty());
  CHECK(codes_of(options(kTrain, "form: chunk").diagnostics) == "E0504");
  CHECK(codes_of(options(kTrain, "carry_state: yes").diagnostics) == "E0303");
  CHECK(codes_of(options(kTrain, "carry_state: \"true\"").diagnostics) == "E0303");
  CHECK(codes_of(options(kTrain, "optimizer: {adamw: {betas: [0.9]}}").diagnostics) == "E0503");
  CHECK(codes_of(options(kTrain, "optimizer: {adamw: {betas: [0.9, 1.5]}}").diagnostics) == "E0503");
  CHECK(codes_of(options(kTrain, "- steps").diagnostics) == "E0303");
  const Read typo = options(kTrain, "step: 10\nevery: 5\n");
  CHECK(codes_of(typo.diagnostics) == "E0301 E0301");
  CHECK(typo.diagnostics.render(false).find("did you mean `steps`?") != std::string::npos);
  CHECK(typo.diagnostics.render(false).find("`every` belongs under `eval`") != std::string::npos);
}

TEST_CASE("lists of words and expressions") {
  const Read r = options(kEval, "metrics: [loss, bits_per_char]\nwatch: [a + b, 'f(c, d)']\n");
  CHECK(r.diagnostics.empty());
  CHECK(r.settings.words("metrics") == std::vector<std::string>{"loss", "bits_per_char"});
  CHECK(expr_text(*r.settings.expressions("watch")[1]) == "f(c, d)");
  CHECK(codes_of(options(kEval, "metrics: [los]").diagnostics) == "E0504");
}

TEST_CASE("the resolved form says everything and resolves to itself") {
  for (const auto& [table, yaml] :
       {std::pair(kTrain, "optimizer: {adamw: {lr: 3e-4}}\n"), std::pair(kTrain, "optimizer: sgd\n"),
        std::pair(kData, "text: {path: \"a b.txt\"}\n"), std::pair(kEval, "watch: [a + b]\n")}) {
    const std::string once = options(table, yaml).settings.print();
    CAPTURE(once);
    const Read again = options(table, once);
    CHECK(again.diagnostics.empty());
    CHECK(again.settings.print() == once);
  }
  CHECK(options(kTrain, "steps: 2\n").settings.print() ==
        "steps: 2\nbatch: 32\nform: auto\noptimizer:\n  adamw:\n    lr: 0.001\n    betas:\n      - "
        "0.9\n      - 0.95\ncarry_state: false\n");
}
