// weft train FILE: a new run.
#include <CLI/CLI.hpp>

#include "cli/memory.h"
#include "cli/outcome.h"
#include "cli/verb.h"
#include "train/trainer.h"

namespace weft::cli {
namespace {

int train_description(const Options& options, const std::string& folder) {
  Work work = prepare(read_description(options), options, {.starts = true});
  if (const auto& file = work.description->file(); !file.sweep.empty()) {
    dsl::Diagnostics d;
    d.error("E0506", file.sweep_span, fmt::format("this description is a sweep of {} runs", file.sweep.size()))
        .help(fmt::format("`weft sweep {}` runs them; without `sweep` one model is trained", options.path));
    report_errors(d, options.json);
  }
  return ended(train_new(std::move(work), options, {.folder = folder}), options.json);
}

}  // namespace

train::Outcome train_new(Work work, const Options& options, const train::RunPlace& place) {
  check(work.data != nullptr, "the description has no section `data`: there is nothing to learn from");
  const train::Job job = work.job();
  require_machine(work, options, options.max_mem);
  Runtime runtime(options.runtime);
  const train::ModelLearner learner(*work.model);
  auto terminal = train::Terminal::standard_error();
  return train::train(runtime, learner, *work.data, job, place, terminal, std::move(work.start));
}

Verb train_verb() {
  return {"train", "train a model from its description",
          "  ./weft train model.yaml\n"
          "  ./weft train model.yaml --set train.steps=2000 -p width=128 --run-dir runs/wide\n",
          [](CLI::App& app) {
            auto options = std::make_shared<Options>();
            auto folder = std::make_shared<std::string>();
            add_options(app, *options, "FILE", "the description; - for standard input");
            add_max_mem(app, options->max_mem);
            app.add_option("--run-dir", *folder, "a new folder for the run; else runs/<date>_<name>_s<seed>");
            return [=] { return train_description(*options, *folder); };
          }};
}

}  // namespace weft::cli
