#include "cli/runs.h"

#include <iostream>

#include "cli/memory.h"
#include "cli/outcome.h"

namespace weft::cli {
namespace {

namespace fs = std::filesystem;

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
  run.reached = train::read_history(plan.place, run.steps);
  return exit;
}

}  // namespace

double TrainRun::tokens_per_second() const {
  return reached.seconds > 0 ? static_cast<double>(reached.steps * tokens_per_step) / reached.seconds : 0;
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
  require_machine(work, plan.options);
  TrainRun run{plan, work.model->weight_count(), o.steps, o.batch * o.accumulate * work.length(o),
               train::read_history(plan.place, o.steps)};
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
