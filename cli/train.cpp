// weft train FILE
#include <CLI/CLI.hpp>

#include "cli/output.h"
#include "cli/verb.h"
#include "cli/work.h"
#include "train/trainer.h"

namespace weft::cli {

Verb train_verb() {
  return {"train", "train a model from its description", [](CLI::App& app) {
            auto options = std::make_shared<Options>();
            auto folder = std::make_shared<std::string>();
            add_options(app, *options, "FILE", "the description; - for standard input");
            app.add_option("--run-dir", *folder, "a new folder for the run; else runs/<date>_<name>_s<seed>");
            return [=] {
              Runtime runtime(options->runtime);
              const Work work = prepare(read_description(*options), *options);
              if (!work.text) throw Error("the description has no section `data`: there is nothing to learn from");
              const train::ModelLearner learner(*work.model);
              auto terminal = train::Terminal::standard_error();
              return train::train(runtime, learner, *work.text, work.job(), {.folder = *folder}, terminal).exit;
            };
          }};
}

}  // namespace weft::cli
