// weft compare A.yaml B.yaml: models that learn the same data with the same seeds and budget, a table and a page.
#include "cli/compare.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <iostream>

#include "cli/difference.h"
#include "cli/memory.h"
#include "cli/output.h"
#include "cli/tensors.h"
#include "cli/verb.h"

namespace weft::cli {
namespace {

namespace fs = std::filesystem;

// Fit for a folder and for `-p LABEL:NAME=VALUE`.
bool is_label(const std::string& text) {
  return !text.empty() && text[0] != '.' && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-' || c == '.';
  });
}

// FILE, or LABEL=FILE; a file whose name has an equals sign is still found.
std::pair<std::string, std::string> label_and_path(const std::string& given) {
  const std::size_t equals = given.find('=');
  if (equals == std::string::npos || fs::exists(given)) return {"", given};
  const std::string label = given.substr(0, equals);
  check(is_label(label), "`{}` is no label: letters, digits, `_`, `-` and `.`", label);
  return {label, given.substr(equals + 1)};
}

Contender contender_of(const CompareOptions& all, const std::string& given) {
  const auto [label, path] = label_and_path(given);
  check(path != "-", "compare reads files, not standard input");
  Contender c;
  c.label = label;
  c.options.path = path;
  c.options.json = all.common.json;
  c.options.runtime = all.common.runtime;
  if (all.task.empty()) c.options.set = all.common.set;  // else they are the task's
  c.source = read_description(c.options);
  if (c.label.empty()) {
    dsl::Diagnostics later;
    const std::string name = dsl::Description(c.source, {}, surroundings(), later).name();
    for (const char letter : name) c.label += is_label(std::string(1, letter)) ? letter : '-';
  }
  return c;
}

// `-p NAME=VALUE` is for every model, `-p LABEL:NAME=VALUE` for one.
void share_params(const std::vector<std::string>& params, std::vector<Contender>& contenders) {
  std::vector<std::string> labels;
  for (const Contender& c : contenders) labels.push_back(c.label);
  for (const std::string& p : params) {
    const std::size_t colon = p.substr(0, p.find('=')).find(':');
    const std::string label = colon == std::string::npos ? "" : p.substr(0, colon);
    const bool known = std::find(labels.begin(), labels.end(), label) != labels.end();
    const std::string guess = dsl::guess_text(label, labels);
    check(colon == std::string::npos || known, "-p {}: there is no model `{}` here; {}", p, label,
          guess.empty() ? fmt::format("there are {}", fmt::join(labels, ", ")) : guess);
    for (Contender& c : contenders) {
      if (colon == std::string::npos || label == c.label)
        c.options.params.push_back(p.substr(colon == std::string::npos ? 0 : colon + 1));
    }
  }
}

void check_labels(const std::vector<Contender>& contenders) {
  for (const Contender& c : contenders) {
    const auto same = [&](const Contender& other) { return other.label == c.label; };
    check(std::count_if(contenders.begin(), contenders.end(), same) == 1,
          "two models are called `{0}`; give one a label: {0}_2={1}", c.label, c.options.path);
  }
}

// Options of the whole comparison: what a model is, is its own matter.
void check_settings(const std::vector<std::string>& set) {
  for (const std::string& s : set) {
    const std::string section = s.substr(0, s.find_first_of(".="));
    const auto& tables = train::option_tables();
    check(std::any_of(tables.begin(), tables.end(), [&](const dsl::Option& t) { return t.name == section; }),
          "--set {}: only data, train, eval and generate can be set for all models; for a param: -p", s);
    check(!s.starts_with("train.seed="), "--set {}: --seeds says which seeds there are", s);
  }
}

std::unique_ptr<dsl::Description> task_of(const CompareOptions& options) {
  if (options.task.empty()) return nullptr;
  Options file = options.common;
  file.path = options.task;
  dsl::Diagnostics d;
  auto task = std::make_unique<dsl::Description>(read_description(file), options.common.set, surroundings(), d);
  report_errors(d, options.common.json);
  check(task->has_data(), "{} has no section `data`: there is nothing to learn from", options.task);
  for (const dsl::Option& section : train::option_tables()) task->section(section.name, d);
  report_errors(d, options.common.json);
  return task;
}

// With every option written out and paths that stand on their own.
std::string sections_of(const dsl::Description& description) {
  dsl::Diagnostics elsewhere;
  const dsl::Description whole(dsl::make_source("", description.text()), {}, surroundings(), elsewhere);
  std::string text;
  for (const dsl::Option& table : train::option_tables())
    text += fmt::format("{}:\n{}", table.name, whole.section(table.name, elsewhere).print(2));
  return text;
}

