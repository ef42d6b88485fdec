#include "train/options.h"

#include <doctest/doctest.h>

#include "dsl/yaml.h"
#include "tests/train/temporary.h"

using namespace weft;
using namespace weft::train;

namespace {

dsl::Settings read(const std::string& section, const std::string& yaml, bool sound = true) {
  dsl::Diagnostics diagnostics;
  dsl::Yaml tree;
  if (!yaml.empty()) tree = dsl::read_yaml(dsl::make_source("notes/net.yaml", yaml), diagnostics);
  const dsl::Settings settings =
      dsl::read_options(option_table(section), yaml.empty() ? nullptr : &tree, {}, {}, diagnostics, option_tables());
  CHECK(diagnostics.has_errors() != sound);
  return settings;
}

}  // namespace

TEST_CASE("without a word in the description, the tables give the defaults of the structs") {
  const TrainOptions t = train_options(read("train", "")), d;
  CHECK(t.steps == d.steps);
  CHECK(t.batch == d.batch);
  CHECK(t.accumulate == d.accumulate);
  CHECK(t.context == d.context);
  CHECK(t.form == d.form);
  CHECK(t.seed == d.seed);
  CHECK(t.optimizer.lr == d.optimizer.lr);
  CHECK(t.optimizer.beta1 == d.optimizer.beta1);
  CHECK(t.optimizer.beta2 == d.optimizer.beta2);
  CHECK(t.optimizer.eps == d.optimizer.eps);
  CHECK(t.optimizer.weight_decay == d.optimizer.weight_decay);
  CHECK(t.schedule.shape == d.schedule.shape);
  CHECK(t.schedule.warmup == d.schedule.warmup);
  CHECK(t.schedule.floor == d.schedule.floor);
  CHECK(t.clip == d.clip);
  CHECK(t.log_every == d.log_every);
  CHECK(t.save_every == d.save_every);
  CHECK(t.dtype == d.dtype);
  CHECK(eval_options(read("eval", "")).every == EvalOptions{}.every);
  const GenerateOptions g = generate_options(read("generate", ""), 7), e;
  CHECK(g.tokens == e.tokens);
  CHECK(g.temperature == e.temperature);
  CHECK(g.top_k == e.top_k);
  CHECK(g.top_p == e.top_p);
  CHECK_FALSE(g.prompt);
  CHECK(g.seed == 7);
}

TEST_CASE("what the description says is what the structs get") {
  const TrainOptions t = train_options(read("train",
                                            "steps: 2e3\noptimizer: {adamw: {lr: 1e-4, betas: [0.8, "
                                            "0.95]}}\nschedule: {linear: {warmup: 7, floor: 0}}\n"
                                            "dtype: f64\nform: chunkwise\n"));
  CHECK(t.steps == 2000);
  CHECK(t.optimizer.lr == 1e-4);
  CHECK(t.optimizer.beta2 == 0.95);
  CHECK(t.schedule.shape == Schedule::Shape::linear);
  CHECK(t.schedule.warmup == 7);
  CHECK(t.schedule.floor == 0);
  CHECK(t.dtype == DType::f64);
  CHECK(t.form == "chunkwise");
  CHECK(train_options(read("train", "schedule: constant\n")).schedule.shape == Schedule::Shape::constant);
  const GenerateOptions g = generate_options(read("generate", "prompt: \"ROMEO:\"\nseed: 3\n"), 7);
  CHECK(g.prompt == "ROMEO:");
  CHECK(g.seed == 3);
}

TEST_CASE(
    "a text comes from a path beside the description or from the program, not from both or "
    "neither") {
  const TextOptions t = text_options(read("data", "text: {path: a.txt, tokenizer: byte, val_fraction: 0.2}\n"));
  CHECK(t.path == fs::path("notes/a.txt"));
  CHECK(t.tokenizer == "byte");
  CHECK(t.val_fraction == 0.2);
  CHECK(text_options(read("data", "text: {builtin: weft}\n")).builtin == "weft");
  CHECK(contains(caught([] { text_options(read("data", "text: {path: a, builtin: weft}\n")); }).message,
                 "notes/net.yaml:1:"));
  CHECK(contains(caught([] { text_options(read("data", "text: {tokenizer: char}\n")); }).message, "needs a `path`"));
  CHECK(contains(caught([] { text_options(read("data", "")); }).message, "data: give"));
}

TEST_CASE("values out of range and unknown words are errors of the description") {
  read("train", "steps: 0\n", false);
  read("train", "optimizer: {sgd: {}}\n", false);
  read("train", "schedule: {cosine: {floor: 2}}\n", false);
  read("train", "optimizer: {adamw: {betas: [0.9]}}\n", false);
  read("data", "text: {builtin: other}\n", false);
  read("data", "text: {path: a, val_fraction: 0.95}\n", false);
  read("generate", "top_p: 1.5\n", false);
}
