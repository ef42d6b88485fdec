// Several runs that one command makes, in folders of their own: what `sweep` and `compare` share.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "cli/work.h"
#include "train/history.h"

namespace weft::cli {

using train::Validation;

/// A description with settings, and where its run goes.
struct PlannedRun {
  std::filesystem::path place;
  dsl::SourcePtr source;
  Options options;
  const dsl::Description* task = nullptr;  // see Preparation
  dsl::SweepRun run;                       // its name is for messages
};

struct TrainRun {
  PlannedRun plan;
  i64 weights = 0, steps = 0, tokens_per_step = 0;
  train::History reached;

  bool done() const { return reached.state == "finished" || reached.state == "diverged"; }
  double tokens_per_second() const;  // of training; 0 when nothing is known
};

/// Ready to train: a run that was begun with the built-in text goes on with its own copy.
Work work_of(const PlannedRun& plan);

/// Checks all that can be wrong with a run before any is started; one that was begun must have been begun with the same
/// description.
TrainRun checked(const PlannedRun& plan);

/// Trains what is not done, in order, until a signal stops it: the exit code. Divergence is a result.
int train_all(std::vector<TrainRun*> runs);

}  // namespace weft::cli
