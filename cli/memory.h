// What a step of training takes, and what the machine has.
#pragma once
#include "cli/work.h"
#include "train/room.h"

namespace weft::cli {

struct Need {
  dsl::StepCost step;
  double bytes = 0;  // of tensors in a step, with the two moments of every weight
  double more = 0;   // that the process will take beyond what it holds
  double peak = 0;   // of the process, with what it holds now: the program, the data
};
Need need_of(const Work& work, const train::TrainOptions& options);

/// "2G", "512 MB", "1.5GiB" or plain bytes; an error says what is taken.
double parsed_bytes(const std::string& text);

using train::available_memory;
using train::left_in_group;
using train::peak_resident_bytes;
using train::resident_bytes;

/// What /proc/cpuinfo says of the first processor under `key` ("model name"); empty where it says nothing.
std::string cpu_line(const std::string& key);

/// This program and this machine, as a run keeps them: "weft 0.1.0, compiled by 12.2.0; AMD EPYC 7763".
std::string program_text();

/// Empty, or why a step will not fit: both numbers and what to make smaller. `windows`: `train.context` is read.
/// `most` is the user's own limit, --max-mem; 0: what is available.
std::string too_large(const Need& need, double most, bool windows = true);
/// Throws that as an error of kind `size` (exit 6); before it, where products in bf16 are asked for that this CPU does
/// not have, an error at that place of the description.
void require_machine(const Work& work, const Options& options, double most = 0);

/// `--max-mem SIZE` of the verbs that train.
void add_max_mem(CLI::App& app, double& most);

}  // namespace weft::cli
