#include "tests/dsl/front.h"

using namespace weft::dsl;

namespace {

const std::string kFile =
    "schema: 1\nparams:\n  width: 256\n  ctx: {type: int, default: 64}\n  heads: int\n  rule: [delta, sum]\nmodel:\n  "
    "use: std/retnet\n  with: {D: width}\n"
    "train:\n  optimizer: {adamw: {lr: 1e-3, betas: [0.9, 0.95]}}\n";

struct Changed {
  Diagnostics diagnostics;
  Yaml tree;
  std::string text() const { return yaml_text(tree); }
  std::string codes() const { return codes_of(diagnostics); }
  bool has(const std::string& part) const { return text().find(part) != std::string::npos; }
  bool says(const std::string& part) const { return diagnostics.render(false).find(part) != std::string::npos; }
};

Changed with(const std::vector<std::string>& settings, const std::string& file = kFile) {
  Changed result;
  result.tree = read_yaml(text_source(file), result.diagnostics);
  apply_overrides(result.tree, settings, test_tables(), result.diagnostics);
  return result;
}

}  // namespace

TEST_CASE("an override changes what stands there and adds what may stand there") {
  CHECK(with({"params.width=512"}).has("width: 512"));
  CHECK(with({"train.steps=100"}).has("steps: 100"));
  CHECK(with({"train.optimizer.adamw.lr=3e-4"}).has("lr: 3e-4"));
  CHECK(with({"train.optimizer.adamw.betas.1=0.99"}).has("[0.9, 0.99]"));
  CHECK(with({"train.optimizer.adamw.betas=[0.8, 0.9]"}).has("[0.8, 0.9]"));
  CHECK(with({"model.with.layers=2"}).has("layers: 2"));
  CHECK(with({"name=small"}).has("name: small"));
  CHECK(with({"eval.every=10"}).has("every: 10"));
  CHECK(with({"data.text.path=a=b.txt"}).has("path: a=b.txt"));
  CHECK(with({"train.steps=1", "train.steps=2"}).has("steps: 2"));
  CHECK(with({"params.width=512", "train.steps=3"}).diagnostics.empty());
}

TEST_CASE("a declared param keeps its declaration") {
  const Changed long_form = with({"params.ctx=128"});
  CHECK(long_form.has("type: int"));
  CHECK(long_form.has("default: 128"));
  CHECK(with({"params.heads=2"}).has("type: int"));
  const Changed words = with({"params.rule=sum"});
  CHECK(words.has("choices: [delta, sum]"));
  CHECK(words.has("default: sum"));
  Diagnostics diagnostics;
  const File file = parse_file(text_source(kFile), with({"params.heads=2.5"}).tree, diagnostics);
  evaluate_params(file.params, {}, {}, {}, {}, "the description", diagnostics);
  CHECK(codes_of(diagnostics).ends_with("E0402"));  // behind warnings of params that nothing here reads
}

TEST_CASE("another choice of a one-key map drops the old arguments") {
  const Changed whole = with({"train.optimizer=sgd"});
  CHECK(whole.has("optimizer: sgd"));
  CHECK(!whole.has("adamw"));
  const Changed part = with({"train.optimizer.sgd.lr=0.2"});
  CHECK(part.has("lr: 0.2"));
  CHECK(!part.has("adamw"));
}

TEST_CASE("a path that does not exist is refused with a guess, at its own segment") {
  const Changed step = with({"params.width=1", "train.step=10"});
  CHECK(step.codes() == "E0505");
  CHECK(step.says("<--set #2>:1:7"));
  CHECK(step.says("did you mean `steps`?"));
  CHECK(with({"params.widht=1"}).says("did you mean `width`?"));
  CHECK(with({"trian.steps=1"}).says("did you mean `train`?"));
  CHECK(with({"train.every=1"}).says("write `eval.every`"));
  CHECK(with({"train.optimizer.adamw.lrr=1"}).says("did you mean `lr`?"));
  CHECK(with({"train.optimizer.adamw.betas.7=1"}).codes() == "E0505");
  CHECK(with({"model.usee=x"}).codes() == "E0505");
  CHECK(with({"defs.f.out=x"}).codes() == "E0505");
}

TEST_CASE("what is no path and value, or no YAML, is refused in its own text") {
  for (const char* text : {"", "=", "=1", "train.steps", "train.steps=", "train..steps=1", ".=1", "train.steps=[1",
                           "train.steps=&a 1", "name=\"x"}) {
    CAPTURE(text);
    const Changed c = with({text});
    CHECK(c.diagnostics.has_errors());
    CHECK(c.says("<--set #1>"));
  }
  CHECK(with({"train.steps=&a 1"}).says("<--set #1>:1:13"));
}

TEST_CASE("an error found later points into the override that brought the value") {
  Diagnostics diagnostics;
  const std::vector<Option> tables = test_tables();
  const File file = parse_file(text_source(kFile), with({"train.steps=ten"}).tree, diagnostics);
  read_options(tables[1], file.train, {}, {}, diagnostics, tables);
  CHECK(diagnostics.render(false).find("<--set #1>:1:13") != std::string::npos);
}
