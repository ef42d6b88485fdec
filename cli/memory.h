// What a step of training takes, and what the machine has.
#pragma once
#include "cli/work.h"

namespace weft::cli {

struct Need {
  dsl::StepCost step;
  double bytes = 0;  // of a step, with the two moments of every weight
};
Need need_of(const Work& work, const train::TrainOptions& options);

/// Bytes that the machine can still give; nothing where it does not say.
std::optional<double> available_bytes();

/// Bytes of memory that this process holds now, and at most so far; nothing where the system does not say.
std::optional<double> resident_bytes();
std::optional<double> peak_resident_bytes();

/// What /proc/cpuinfo says of the first processor under `key` ("model name"); empty where it says nothing.
std::string cpu_line(const std::string& key);

/// This program and this machine, as a run keeps them: "weft 0.1.0, compiled by 12.2.0; AMD EPYC 7763".
std::string program_text();

/// Empty, or why a step will not fit: both numbers and what to make smaller. `windows`: `train.context` is read.
std::string too_large(const Need& need, bool windows = true);
/// Throws that as an error of kind `size` (exit 6).
void require_memory(const Work& work, const train::TrainOptions& options);

}  // namespace weft::cli
