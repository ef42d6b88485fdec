// weft sweep FILE: the runs of a description's sweep, one after another, and a table of what they reached.
#include <CLI/CLI.hpp>

#include <filesystem>
#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/runs.h"
#include "cli/tensors.h"
#include "cli/verb.h"

namespace weft::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

void print_table(const std::vector<TrainRun>& runs) {
  std::vector<std::vector<std::string>> table = {{"run", "validation", "tokens/s", "weights"}};
  const TrainRun* best = nullptr;
  for (const TrainRun& run : runs) {
    const Validation* v = run.reached.best();
    const bool finished = run.reached.state == "finished";
    table.push_back({run.plan.run.name,
                     !finished ? run.reached.state
                     : v       ? fmt::format("{:.4f}", v->loss)
                               : "-",
                     fmt::format("{:.0f}", run.tokens_per_second()), train::grouped(run.weights)});
    if (finished && v && (!best || v->loss < best->reached.best()->loss)) best = &run;
  }
  std::cout << columns(table);
  if (best) std::cout << fmt::format("best: {}\n  ./weft eval {}\n", best->plan.run.name, best->plan.place.string());
}

Json document(const fs::path& folder, const std::vector<TrainRun>& runs) {
  Json list = Json::array();
  for (const TrainRun& run : runs) {
    Json settings = Json::object();
    for (const dsl::SweepSetting& s : run.plan.run.settings) settings[s.path] = dsl::short_text(s.value);
    const Validation* best = run.reached.best();
    list.push_back({{"run", run.plan.place.string()},
                    {"settings", settings},
                    {"state", run.reached.state},
                    {"validation", best ? Json(best->loss) : Json()},
                    {"tokens_per_second", run.tokens_per_second()},
                    {"weights", run.weights}});
  }
  return {{"sweep", folder.string()}, {"runs", list}};
}

int run_sweep(const Options& options, const std::string& folder, bool dry) {
  const dsl::SourcePtr source = read_description(options);
  dsl::Diagnostics d;
  const dsl::Description description(source, options.overrides(), surroundings(), d);
  report_errors(d, options.json);
  check(!description.file().sweep.empty(), "the description has no `sweep`; `weft train` trains it");
  const fs::path place = folder.empty() ? fs::path("runs") / (description.name() + "_sweep") : fs::path(folder);
  std::vector<TrainRun> runs;
  for (const dsl::SweepRun& run : description.file().sweep)
    runs.push_back(checked({.place = place / run.name, .source = source, .options = options, .run = run}));
  std::vector<TrainRun*> all;
  for (TrainRun& run : runs) all.push_back(&run);
  const int exit = dry ? 0 : train_all(all);
  if (exit != 0) std::cerr << "stopped; the same command goes on with the sweep\n";
  if (options.json) print_json(document(place, runs));
  else print_table(runs);
  return exit;
}

}  // namespace

Verb sweep_verb() {
  return {"sweep", "the runs of a description's `sweep`, one after another, and a table of what they reached",
          "  ./weft sweep model.yaml\n  ./weft sweep model.yaml --run-dir runs/widths --dry-run\n", [](CLI::App& app) {
            auto options = std::make_shared<Options>();
            auto folder = std::make_shared<std::string>();
            auto dry = std::make_shared<bool>(false);
            add_options(app, *options, "FILE", "the description; - for standard input");
            app.add_option("--run-dir", *folder,
                           "the folder of the runs; else runs/<name>_sweep. Finished runs are kept");
            app.add_flag("--dry-run", *dry, "check all runs and list them, without training");
            return [=] { return run_sweep(*options, *folder, *dry); };
          }};
}

}  // namespace weft::cli
