// How long each model of a comparison is trained, and with which learning rate.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <iostream>

#include "cli/bench.h"
#include "cli/compare.h"
#include "cli/output.h"
#include "train/file.h"

namespace weft::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr i64 kUncounted = 2;    // steps before the measured ones: the pool fills, the clock of the processor rises
constexpr i64 kTurn = 5;         // measured steps of a model before the next has its turn
constexpr double kMeasured = 2;  // seconds of measured steps of each model, at least,
constexpr i64 kFewest = 15;      // and steps
constexpr i64 kPart = 4;         // a learning rate is tried on the budget divided by this
constexpr i64 kLimit = 4;        // half powers of ten that it may move: a factor of 100

// All windows of a step: `Training` measures one part of `accumulate`.
double step_seconds(const Laps& laps, i64 accumulate) {
  return static_cast<double>(accumulate) * (laps.data + laps.model) + laps.norm + laps.optimizer;
}

// In turns, so that what else the machine does meanwhile meets all models; the lower quartile, since that only adds
// time (medians of one model on a busy machine: 4.3 to 7.8 ms).
std::vector<double> measured_speeds(const Comparison& all, const std::vector<Contender*>& whom) {
  Runtime runtime(all.options.common.runtime);
  std::vector<Work> works;
  for (const Contender* c : whom) works.push_back(work_of(all.plan(*c, "seed_1", {{"train.seed", "1"}})));
  std::vector<Training> trainings;
  for (const Work& work : works) trainings.emplace_back(runtime, work, Clock::wall);
  std::vector<std::vector<double>> seconds(whom.size());
  const auto enough = [](const std::vector<double>& s) {
    return static_cast<i64>(s.size()) >= kFewest && std::reduce(s.begin(), s.end()) >= kMeasured;
  };
  for (Training& t : trainings) {
    for (i64 i = 0; i < kUncounted; ++i) t.step();
  }
  while (!std::all_of(seconds.begin(), seconds.end(), enough)) {
    for (std::size_t m = 0; m < trainings.size(); ++m) {
      for (i64 i = 0; i < kTurn; ++i) seconds[m].push_back(step_seconds(trainings[m].step(), all.recipe.accumulate));
    }
  }
  std::vector<double> speeds;
  for (const std::vector<double>& s : seconds) speeds.push_back(spread_of(s).low);
  return speeds;
}

// The speeds of an earlier part of this comparison: measured anew they would give other runs.
void share_seconds(Comparison& all) {
  const fs::path file = all.folder / "plan.json";
  Json plan = {{"budget", all.budget.text}, {"seconds_per_step", Json::object()}};
  if (fs::exists(file)) {
    plan = Json::parse(train::read_file(file), nullptr, false);
    const bool readable = plan.is_object() && plan.contains("budget") && plan.contains("seconds_per_step");
    if (!readable) train::fail_data("{}: is damaged", file.string());
    check(plan["budget"] == all.budget.text, "{} was begun with the budget {}, not {}; give another folder: --run-dir",
          all.folder.string(), plan["budget"].get<std::string>(), all.budget.text);
  }
  std::vector<Contender*> unknown;
  for (Contender& c : all.contenders) {
    if (!plan["seconds_per_step"].contains(c.label)) unknown.push_back(&c);
  }
  if (!unknown.empty()) {
    std::cerr << fmt::format("measuring the speed of {} models\n", unknown.size());
    const std::vector<double> speeds = measured_speeds(all, unknown);
    for (std::size_t i = 0; i < unknown.size(); ++i) plan["seconds_per_step"][unknown[i]->label] = speeds[i];
    if (!all.options.dry) {
      train::make_folders(all.folder);
      train::write_atomically(file, plan.dump(2) + "\n");
    }
  }
  for (Contender& c : all.contenders) {
    c.calibrated = plan["seconds_per_step"][c.label].get<double>();
    c.steps = static_cast<i64>(all.budget.amount / *c.calibrated);
  }
}

