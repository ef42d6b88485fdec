// weft resume RUN: goes on with a run as if it had never stopped.
#include <CLI/CLI.hpp>

#include <filesystem>

#include "cli/memory.h"
#include "cli/outcome.h"
#include "cli/verb.h"
#include "train/checkpoint.h"

namespace weft::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSteps = "train.steps=";

// Only the number of steps may differ: with any other change the run would not be one run.
void check_unchanged(const dsl::SourcePtr& source, const fs::path& run, i64 steps) {
  const train::Metadata saved = newest_metadata(run);
  const auto before = saved.find("description");
  if (before == saved.end()) return;
  const std::vector<std::string> same = {fmt::format("{}{}", kSteps, steps)};
  dsl::Diagnostics ignored;  // the present text was checked before; the other was, when it was trained
  const dsl::Description now(source, same, surroundings(), ignored);
  const dsl::Description then(dsl::make_source(source->name, before->second), same, surroundings(), ignored);
  check(now.text() == then.text(),
        "{0} is not the description that this run was trained with; put it back, or train anew with ./weft train {0}",
        source->name);
}

}  // namespace

train::Outcome resume_run(const Options& options, bool last_good) {
  for (const std::string& s : options.set) {
    check(s.starts_with(kSteps), "a run keeps its description: only train.steps can be set, not `{}`", s);
  }
  const fs::path run = options.path;
  train::require_run(run);
  Options description = options;
  description.path = (run / "description.yaml").string();
  const dsl::SourcePtr source = read_description(description);
  const Work work = prepare(source, description, preparation_of(run));
  if (!work.data) train::fail_data("{}: its description has no data", run.string());
  const train::Job job = work.job();
  check_unchanged(source, run, job.train.steps);
  require_machine(work, options, options.max_mem);
  Runtime runtime(options.runtime);
  const train::ModelLearner learner(*work.model);
  auto terminal = train::Terminal::standard_error();
  return train::resume(runtime, learner, *work.data, job, run, last_good, terminal);
}

Verb resume_verb() {
  return {
      "resume", "go on with a run that was stopped, or for more steps",
      "  ./weft resume runs/2026-11-24_quickstart_s1\n"
      "  ./weft resume runs/2026-11-24_quickstart_s1 --set train.steps=2000\n",
      [](CLI::App& app) {
        auto options = std::make_shared<Options>();
        auto last_good = std::make_shared<bool>(false);
        app.add_option("RUN", options->path, "the folder of the run")->required();
        app.add_option("--set", options->set, "train.steps=N: another number of steps in all")->allow_extra_args(false);
        add_last_good(app, *last_good);
        add_max_mem(app, options->max_mem);
        app.add_flag("--json", options->json, "where the run is, as one JSON document on stdout");
        add_runtime_options(app, *options);
        return [=] { return ended(resume_run(*options, *last_good), options->json); };
      }};
}

}  // namespace weft::cli
