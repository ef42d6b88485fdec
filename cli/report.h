// The parts of `weft report`: what is known of runs, and the page about them.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "cli/ground.h"
#include "cli/memory.h"
#include "train/history.h"
#include "verify/verify.h"

namespace weft::cli {

/// What a run's description says, as far as this program can read it.
struct Described {
  std::string name, about;
  train::TrainOptions train;
  i64 weight_count = 0;
  std::vector<dsl::Weight> weights;
  std::optional<Need> need;  // of a step; nothing where the length of rows is not known
  std::optional<Ground> ground;
  std::vector<std::pair<std::string, std::string>> equations;  // of the file's own defs
  std::vector<std::pair<std::string, std::string>> borrowed;   // of those that it imports, uses or has from the prelude
  std::vector<std::pair<std::string, std::string>> settings;   // "train.steps" -> "1000", with every default
};

struct RunReport {
  std::filesystem::path place;
  std::string label;                  // short: the last parts of its place
  std::string text;                   // of its description
  std::string command;                // that repeats it, as a shell takes it
  std::vector<std::string> troubles;  // what could not be told, and why
  Described described;
  train::History history;
  std::vector<train::Sample> samples;
  std::string data_hash;
  std::optional<std::string> worker;  // the process that still trains it
  std::optional<verify::Report> verdicts;

  /// "finished", "training", "stopped", "diverged", "not begun".
  std::string state() const;
  /// The state as a sentence, with the steps.
  std::string state_text() const;
  i64 tokens_per_step() const;  // 0 when not known
  double tokens_per_second() const;
  double peak_bytes() const;  // measured; 0 when the log does not say
  std::string unit() const { return described.ground ? described.ground->unit : "target"; }
};

/// Reads a run. Throws when there is none; all other trouble is told in the report.
RunReport read_run(const std::filesystem::path& place);

/// Figures of all runs together: losses, accuracy, learning rate, norms, speed.
std::string figures_of(const std::vector<RunReport>& runs);
/// Tables: what they reached; predicted and measured cost; the commands that repeat them, and where they ran.
std::string summary_of(const std::vector<RunReport>& runs);
std::string costs_of(const std::vector<RunReport>& runs);
std::string environment_of(const std::vector<RunReport>& runs);
std::string page_of(const std::vector<RunReport>& runs);
nlohmann::ordered_json document(const std::vector<RunReport>& runs);

/// The settings that are not the same in all runs: path, then the value of each.
std::vector<std::vector<std::string>> differing_settings(const std::vector<RunReport>& runs);

}  // namespace weft::cli
