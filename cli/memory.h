// What a step of training takes, and what the machine has.
#pragma once
#include "cli/work.h"
#include "train/room.h"

namespace weft::cli {

struct Need {
  dsl::StepCost step;
  double bytes = 0;  // of a step, with the two moments of every weight
};
Need need_of(const Work& work, const train::TrainOptions& options);

using train::available_bytes;
using train::peak_resident_bytes;
using train::resident_bytes;

/// What /proc/cpuinfo says of the first processor under `key` ("model name"); empty where it says nothing.
std::string cpu_line(const std::string& key);

/// Empty, or why a step will not fit: both numbers and what to make smaller. `windows`: `train.context` is read.
std::string too_large(const Need& need, bool windows = true);
/// Throws that as an error of kind `size` (exit 6).
void require_memory(const Work& work, const train::TrainOptions& options);

}  // namespace weft::cli
