// The end of a run for whoever called it: its exit code and, with --json, where it is.
#pragma once
#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "train/trainer.h"

namespace weft::cli {

inline int ended(const train::Outcome& outcome, bool json) {
  if (json) print_json({{"run", outcome.run.string()}, {"step", outcome.step}, {"exit", outcome.exit}});
  return outcome.exit;
}

}  // namespace weft::cli
