// What a run writes down as it goes: log.jsonl, metrics.csv and samples.txt.
#pragma once
#include <string>
#include <string_view>

#include "train/run_dir.h"

namespace weft::train {

class RunLog {
 public:
  /// Forgets what was written after `step` (and, of validation, after `evaluated`), also half a
  /// line: a run that goes on from a checkpoint writes it again.
  RunLog(const RunDir& run, i64 step, i64 evaluated);

  struct Step {
    i64 step = 0, tokens = 0;  // done so far
    double loss = 0, learning_rate = 0, gradient_norm = 0;
    double update_norm = 0, weight_norm = 0;  // of the step, and of the weights before it
    double tokens_per_second = 0;
    double seconds = 0;     // of the step alone
    double peak_bytes = 0;  // of live tensors, the most so far in this process
  };
  void step(const Step& s);
  void validation(i64 step, i64 tokens, double loss, double accuracy);
  void sample(i64 step, std::string_view text);
  /// "from", "start", "resume", "program", "end", "interrupted", "diverged", with the time and one more text.
  void event(std::string_view event, i64 step, std::string_view detail);

 private:
  AppendLog log_, metrics_, samples_;
};

}  // namespace weft::train
