// Numbers that are no longer finite: never applied, saved, sampled from or taken for the best.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <csignal>

#include "tests/train/bigram.h"

using namespace weft;
using namespace weft::train;

TEST_CASE("a loss or gradient that is not finite is never applied") {
  Practice p;
  for (const bool in_loss : {true, false}) {
    const std::string name = in_loss ? "loss" : "gradient";
    p.model.calls = 0;
    p.model.after = [&](i64 call, dsl::LossSum& loss, std::vector<Tensor>& gradients) {
      if (call != 8) return;
      if (in_loss) loss.nats = NAN;
      if (!in_loss) gradients[1] = Tensor::full(gradients[1].shape(), INFINITY, DType::f32);
    };
    const Caught error = caught([&] { p.train(name); });
    CHECK(error.failure == Failure::diverged);
    CHECK(contains(error.message, "diverged at step 8"));
    CHECK(contains(error.message, "step_0000005"));
    CHECK(contains(error.message, "model.0.bias") == !in_loss);
    p.model.after = {};
    p.resume(name);
    if (in_loss) p.train("whole");
    CHECK(fingerprint(p, name) == fingerprint(p, "whole"));
  }
}

TEST_CASE("weights that are no longer finite are not saved over good ones") {
  Practice p;
  p.adamw().lr = 1e39;  // times the factor this is beyond f32
  p.job.train.save_every = 1;
  p.job.eval.every = 0;
  const Caught error = caught([&] { p.train("run"); });
  CHECK(error.failure == Failure::diverged);
  CHECK(contains(error.message, "the weight `model.0."));
  CHECK(load_newest(p.folder / "run", p.model.weights(), false).progress.step == 0);
}

TEST_CASE("weights that are no longer finite are neither validated nor sampled from") {
  Practice p;
  p.adamw().lr = 1e39;
  p.job.eval.every = 1;
  p.job.train.save_every = 0;
  const Caught error = caught([&] { p.train("run"); });
  CHECK(error.failure == Failure::diverged);
  CHECK(contains(error.message, "training diverged at step 1: the weight `model.0."));
  CHECK_FALSE(fs::exists(best_file(p.folder / "run" / "checkpoints")));
  CHECK(contains(read_file(p.folder / "run" / "log.jsonl"), "\"event\":\"diverged\""));
}

TEST_CASE("a validation loss that is not finite ends the run, and its weights are not the best") {
  Practice p;
  p.model.after_loss = [](dsl::LossSum& loss) { loss.nats = NAN; };
  const Caught error = caught([&] { p.train("run"); });
  CHECK(error.failure == Failure::diverged);
  CHECK(contains(error.message, "training diverged at step 4: the validation loss is nan"));
  CHECK_FALSE(fs::exists(best_file(p.folder / "run" / "checkpoints")));
}

namespace {

// Spoils the gradients of the calls in `bad`.
void spoil(Practice& p, std::vector<i64> bad) {
  p.model.calls = 0;
  p.model.after = [bad](i64 call, dsl::LossSum&, std::vector<Tensor>& gradients) {
    if (std::find(bad.begin(), bad.end(), call) != bad.end())
      gradients[1] = Tensor::full(gradients[1].shape(), NAN, DType::f32);
  };
}

}  // namespace

