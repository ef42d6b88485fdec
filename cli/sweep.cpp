// weft sweep FILE: the runs of a description's sweep, one after another, and a table of what they reached.
#include <CLI/CLI.hpp>

#include <cmath>
#include <filesystem>
#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/memory.h"
#include "cli/outcome.h"
#include "cli/tensors.h"
#include "cli/verb.h"

namespace weft::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// What the log of a run says.
struct Reached {
  std::string state = "not begun";  // "finished", "diverged", "stopped"
  std::optional<double> loss;       // the best of validation
  double tokens_per_second = 0;     // the mean over its steps
};

Reached read_log(const fs::path& run, i64 steps) {
  Reached r;
  const fs::path log = run / "log.jsonl";
  if (!fs::exists(log)) return r;
  r.state = "stopped";
  double speed = 0;
  i64 counted = 0;
  std::istringstream lines(train::read_file(log));
  for (std::string line; std::getline(lines, line);) {
    const Json event = Json::parse(line, nullptr, false);
    if (event.is_discarded()) continue;  // the last line of a run that was killed
    const std::string kind = event.value("event", "");
    if (kind == "train" && event["tokens_per_second"].is_number()) {
      speed += event["tokens_per_second"].get<double>();
      ++counted;
    }
    if (kind == "eval" && event["loss"].is_number())
      r.loss = std::min(r.loss.value_or(HUGE_VAL), event["loss"].get<double>());
    const bool early = !event.value("detail", "").empty();  // the run says why it ended before its last step
    if (kind == "end" && (early || event.value("step", i64{0}) >= steps)) r.state = "finished";
    else if (kind == "diverged") r.state = "diverged";
    else if (kind == "resume") r.state = "stopped";
  }
  if (counted > 0) r.tokens_per_second = speed / static_cast<double>(counted);
  return r;
}

struct Sweep {
  const Options& options;
  dsl::SourcePtr source;
  fs::path folder;
  std::vector<dsl::SweepRun> runs;

  fs::path place(const dsl::SweepRun& run) const { return folder / run.name; }

  // A run's own copy of the built-in text is the one that it goes on with.
  Work work(const dsl::SweepRun& run) const {
    Preparation how = preparation_of(place(run));
    how.run = &run;
    try {
      return prepare(source, options, how);
    } catch (const Reported&) {
      if (!options.json) std::cerr << "the run is " << run.name << "; none was started\n";
      throw;
    }
  }
};

struct Row {
  dsl::SweepRun run;
  fs::path place;
  i64 weights = 0;
  Reached reached;
};

// Everything that can be wrong with any of the runs is said before the first.
Row checked(const Sweep& sweep, const dsl::SweepRun& run) {
  const Work work = sweep.work(run);
  check(work.data != nullptr, "the description has no section `data`: there is nothing to learn from");
  const train::Job job = work.job();
  require_memory(work, job.train);
  Row row{run, sweep.place(run), work.model->weight_count(), read_log(sweep.place(run), job.train.steps)};
  const fs::path before = row.place / "description.yaml";
  check(!fs::exists(before) || train::read_file(before) == job.description,
        "{} was trained with another description; give another folder: --run-dir", row.place.string());
  return row;
}

int train_one(const Sweep& sweep, Row& row) {
  const bool begun = fs::exists(row.place / "description.yaml");
  std::cerr << fmt::format("=== {}{}\n", row.run.name, begun ? ", on from where it stopped" : "");
  Options options = sweep.options;
  options.json = false;
  int exit = 0;
  i64 steps = 0;
  try {
    if (begun) {
      options.path = row.place.string();
      options.set.clear(), options.params.clear(), options.seed.reset();
      const train::Outcome outcome = resume_run(options, false);
      exit = outcome.exit, steps = outcome.step;
    } else {
      const train::Outcome outcome = train_new(sweep.work(row.run), options, {.folder = row.place});
      exit = outcome.exit, steps = outcome.step;
    }
  } catch (const Error& e) {  // a learning rate that is too high is a result of a sweep
    if (e.failure != Failure::diverged) throw;
    std::cerr << e.what() << "\n";
  }
  row.reached = read_log(row.place, steps);
  return exit;
}

void print_table(const std::vector<Row>& rows) {
  std::vector<std::vector<std::string>> table = {{"run", "validation", "tokens/s", "weights"}};
  const Row* best = nullptr;
  for (const Row& row : rows) {
    const Reached& r = row.reached;
    table.push_back({row.run.name,
                     r.state != "finished" ? r.state
                     : r.loss              ? fmt::format("{:.4f}", *r.loss)
                                           : "-",
                     fmt::format("{:.0f}", r.tokens_per_second), train::grouped(row.weights)});
    if (r.state == "finished" && r.loss && (!best || *r.loss < *best->reached.loss)) best = &row;
  }
  std::cout << columns(table);
  if (best) std::cout << fmt::format("best: {}\n  ./weft generate {}\n", best->run.name, best->place.string());
}

Json document(const Sweep& sweep, const std::vector<Row>& rows) {
  Json list = Json::array();
  for (const Row& row : rows) {
    Json settings = Json::object();
    for (const dsl::SweepSetting& s : row.run.settings) settings[s.path] = dsl::short_text(s.value);
    const Reached& r = row.reached;
    list.push_back({{"run", row.place.string()},
                    {"settings", settings},
                    {"state", r.state},
                    {"validation", r.loss ? Json(*r.loss) : Json()},
                    {"tokens_per_second", r.tokens_per_second},
                    {"weights", row.weights}});
  }
  return {{"sweep", sweep.folder.string()}, {"runs", list}};
}

int run_sweep(const Options& options, const std::string& folder, bool dry) {
  const dsl::SourcePtr source = read_description(options);
  dsl::Diagnostics d;
  const dsl::Description description(source, options.overrides(), surroundings(), d);
  report_errors(d, options.json);
  check(!description.file().sweep.empty(), "the description has no `sweep`; `weft train` trains it");
  const Sweep sweep{options, source,
                    folder.empty() ? fs::path("runs") / (description.name() + "_sweep") : fs::path(folder),
                    description.file().sweep};
  std::vector<Row> rows;
  for (const dsl::SweepRun& run : sweep.runs) rows.push_back(checked(sweep, run));
  int exit = 0;
  for (Row& row : rows) {
    const bool done = row.reached.state == "finished" || row.reached.state == "diverged";
    if (done || dry || exit != 0) continue;
    exit = train_one(sweep, row);
  }
  if (exit != 0) std::cerr << "stopped; the same command goes on with the sweep\n";
  if (options.json) print_json(document(sweep, rows));
  else print_table(rows);
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
