// weft resume RUN: goes on with a run as if it had never stopped.
#include <CLI/CLI.hpp>

#include <filesystem>

#include "cli/output.h"
#include "cli/verb.h"
#include "cli/work.h"
#include "train/trainer.h"

namespace weft::cli {

Verb resume_verb() {
  return {"resume", "go on with a run that was stopped, or for more steps", [](CLI::App& app) {
            auto options = std::make_shared<Options>();
            auto last_good = std::make_shared<bool>(false);
            app.add_option("RUN", options->path, "the folder of the run")->required();
            app.add_option("--set", options->set, "train.steps=N: another number of steps in all");
            app.add_flag("--last-good", *last_good, "pass over damaged checkpoints");
            add_runtime_options(app, *options);
            return [=] {
              for (const std::string& s : options->set) {
                check(s.starts_with("train.steps="), "a run keeps its description: only train.steps can be set, not {}", s);
              }
              const train::fs::path run = options->path;
              if (!train::is_run(run)) throw Error(fmt::format("{} is no run: it has no description.yaml", run.string()), Failure::data);
              Runtime runtime(options->runtime);
              Options description = *options;
              description.path = (run / "description.yaml").string();
              const train::fs::path copy = run / "data" / "text.txt";
              std::optional<std::string> built_in;
              if (train::fs::exists(copy)) built_in = train::read_file(copy);
              const Work work = prepare(read_description(description), description, WithData::yes, built_in);
              if (!work.text) throw Error(fmt::format("{}: its description has no data", run.string()), Failure::data);
              const train::ModelLearner learner(*work.model);
              auto terminal = train::Terminal::standard_error();
              return train::resume(runtime, learner, *work.text, work.job(), run, *last_good, terminal).exit;
            };
          }};
}

}  // namespace weft::cli