TEST_CASE("a step that is left out changes no bit of weights and optimizer, and is counted and logged") {
  Practice p;
  p.job.train.nonfinite.limit = 3;
  p.job.train.save_every = 1;
  p.job.eval.every = 0;
  p.job.train.keep_last = 20;
  spoil(p, {5, 8, 9});
  CHECK(p.train("run").exit == 0);
  const auto at = [&](i64 step) {
    const Safetensors saved(checkpoint_file(p.folder / "run" / "checkpoints", step));
    std::string tensors;
    for (const NamedTensor& t : saved.load_all())
      tensors += t.name + std::string(reinterpret_cast<const char*>(t.tensor.raw()), t.tensor.bytes());
    return std::pair(tensors, saved.metadata());
  };
  CHECK(at(5).first == at(4).first);
  CHECK(at(6).first != at(5).first);
  CHECK(at(9).first == at(7).first);
  CHECK(at(5).second.at("skipped") == "1");
  CHECK(at(9).second.at("skipped") == "3");
  CHECK(at(9).second.at("skipped_in_a_row") == "2");
  CHECK(at(10).second.at("skipped_in_a_row") == "0");
  CHECK(at(9).second.at("step") == "9");
  const std::string log = read_file(p.folder / "run" / "log.jsonl");
  CHECK(contains(log, R"({"event":"skipped","step":5,"detail":"the loss is )"));
  CHECK(contains(log, "the gradient of `model.0.bias` is not finite"));
  CHECK(contains(p.out.str(), "warning: step 9: "));
  CHECK(contains(p.out.str(), "the update was left out (2 of 3 in a row)"));
}

TEST_CASE("updates that are left out end the run when there are more in a row than the limit, also over a resume") {
  Practice p;
  p.job.train.nonfinite.limit = 3;
  p.job.eval.every = 0;
  spoil(p, {6, 7, 8, 9});
  Caught error = caught([&] { p.train("run"); });
  CHECK(error.failure == Failure::diverged);
  CHECK(contains(error.message, "diverged at step 9"));
  CHECK(contains(error.message, "the 3 updates before it were left out for the same reason"));
  CHECK(contains(error.message, "step_0000005"));
  spoil(p, {6, 7, 8, 9});
  p.model.before = [&](i64 call) {
    if (call == 7) std::raise(SIGINT);
  };
  CHECK(p.train("cut").step == 7);
  p.model.before = {};
  spoil(p, {1, 2, 3});  // of this process: steps 8, 9 and 10
  error = caught([&] { p.resume("cut"); });
  CHECK(contains(error.message, "diverged at step 9"));
}

TEST_CASE("a run that left out updates ends with the same bytes wherever it was stopped") {
  Practice p;
  p.job.train.nonfinite.limit = 2;
  spoil(p, {4, 5, 10});
  p.train("whole");
  const std::string whole = fingerprint(p, "whole");
  for (i64 stop = 1; stop < 12; ++stop) {
    const std::string name = std::to_string(stop);
    spoil(p, {4, 5, 10});
    p.model.before = [&](i64 call) {
      if (call == stop) std::raise(SIGINT);
    };
    CHECK(p.train(name).step == stop);
    p.model.before = {};
    spoil(p, {4 - stop, 5 - stop, 10 - stop});
    CHECK(p.resume(name).exit == 0);
    CHECK(fingerprint(p, name) == whole);
  }
}

namespace {

// The loss of the calls in `high` is far above all others.
void spike(Practice& p, std::vector<i64> high) {
  p.model.calls = 0;
  p.model.after = [high](i64 call, dsl::LossSum& loss, std::vector<Tensor>&) {
    if (std::find(high.begin(), high.end(), call) != high.end()) loss.nats += 50.0 * static_cast<double>(loss.count);
  };
}

}  // namespace

TEST_CASE("a spike of the loss is reported, and its update is left out where that was asked for") {
  for (const bool skips : {false, true}) {
    Practice p;
    p.job.train.spikes = {.window = 6, .z = 6, .skips = skips};
    p.job.train.save_every = 1;
    p.job.train.keep_last = 20;
    p.job.eval.every = 0;
    spike(p, {9});
    CHECK(p.train("run").exit == 0);
    const std::string log = read_file(p.folder / "run" / "log.jsonl");
    CHECK(contains(log, R"({"event":"spike","step":9,"detail":"the loss )"));
    CHECK(contains(log, "standard deviations above the 6 before it"));
    const auto weights = [&](i64 step) {
      return Safetensors(checkpoint_file(p.folder / "run" / "checkpoints", step)).load_all().at(0).tensor;
    };
    CHECK(same_bits(weights(8), weights(9)) == skips);
    CHECK_FALSE(same_bits(weights(9), weights(10)));
    CHECK(log.find("spike") == log.rfind("spike"));
  }
}

TEST_CASE("a spike at step 9 is one for a run resumed at any step before, too: the window is saved") {
  Practice p;
  p.job.train.spikes = {.window = 6, .z = 6, .skips = true};
  spike(p, {9});
  p.train("whole");
  const std::string whole = fingerprint(p, "whole");
  for (i64 stop = 1; stop < 12; ++stop) {
    const std::string name = std::to_string(stop);
    spike(p, {9});
    p.model.before = [&](i64 call) {
      if (call == stop) std::raise(SIGTERM);
    };
    CHECK(p.train(name).step == stop);
    p.model.before = {};
    spike(p, {9 - stop});
    p.resume(name);
    CHECK(fingerprint(p, name) == whole);
    CHECK(contains(read_file(p.folder / name / "log.jsonl"), R"({"event":"spike","step":9)"));
  }
}