// Its description as it is trained, but for steps, seed and learning rate.
void describe(Comparison& all, Contender& c) {
  dsl::Diagnostics d;
  dsl::Description description(c.source, c.options.overrides(), surroundings(), d);
  report_errors(d, c.options.json);
  check(description.file().sweep.empty(), "{} is a sweep; `weft sweep` runs it", c.options.path);
  if (all.task) description = description.on(*all.task, d);
  check(description.has_data(), "{} has no section `data`; --on TASK gives all models the same", c.options.path);
  report_errors(d, c.options.json);
  std::vector<std::string> notes;
  c.expanded = description.expanded(notes, d);
  report_errors(d, c.options.json);
  const std::string sections = sections_of(description);
  if (all.sections.empty()) all.sections = sections;
  check(sections == all.sections,
        "{} and {} are not trained alike; --on TASK gives all models the same data, train, eval and generate\n{}",
        all.contenders[0].label, c.label, difference(all.sections, sections));
}

void measure(Comparison& all, Contender& c) {
  const Work work = work_of(all.plan(c, "seed_1", {{"train.seed", "1"}}));
  const train::Job job = work.job();
  if (c.label == all.contenders[0].label) {
    work.data->check_run(job.train);
    check(work.data->validations(job.train) > 0, "there is no validation part: data.text.val_fraction is too small");
    all.recipe = job.train;
    const std::string rule(name(job.train.optimizer.rule));
    all.rate_path = fmt::format("train.optimizer.{}.lr", rule);
    all.warmup_path = fmt::format("train.schedule.{}.warmup", work.train.chosen("schedule"));
    all.ground = ground_of(work, job.train);
  }
  require_machine(work, all.options.common);
  const Need need = need_of(work, job.train);
  c.weights = work.model->weight_count();
  c.cost = need.step, c.step_bytes = need.bytes;
  c.streams = work.model->streams();
  c.rate = train::learning_rate(all.recipe.optimizer.rule);
}

fs::path description_of(const Comparison& all, const Contender& c) { return all.folder / c.label / "model.yaml"; }

// What was begun in the folder must have been begun with the same descriptions.
void check_descriptions(const Comparison& all) {
  for (const Contender& c : all.contenders) {
    const fs::path file = description_of(all, c);
    if (!fs::exists(file)) continue;
    const std::string before = train::read_file(file);
    check(before == c.expanded, "{} was begun with another description of `{}`; give another folder: --run-dir\n{}",
          all.folder.string(), c.label, difference(before, c.expanded));
  }
}

void write_descriptions(const Comparison& all) {
  for (const Contender& c : all.contenders) {
    train::make_folders(all.folder / c.label);
    train::write_atomically(description_of(all, c), c.expanded);
  }
}

void plan_runs(Comparison& all) {
  for (Contender& c : all.contenders) {
    for (i64 seed = 1; seed <= all.options.seeds; ++seed) {
      std::vector<std::pair<std::string, std::string>> set = {{"train.steps", fmt::format("{}", c.steps)},
                                                              {"train.seed", fmt::format("{}", seed)}};
      if (!c.trials.empty()) set.emplace_back(all.rate_path, fmt::format("{}", c.rate));
      c.runs.push_back(checked(all.plan(c, fmt::format("seed_{}", seed), set)));
    }
  }
}

// Seed by seed: what a comparison has when it is stopped is as even as can be.
int train_runs(Comparison& all) {
  std::vector<TrainRun*> runs;
  for (i64 seed = 0; seed < all.options.seeds; ++seed) {
    for (Contender& c : all.contenders) runs.push_back(&c.runs[static_cast<std::size_t>(seed)]);
  }
  return train_all(runs);
}

void say(const Comparison& all, bool ended) {
  const std::vector<Summary> sums = summaries(all);
  const fs::path page = all.folder / "compare.html";
  if (!all.options.dry) train::write_atomically(page, page_of(all, sums));
  if (all.options.common.json) return print_json(document(all, sums));
  for (const std::string& line : how_measured(all)) std::cout << line << "\n";
  std::cout << "\n" << columns(table_of(all, sums));
  if (!all.options.dry) std::cout << fmt::format("\n{}: {}\n", ended ? "page" : "page of what there is", page.string());
}

