#include "cli/runs.h"

#include <iostream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "cli/memory.h"
#include "cli/outcome.h"

namespace weft::cli {
namespace {

namespace fs = std::filesystem;

double number(const nlohmann::json& event, const char* key) {
  return event.contains(key) && event[key].is_number() ? event[key].get<double>() : 0;
}

void take(Reached& r, const nlohmann::json& event, i64 steps) {
  const std::string kind = event.value("event", "");
  const i64 step = event.value("step", i64{0});
  if (kind == "train") {
    r.steps = step;
    r.seconds += number(event, "seconds");
  } else if (kind == "eval" && event["loss"].is_number()) {
    Validation v{step, r.seconds, event["loss"].get<double>(), {}};
    if (event.contains("accuracy") && event["accuracy"].is_number()) v.accuracy = event["accuracy"].get<double>();
    r.validations.push_back(v);
  } else if (kind == "end") {  // a run says why it ended before its last step
    if (!event.value("detail", "").empty() || step >= steps) r.state = "finished";
  } else if (kind == "diverged") {
    r.state = "diverged";
  } else if (kind == "resume") {
    r.state = "stopped";
  }
}

int train_one(TrainRun& run) {
  const PlannedRun& plan = run.plan;
  const bool begun = fs::exists(plan.place / "description.yaml");
  std::cerr << fmt::format("=== {}{}\n", plan.run.name, begun ? ", on from where it stopped" : "");
  Options options = plan.options;
  options.json = false;
  int exit = 0;
  try {
    if (begun) {
      options.path = plan.place.string();
      options.set.clear(), options.params.clear(), options.seed.reset();
      exit = resume_run(options, false).exit;
    } else {
      exit = train_new(work_of(plan), options, {.folder = plan.place}).exit;
    }
  } catch (const Error& e) {  // a learning rate that is too high is a result
    if (e.failure != Failure::diverged) throw;
    std::cerr << e.what() << "\n";
  }
  run.reached = read_log(plan.place, run.steps);
  return exit;
}

}  // namespace

const Validation* Reached::best() const {
  const auto found = std::min_element(validations.begin(), validations.end(),
                                      [](const Validation& a, const Validation& b) { return a.loss < b.loss; });
  return found == validations.end() ? nullptr : &*found;
}

double TrainRun::tokens_per_second() const {
  return reached.seconds > 0 ? static_cast<double>(reached.steps * tokens_per_step) / reached.seconds : 0;
}

Reached read_log(const fs::path& run, i64 steps) {
  Reached r;
  const fs::path log = run / "log.jsonl";
  if (!fs::exists(log)) return r;
  r.state = "stopped";
  std::istringstream lines(train::read_file(log));
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json event = nlohmann::json::parse(line, nullptr, false);
    if (event.is_object()) take(r, event, steps);  // the last line of a run that was killed is none
  }
  return r;
}

Work work_of(const PlannedRun& plan) {
  Preparation how = preparation_of(plan.place);
  how.task = plan.task;
  how.run = &plan.run;
  try {
    return prepare(plan.source, plan.options, how);
  } catch (const Reported&) {
    if (!plan.options.json) std::cerr << "the run is " << plan.run.name << "; none was started\n";
    throw;
  }
}

TrainRun checked(const PlannedRun& plan) {
  const Work work = work_of(plan);
  check(work.data != nullptr, "the description has no section `data`: there is nothing to learn from");
  const train::Job job = work.job();
  const train::TrainOptions& o = job.train;
  require_memory(work, o);
  TrainRun run{plan, work.model->weight_count(), o.steps, o.batch * o.accumulate * work.length(o),
               read_log(plan.place, o.steps)};
  const fs::path before = plan.place / "description.yaml";
  check(!fs::exists(before) || train::read_file(before) == job.description,
        "{} was trained with another description; give another folder: --run-dir", plan.place.string());
  return run;
}

int train_all(std::vector<TrainRun*> runs) {
  for (TrainRun* run : runs) {
    if (run->done()) continue;
    if (const int exit = train_one(*run); exit != 0) return exit;
  }
  return 0;
}

}  // namespace weft::cli