// Two digits: what a person would write, and may copy.
double rate_at(double recipe, i64 half_powers) {
  return half_powers == 0
             ? recipe
             : std::stod(fmt::format("{:.1e}", recipe * std::pow(10, 0.5 * static_cast<double>(half_powers))));
}

// Warm-up takes the same part of the trial as of the whole run: the schedule is the same, only shorter.
TriedRate trial_of(const Comparison& all, const Contender& c, double rate) {
  const i64 steps = std::max<i64>(1, c.steps / kPart);
  const i64 warmup = all.recipe.schedule.warmup * steps / c.steps;
  return {rate, checked(all.plan(c, fmt::format("lr={:g}", rate),
                                 {{"train.steps", fmt::format("{}", steps)},
                                  {"train.seed", "1"},
                                  {all.rate_path, fmt::format("{}", rate)},
                                  {all.warmup_path, fmt::format("{}", warmup)}}))};
}

double loss_of(const TriedRate& t) {
  const Validation* best = t.run.reached.best();
  return t.run.reached.state == "finished" && best ? best->loss : HUGE_VAL;
}

int tune_one(const Comparison& all, Contender& c) {
  const double recipe = c.rate;
  i64 low = -1, high = 1;
  for (;;) {
    std::vector<TrainRun*> runs;
    for (TriedRate& t : c.trials) runs.push_back(&t.run);
    if (const int exit = train_all(runs); exit != 0) return exit;
    const auto best = std::min_element(c.trials.begin(), c.trials.end(),
                                       [](const TriedRate& a, const TriedRate& b) { return loss_of(a) < loss_of(b); });
    c.rate = best->rate;
    if (best == c.trials.begin() && low > -kLimit)  // also when all diverged: lower
      c.trials.insert(c.trials.begin(), trial_of(all, c, rate_at(recipe, --low)));
    else if (best == c.trials.end() - 1 && high < kLimit) c.trials.push_back(trial_of(all, c, rate_at(recipe, ++high)));
    else return 0;
  }
}

}  // namespace

Budget read_budget(const std::string& text) {
  Budget budget;
  budget.text = text;
  const char* end = text.data() + text.size();
  const auto [unit, error] = std::from_chars(text.data(), end, budget.amount);
  const std::string word(unit, end);
  check(error == std::errc() && (word == "steps" || word == "tokens" || word == "s") && std::isfinite(budget.amount) &&
            budget.amount > 0,
        "--budget {}: write a number with its unit, as in 2000steps, 5e6tokens or 120s", text);
  budget.unit = word == "s" ? Budget::Unit::seconds : word == "steps" ? Budget::Unit::steps : Budget::Unit::tokens;
  check(budget.unit != Budget::Unit::steps || budget.amount == std::floor(budget.amount),
        "--budget {}: steps are whole", text);
  check(budget.amount <= 1e15, "--budget {}: is too large", text);
  return budget;
}

void share_budget(Comparison& all) {
  if (all.budget.unit == Budget::Unit::seconds) share_seconds(all);
  for (Contender& c : all.contenders) {
    if (all.budget.unit == Budget::Unit::steps) c.steps = static_cast<i64>(all.budget.amount);
    if (all.budget.unit == Budget::Unit::tokens)
      c.steps = static_cast<i64>(all.budget.amount / static_cast<double>(all.tokens_per_step()));
    check(c.steps >= 1, "--budget {}: is less than one step of {} ({} tokens)", all.budget.text, c.label,
          all.tokens_per_step());
    if (2 * all.recipe.schedule.warmup > c.steps) {
      std::cerr << fmt::format("note: the warm-up takes {} of the {} steps of {} ({})\n", all.recipe.schedule.warmup,
                               c.steps, c.label, all.warmup_path);
    }
  }
}

void plan_trials(Comparison& all) {
  for (Contender& c : all.contenders) {
    for (const i64 i : {-1, 0, 1}) c.trials.push_back(trial_of(all, c, rate_at(c.rate, i)));
  }
}

int tune(Comparison& all) {
  for (Contender& c : all.contenders) {
    if (const int exit = tune_one(all, c); exit != 0) return exit;
  }
  return 0;
}

}  // namespace weft::cli
