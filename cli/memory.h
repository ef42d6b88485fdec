// What a step of training takes, and what the machine has.
#pragma once
#include "cli/work.h"

namespace weft::cli {

struct Need {
  dsl::StepCost step;
  double bytes = 0;  // of tensors in a step, with the two moments of every weight
  double more = 0;   // that the process will take beyond what it holds
  double peak = 0;   // of the process, with what it holds now: the program, the data
};
Need need_of(const Work& work, const train::TrainOptions& options);

/// What this process may still take, and who says so: the machine, its control group or its own limit, whichever is
/// least.
struct Available {
  double bytes = 0;
  std::string source;  // "the machine has", "the control group leaves", "`ulimit -v` leaves"
};
std::optional<Available> available_memory();
/// Bytes of a control group that are left below its limit, from its files in `folder`; nothing without a limit.
std::optional<double> left_in_group(const std::filesystem::path& folder);

/// "2G", "512 MB", "1.5GiB" or plain bytes; an error says what is taken.
double parsed_bytes(const std::string& text);

/// Bytes of memory that this process holds now, and at most so far; nothing where the system does not say.
std::optional<double> resident_bytes();
std::optional<double> peak_resident_bytes();

/// What /proc/cpuinfo says of the first processor under `key` ("model name"); empty where it says nothing.
std::string cpu_line(const std::string& key);

/// This program and this machine, as a run keeps them: "weft 0.1.0, compiled by 12.2.0; AMD EPYC 7763".
std::string program_text();

/// Empty, or why a step will not fit: both numbers and what to make smaller. `windows`: `train.context` is read.
/// `most` is the user's own limit, --max-mem; 0: what is available.
std::string too_large(const Need& need, double most, bool windows = true);
/// Throws that as an error of kind `size` (exit 6).
void require_memory(const Work& work, const train::TrainOptions& options, double most = 0);

/// `--max-mem SIZE` of the verbs that train.
void add_max_mem(CLI::App& app, double& most);

}  // namespace weft::cli
