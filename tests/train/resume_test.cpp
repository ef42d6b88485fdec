// A run that is stopped, at any step and in any way, and goes on.
#include "train/trainer.h"

#include <doctest/doctest.h>

#include <array>
#include <csignal>
#include <map>

#include "tests/train/bigram.h"

using namespace weft;
using namespace weft::train;

TEST_CASE("with every optimizer, a run that was stopped at any step ends with the same bytes, by any threads") {
  Practice p;
  for (const Rule& rule : {Rule(SgdOptions{.nesterov = true}), Rule(MuonOptions{}), Rule(AdamWOptions{})}) {
    p.job.train.optimizer.rule = rule;
    const std::string kind(name(rule)), whole = kind + "whole";
    p.runtime = Runtime({.products = "loops", .parallel = "serial"});
    p.train(whole);
    p.runtime = Runtime({.products = "loops", .parallel = "tbb", .threads = 3});
    for (i64 stop = 1; stop <= 12; stop += 3) {
      const std::string run = kind + std::to_string(stop);
      p.model.calls = 0;
      p.model.before = [&](i64 call) {
        if (call == stop) std::raise(SIGINT);
      };
      p.train(run);
      p.model.before = {};
      p.resume(run);
      CHECK(fingerprint(p, run) == fingerprint(p, whole));
    }
  }
  p.job.train.optimizer.rule = SgdOptions{};
  p.job.train.steps = 20;
  CHECK(contains(caught([&] { p.resume("muonwhole"); }).message, "its checkpoint has no sgd.momentum.model.0.table"));
  p.job.train.optimizer.rule = AdamWOptions{};
  CHECK(contains(caught([&] { p.resume("sgdwhole"); }).message, "its checkpoint has no adamw.first.model.0.table"));
}

TEST_CASE("stopped at any step by any signal and resumed, a run ends with the same bytes") {
  Practice p;
  p.train("whole");
  const std::string whole = fingerprint(p, "whole");
  for (i64 stop = 1; stop <= 12; ++stop) {
    const std::string name = std::to_string(stop);
    const int signal = std::array{SIGINT, SIGTERM, SIGHUP}[static_cast<std::size_t>(stop % 3)];
    p.model.calls = 0;
    p.model.before = [&](i64 call) {
      if (call == stop) std::raise(signal);
    };
    const Outcome stopped = p.train(name);
    CHECK(stopped.exit == 128 + signal);
    CHECK(stopped.step == stop);
    p.model.before = {};
    CHECK(p.resume(name).exit == 0);
    CHECK(fingerprint(p, name) == whole);
  }
}

TEST_CASE("wherever a run is stopped, it keeps the same best weights") {
  Practice p;
  p.job.eval.every = 2;
  p.job.train.keep_best = 3;
  p.model.after_loss = [&](dsl::LossSum& loss) {
    const std::map<i64, double> by_step = {{2, 5}, {4, 3}, {6, 4}, {8, 2}, {10, 3.5}, {12, 2.5}};
    loss.nats = static_cast<double>(loss.count) * by_step.at(p.model.steps.back());
  };
  const auto kept = [&](const std::string& name) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(p.folder / name / "checkpoints")) {
      if (entry.is_regular_file()) files[entry.path().filename().string()] = read_file(entry.path());
    }
    return files;
  };
  p.train("whole");
  const auto whole = kept("whole");
  CHECK(whole.size() == 3);
  CHECK(whole.contains("best.safetensors"));
  CHECK(whole.contains("good_0000004.safetensors"));
  CHECK(whole.contains("good_0000012.safetensors"));
  CHECK(load_weights(p.folder / "whole").progress.step == 8);
  for (i64 stop = 1; stop < 12; ++stop) {
    for (const bool killed : {false, true}) {
      const std::string name = std::to_string(stop) + (killed ? "killed" : "");
      p.model.calls = 0;
      p.model.before = [&](i64 call) {
        if (call != stop) return;
        if (killed) throw std::runtime_error("power cut");
        std::raise(SIGINT);
      };
      if (killed) CHECK_THROWS_AS(p.train(name), std::runtime_error);
      else p.train(name);
      p.model.before = {};
      p.resume(name);
      CHECK(kept(name) == whole);
    }
  }
}

TEST_CASE("stopped during validation, a run validates again after resuming") {
  Practice p;
  p.train("whole");
  p.model.before_loss = [] { std::raise(SIGINT); };
  const Outcome stopped = p.train("run");
  CHECK(stopped.exit == 130);
  CHECK(stopped.step == 4);
  p.model.before_loss = {};
  p.resume("run");
  CHECK(fingerprint(p, "run") == fingerprint(p, "whole"));
}

TEST_CASE("a run that ended without a word goes on from its newest checkpoint") {
  Practice p;
  p.train("whole");
  for (i64 stop = 1; stop <= 12; ++stop) {
    const std::string name = std::to_string(stop);
    p.model.calls = 0;
    p.model.before = [&](i64 call) {
      if (call == stop) throw std::runtime_error("power cut");
    };
    CHECK_THROWS_AS(p.train(name), std::runtime_error);
    AppendLog(p.folder / name / "metrics.csv").append("13,torn li");
    p.model.before = {};
    p.resume(name);
    CHECK(fingerprint(p, name) == fingerprint(p, "whole"));
  }
}

TEST_CASE("a finished run says so, and goes on to a larger number of steps") {
  Practice p;
  p.train("run");
  p.out.str("");
  CHECK(p.resume("run").exit == 0);
  CHECK(contains(p.out.str(), "is finished: 12 steps are done"));
  p.job.train.steps = 20;
  p.job.description += "train: {steps: 20}\n";
  CHECK(p.resume("run").step == 20);
  CHECK(read_file(p.folder / "run" / "description.yaml") == p.job.description);
  p.job.train.steps = 5;
  CHECK(contains(caught([&] { p.resume("run"); }).message, "has done 20 steps"));
}

TEST_CASE("resuming refuses another text, another seed and another tokenizer") {
  Practice p;
  p.train("run");
  p.job.train.steps = 20;
  p.job.train.seed = 2;
  CHECK(contains(caught([&] { p.resume("run"); }).message, "has the seed 1, not 2"));
  p.job.train.seed = 1;
  p.text = load_text({.path = {}, .builtin = "practice"}, p.source + "a");
  const Caught error = caught([&] { p.resume("run"); });
  CHECK(error.failure == Failure::data);
  CHECK(contains(error.message, "the text is not the one"));
}
