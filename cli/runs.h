// Several runs that one command makes, in folders of their own: what `sweep` and `compare` share.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/work.h"

namespace weft::cli {

/// One validation of a run.
struct Validation {
  i64 step = 0;
  double seconds = 0;  // of training up to it; validation, samples and saving are not counted
  double loss = 0;
  std::optional<double> accuracy;
};

/// What the log of a run says.
struct Reached {
  std::string state = "not begun";  // "finished", "diverged", "stopped"
  std::vector<Validation> validations;
  i64 steps = 0;
  double seconds = 0;  // of training

  /// The validation with the lowest loss; null when there was none.
  const Validation* best() const;
};
/// `steps`: those after which the run is finished.
Reached read_log(const std::filesystem::path& run, i64 steps);

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
  Reached reached;

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
