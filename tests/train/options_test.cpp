#include "train/options.h"
#include "train/text_data.h"

#include <doctest/doctest.h>

#include <tuple>

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
  const auto a = std::get<AdamWOptions>(t.optimizer.rule), b = std::get<AdamWOptions>(d.optimizer.rule);
  CHECK(t.steps == d.steps);
  CHECK(t.batch == d.batch);
  CHECK(t.accumulate == d.accumulate);
  CHECK(t.context == d.context);
  CHECK(t.form == d.form);
  CHECK(t.seed == d.seed);
  CHECK(a.lr == b.lr);
  CHECK(a.beta1 == b.beta1);
  CHECK(a.beta2 == b.beta2);
  CHECK(a.eps == b.eps);
  CHECK(a.weight_decay == b.weight_decay);
  CHECK(t.schedule.shape == d.schedule.shape);
  CHECK(t.schedule.warmup == d.schedule.warmup);
  CHECK(t.schedule.floor == d.schedule.floor);
  CHECK(t.optimizer.groups.empty());
  CHECK(t.clip == d.clip);
  CHECK(t.patience == d.patience);
  CHECK(t.log_every == d.log_every);
  CHECK(t.save_every == d.save_every);
  CHECK(t.keep_last == d.keep_last);
  CHECK(t.keep_best == d.keep_best);
  CHECK(t.nonfinite.limit == d.nonfinite.limit);
  CHECK(t.spikes.window == d.spikes.window);
  CHECK(t.spikes.z == d.spikes.z);
  CHECK(t.spikes.skips == d.spikes.skips);
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
  CHECK(learning_rate(t.optimizer.rule) == 1e-4);
  CHECK(std::get<AdamWOptions>(t.optimizer.rule).beta2 == 0.95);
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

TEST_CASE("without a word about them, SGD and Muon have the defaults of their structs") {
  const SgdOptions s = std::get<SgdOptions>(train_options(read("train", "optimizer: sgd\n")).optimizer.rule), sd;
  CHECK(std::tie(s.lr, s.momentum, s.nesterov, s.weight_decay) ==
        std::tie(sd.lr, sd.momentum, sd.nesterov, sd.weight_decay));
  const Recipe r = train_options(read("train", "optimizer: muon\n")).optimizer, rd;
  const MuonOptions m = std::get<MuonOptions>(r.rule), md;
  CHECK(std::tie(m.lr, m.momentum, m.nesterov, m.weight_decay, m.match_rms_adamw) ==
        std::tie(md.lr, md.momentum, md.nesterov, md.weight_decay, md.match_rms_adamw));
  CHECK(r.rest.lr == rd.rest.lr);
  CHECK(r.rest_match == rd.rest_match);
  const Schedule w = train_options(read("train", "schedule: wsd\n")).schedule, wd;
  CHECK(w.shape == Schedule::Shape::wsd);
  CHECK(w.decay == wd.decay);
}

TEST_CASE(
    "a text comes from a path beside the description or from the program, not from both or "
    "neither") {
  const TextOptions t = text_options(read("data", "text: {path: a.txt, tokenizer: byte, val_fraction: 0.2}\n"));
  CHECK(t.path == std::vector<fs::path>{"notes/a.txt"});
  CHECK(t.tokenizer == "byte");
  CHECK(t.val_fraction == 0.2);
  CHECK(text_options(read("data", "text: {builtin: weft}\n")).builtin == "weft");
  CHECK(contains(caught([] { text_options(read("data", "text: {path: a, builtin: weft}\n")); }).message,
                 "notes/net.yaml:1:"));
  CHECK(contains(caught([] { text_options(read("data", "text: {tokenizer: char}\n")); }).message, "needs a `path`"));
  CHECK(contains(caught([] { data_kind(read("data", "")); }).message, "data: give"));
}

TEST_CASE("values out of range and unknown words are errors of the description") {
  read("train", "steps: 0\n", false);
  read("train", "optimizer: {sdg: {}}\n", false);
  read("train", "schedule: {cosine: {floor: 2}}\n", false);
  read("train", "optimizer: {adamw: {betas: [0.9]}}\n", false);
  read("data", "text: {builtin: other}\n", false);
  read("data", "text: {path: a, val_fraction: 0.95}\n", false);
  read("generate", "top_p: 1.5\n", false);
}

TEST_CASE("what happens to numbers that go wrong is read from `train`") {
  CHECK(train_options(read("train", "on_nonfinite: skip\n")).nonfinite.limit == 10);
  CHECK(train_options(read("train", "on_nonfinite: {skip: {limit: 3}}\n")).nonfinite.limit == 3);
  CHECK(train_options(read("train", "on_nonfinite: stop\n")).nonfinite.limit == 0);
  const Spikes s = train_options(read("train", "spikes: {window: 16, z: 4, action: skip}\n")).spikes;
  CHECK(s.window == 16);
  CHECK(s.z == 4);
  CHECK(s.skips);
  read("train", "on_nonfinite: {skip: {limit: 0}}\n", false);
  read("train", "keep_last: 0\n", false);
}