int compare(const CompareOptions& options) {
  check(options.models.size() >= 2, "compare needs two models at least");
  check(options.tune.empty() || options.tune == "lr", "--tune knows `lr`, not `{}`", options.tune);
  Comparison all = prepared(options);
  check_descriptions(all);
  share_budget(all);
  const bool tuned = !options.tune.empty();
  if (tuned) plan_trials(all);
  else plan_runs(all);
  int exit = 0;
  if (!options.dry) {
    write_descriptions(all);
    if (tuned) exit = tune(all);
    if (tuned && exit == 0) plan_runs(all);
    if (exit == 0) exit = train_runs(all);
  }
  if (exit != 0) std::cerr << "stopped; the same command goes on with the comparison\n";
  say(all, exit == 0);
  return exit;
}

}  // namespace

PlannedRun Comparison::plan(const Contender& c, const std::string& place,
                            std::vector<std::pair<std::string, std::string>> set) const {
  dsl::SweepRun run;
  run.name = fmt::format("{}, {}", c.label, replaced(place, "_", " "));
  for (const auto& [path, value] : set) {
    const dsl::SourcePtr source = dsl::make_source("<compare>", fmt::format("{}={}", path, value));
    const int begin = static_cast<int>(path.size()), end = static_cast<int>(source->text.size());
    dsl::Yaml scalar;
    scalar.kind = dsl::Yaml::Kind::scalar;
    scalar.text = value;
    scalar.span = {source, begin + 1, end};
    run.settings.push_back({path, {source, 0, begin}, scalar});
  }
  return {.place = folder / c.label / place, .source = c.source, .options = c.options, .task = task.get(), .run = run};
}

std::string Comparison::task_name() const { return task ? task->name() : contenders[0].label; }

Comparison prepared(const CompareOptions& options) {
  Comparison all;
  all.options = options;
  all.machine = Runtime(options.common.runtime).describe();
  check_settings(options.common.set);
  all.task = task_of(options);
  for (const std::string& model : options.models) all.contenders.push_back(contender_of(options, model));
  check_labels(all.contenders);
  share_params(options.common.params, all.contenders);
  all.folder = options.folder.empty() ? fs::path("runs") / (all.task_name() + "_compare") : fs::path(options.folder);
  for (Contender& c : all.contenders) describe(all, c);
  for (Contender& c : all.contenders) measure(all, c);
  if (!options.budget.empty()) all.budget = read_budget(options.budget);
  else
    all.budget = {Budget::Unit::steps, static_cast<double>(all.recipe.steps), fmt::format("{}steps", all.recipe.steps)};
  return all;
}

Verb compare_verb() {
  return {
      "compare", "models that learn the same data with the same seeds and budget: a table and a page",
      "  ./weft compare std/retnet std/transformer --on examples/quickstart.yaml --budget 300steps\n"
      "  ./weft compare std/retnet mine.yaml --on examples/tasks/shakespeare.yaml --budget 120s --seeds 3 --tune lr\n"
      "  ./weft compare small=std/gru big=std/gru -p big:D=256 --on examples/quickstart.yaml\n",
      [](CLI::App& app) {
        auto o = std::make_shared<CompareOptions>();
        app.add_option("MODEL", o->models, "descriptions: FILE or std/NAME, with another name LABEL=FILE")->required();
        app.add_option("--on", o->task,
                       "TASK: a description whose data, train, eval and generate hold for every model");
        app.add_option("--budget", o->budget, "of training, each run: 2000steps, 5e6tokens or 120s; else train.steps");
        app.add_option("--seeds", o->seeds, "seeds 1 to N")->check(CLI::Range(1, 1000))->capture_default_str();
        app.add_option("--tune", o->tune, "lr: the learning rate of each model, tried on a quarter of the budget");
        app.add_option("--run-dir", o->folder,
                       "the folder of all runs; else runs/<task>_compare. Finished runs are kept");
        app.add_option("-p", o->common.params, "NAME=VALUE: a param of every model; LABEL:NAME=VALUE of one")
            ->allow_extra_args(false);
        app.add_option("--set", o->common.set, "PATH=VALUE: for all models, as in train.batch=16")
            ->allow_extra_args(false);
        app.add_flag("--dry-run", o->dry, "check everything and show the table, without training");
        app.add_flag("--json", o->common.json, "one JSON document on stdout instead of the table");
        add_runtime_options(app, o->common);
        return [=] { return compare(*o); };
      }};
}

}  // namespace weft::cli
