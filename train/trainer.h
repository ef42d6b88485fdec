// Training: steps, validation, samples, checkpoints, until done or told to stop.
//
// A run that is stopped and resumed ends with the same bytes as one that was not: the data follow
// from (seed, step), the model's random numbers too, the learning rate from (step, steps), and the
// rest is in the checkpoint. The number of threads changes nothing either.
#pragma once
#include <functional>
#include <optional>

#include "train/data.h"
#include "train/job.h"
#include "train/learner.h"
#include "train/run_dir.h"
#include "train/terminal.h"

namespace weft::train {

struct Outcome {
  int exit = 0;  // 0, or 128 + the signal that stopped it after saving
  fs::path run;
  i64 step = 0;  // steps done in all
};

/// What a new run starts from when not from drawn weights (train/origin.h).
struct Start {
  std::vector<Tensor> weights;
  std::string said;    // a line for the banner
  std::string record;  // for the log: where they come from, exactly
};

/// Trains a new model in a new folder. Before the first step: everything that can be wrong with the
/// options, the data, the prompt, the folder and the disk; the first checkpoint is written then,
/// too. A loss or gradient that is not finite is never applied: an error of kind `diverged`.
Outcome train(Runtime& runtime, const Learner& learner, const Data& data, const Job& job, const RunPlace& place,
              Terminal& terminal, std::optional<Start> start = {});

/// Goes on from the newest checkpoint of `run`, up to job.train.steps. Everything else of `job`,
/// and the data, must be as before. A run that is finished says so.
Outcome resume(Runtime& runtime, const Learner& learner, const Data& data, const Job& job, const fs::path& run,
               bool last_good, Terminal& terminal);

/// The loss over the whole validation part; nothing when `stop` became true on the way.
std::optional<dsl::LossSum> evaluate(Runtime& runtime, const Learner& learner, const std::vector<Tensor>& weights,
                                     const Data& data, const TrainOptions& options,
                                     const std::function<bool()>& stop = {});

}  // namespace weft::train
