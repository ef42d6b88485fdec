// The parts of `weft compare`: models that learn the same task, and what is said about them.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/ground.h"
#include "cli/runs.h"

namespace weft::cli {

/// How long every model is trained.
struct Budget {
  enum class Unit { steps, tokens, seconds };
  Unit unit = Unit::steps;
  double amount = 0;
  std::string text;  // as it was given
};
/// "2000steps", "5e6tokens", "120s".
Budget read_budget(const std::string& text);

struct CompareOptions {
  Options common;
  std::vector<std::string> models;  // FILE or LABEL=FILE
  std::string task, budget, tune, folder;
  i64 seeds = 3;
  bool dry = false;
};

/// A learning rate that was tried on a part of the budget.
struct TriedRate {
  double rate = 0;
  TrainRun run;
};

struct Contender {
  std::string label;
  dsl::SourcePtr source;
  Options options;       // with the params that are its own
  std::string expanded;  // its description with all it imports and uses
  i64 weights = 0;
  dsl::StepCost cost;
  double step_bytes = 0;  // of memory
  bool streams = false;
  i64 steps = 0;                     // of training, by the budget
  std::optional<double> calibrated;  // seconds a step, where the budget is in seconds
  double rate = 0;                   // the learning rate it trains with
  std::vector<TriedRate> trials;     // by rising rate
  std::vector<TrainRun> runs;        // one a seed, from 1 on
};

struct Comparison {
  CompareOptions options;
  std::filesystem::path folder;
  std::unique_ptr<dsl::Description> task;  // null without --on
  std::string sections;                    // data, train, eval, generate as they hold for every model
  train::TrainOptions recipe;
  std::string rate_path, warmup_path;  // in the words of --set
  Budget budget;
  Ground ground;
  std::string machine;
  std::vector<Contender> contenders;

  i64 tokens_per_step() const { return recipe.batch * recipe.accumulate * ground.length; }
  /// A run of a contender in the folder `place` below its own.
  PlannedRun plan(const Contender& c, const std::string& place,
                  std::vector<std::pair<std::string, std::string>> set) const;
  std::string task_name() const;
};

/// Reads and checks everything; nothing is written.
Comparison prepared(const CompareOptions& options);

/// Steps of every contender. Where the budget is in seconds, the speed is measured, once: it is kept in plan.json.
void share_budget(Comparison& comparison);
/// The runs of the first learning rates; none is trained.
void plan_trials(Comparison& comparison);
/// Trains on until every contender has its learning rate; the exit code.
int tune(Comparison& comparison);

/// The mean of some runs and how far they lie apart.
struct Mean {
  i64 count = 0;
  double mean = 0, deviation = 0, low = 0, high = 0;
  /// "1.7481 ± 0.0034", from 3 values on; of two "1.7481 (1.7443 .. 1.7519)".
  std::string text(int digits) const;
};
Mean mean_of(const std::vector<double>& values);

struct Summary {
  Mean best, last, accuracy, tokens_per_second, behind;  // behind: the best contender, seed by seed
  i64 diverged = 0, unfinished = 0;
  bool winner = false;
};
std::vector<Summary> summaries(const Comparison& comparison);

/// Cells of the table, the heads first.
std::vector<std::vector<std::string>> table_of(const Comparison& comparison, const std::vector<Summary>& all);
nlohmann::ordered_json document(const Comparison& comparison, const std::vector<Summary>& all);
std::string page_of(const Comparison& comparison, const std::vector<Summary>& all);
/// Lines that say how the numbers came about.
std::vector<std::string> how_measured(const Comparison& comparison);
/// The command that repeats it, as a shell takes it.
std::string command_of(const Comparison& comparison);

}  // namespace weft::cli
