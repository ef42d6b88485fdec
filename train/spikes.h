// Losses far above those before them: the z-score over a window of the last steps, as llm.c's outlier detector has it
// (github.com/karpathy/llm.c). Theirs starts anew when a run is resumed; ours is saved, so that a resumed run decides
// as one that never stopped.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "engine/error.h"

namespace weft::train {

/// What happens to an update that must not, or had better not, be applied.
struct NonFinite {
  i64 limit = 0;  // updates in a row that are left out; one more ends the run. 0: the first ends it
};
struct Spikes {
  i64 window = 128;  // losses that a new one is held against; 0: none is
  double z = 6;      // standard deviations above their mean
  bool skips = false;
};

class LossWindow {
 public:
  explicit LossWindow(i64 size, std::vector<double> losses = {}) : size_(size), losses_(std::move(losses)) {}

  /// Standard deviations of `loss` above the mean of the window; nothing while it fills, or where all losses are equal.
  std::optional<double> score(double loss) const;
  /// Every finite loss is taken, that of a spike, too: a loss that stays high is no spike for long.
  void add(double loss);
  /// Oldest first.
  const std::vector<double>& losses() const { return losses_; }

 private:
  i64 size_;
  std::vector<double> losses_;
};

}  // namespace weft::train
