// What a run wrote down, read again: log.jsonl and samples.txt (train/run_log.h writes them). A run that is still going
// on, was killed or diverged is read as far as it came.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "train/run_log.h"

namespace weft::train {

/// One validation of a run.
struct Validation {
  i64 step = 0;
  double seconds = 0;  // of training up to it; validation, samples and saving are not counted
  double loss = 0;
  std::optional<double> accuracy;
};

struct History {
  struct Event {
    std::string kind;
    i64 step = 0;
    std::string detail;
    double time = 0;  // seconds since 1970; 0 in logs of before it was kept
  };

  std::string state = "not begun";    // "finished", "diverged", "stopped"
  std::vector<RunLog::Step> updates;  // a number that was not finite is NaN
  std::vector<Validation> validations;
  std::vector<Event> events;
  i64 steps = 0;
  double seconds = 0;  // of training
  i64 unread = 0;      // lines that are none: at most the last one, of a run that was killed

  /// The validation with the lowest loss; null when there was none.
  const Validation* best() const;
  /// The last event of a kind; null when there was none.
  const Event* last(std::string_view kind) const;
};
/// `steps`: those after which the run is finished.
History read_history(const fs::path& run, i64 steps);

struct Sample {
  i64 step = 0;
  std::string text;
};
/// By rising step; empty when the run wrote none.
std::vector<Sample> read_samples(const fs::path& run);

}  // namespace weft::train
