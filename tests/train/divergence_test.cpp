// Numbers that are no longer finite: never applied, saved, sampled from or taken for the best.
#include <doctest/doctest.h>

#include <cmath>

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
