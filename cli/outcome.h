// The end of a run for whoever called it: its exit code and, with --json, where it is.
#pragma once
#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/work.h"
#include "train/trainer.h"

namespace weft::cli {

/// Trains in a new folder. The description must have data.
train::Outcome train_new(Work work, const Options& options, const train::RunPlace& place);
/// Goes on with the run at `options.path`.
train::Outcome resume_run(const Options& options, bool last_good);

inline int ended(const train::Outcome& outcome, bool json) {
  if (json) print_json({{"run", outcome.run.string()}, {"step", outcome.step}, {"exit", outcome.exit}});
  return outcome.exit;
}

}  // namespace weft::cli
