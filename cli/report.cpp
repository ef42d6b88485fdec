// weft report RUN...: one page about runs, with all that is known of them; event files for TensorBoard.
#include "cli/report.h"

#include <CLI/CLI.hpp>

#include <iostream>
#include <set>

#include <nlohmann/json.hpp>

#include "cli/claim.h"
#include "cli/output.h"
#include "cli/verb.h"
#include "cli/verdicts.h"
#include "train/page.h"
#include "train/tensorboard.h"

namespace weft::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct ReportOptions {
  std::vector<std::string> runs;
  std::string out;
  bool verify = false, tensorboard = false;
  Options common;
};

// The last `parts` parts of a path.
std::string tail(const fs::path& path, std::size_t parts) {
  const fs::path whole = fs::absolute(path).lexically_normal();
  std::vector<fs::path> all(whole.begin(), whole.end());
  fs::path last;
  for (std::size_t i = all.size() - std::min(parts, all.size()); i < all.size(); ++i) last /= all[i];
  return last.string();
}

// As many parts of their paths as tell them apart.
void label(std::vector<RunReport>& runs) {
  constexpr std::size_t kMost = 14, kDeepest = 64;  // seven colours, plain and dashed
  constexpr std::size_t kLetters = 60;
  check(runs.size() <= kMost, "a page tells {} runs apart at most, and these are {}", kMost, runs.size());
  for (std::size_t parts = 1; parts <= kDeepest; ++parts) {
    std::set<std::string> labels;
    for (RunReport& r : runs) labels.insert(r.label = train::shortened(tail(r.place, parts), kLetters));
    if (labels.size() == runs.size()) return;
  }
  throw Error("a run is given twice, or the names of two are too much alike to tell them apart");
}

// A page of ours may be replaced; anything else is the user's.
void check_replaceable(const fs::path& file) {
  std::error_code none;
  if (!fs::exists(file, none)) return;
  const bool ours = fs::is_regular_file(file, none) &&
                    train::read_file(file).substr(0, 300).find("name='generator' content='weft'") != std::string::npos;
  check(ours, "{} exists and is no page of Weft: it is not overwritten", file.string());
}

// In the run's folder; of several beside the first one.
fs::path place_of(const ReportOptions& o, const std::vector<RunReport>& runs) {
  if (!o.out.empty()) return o.out;
  return (runs.size() == 1 ? runs[0].place : runs[0].place.parent_path()) / "report.html";
}

void verify_run(RunReport& run, const Options& options) {
  Options own = options;
  own.path = (run.place / "description.yaml").string();
  own.json = false;
  std::cerr << fmt::format("verifying {}\n", run.place.string());
  try {
    run.verdicts = verify::verify(claim_of(read_description(own), own, ""));
  } catch (const verify::Subject::NotBuilt&) {
    run.troubles.push_back("`verify` could not build it.");
  }
}

Json json_of(const RunReport& r) {
  const train::History& h = r.history;
  const train::Validation* best = h.best();
  const auto known = [](double value) { return value > 0 ? Json(value) : Json(); };
  Json j = {{"run", r.place.string()},
            {"name", r.described.name},
            {"state", r.state()},
            {"says", r.state_text()},
            {"steps", h.steps},
            {"best", best ? Json(best->loss) : Json()},
            {"best_step", best ? Json(best->step) : Json()},
            {"accuracy", best && best->accuracy ? Json(*best->accuracy) : Json()},
            {"final", best ? Json(h.validations.back().loss) : Json()},
            {"training_loss",
             h.updates.empty() || !std::isfinite(h.updates.back().loss) ? Json() : Json(h.updates.back().loss)},
            {"unit", r.unit()},
            {"weights", r.described.weight_count},
            {"tokens_per_step", r.tokens_per_step()}};
  j["predicted"] = {{"flops_per_step", r.described.need ? Json(r.described.need->step.flops *
                                                               static_cast<double>(r.described.train.accumulate))
                                                        : Json()},
                    {"bytes", r.described.need ? Json(r.described.need->bytes) : Json()}};
  j["measured"] = {
      {"seconds", h.seconds}, {"tokens_per_second", known(r.tokens_per_second())}, {"bytes", known(r.peak_bytes())}};
  j["command"] = r.command;
  j["samples"] = r.samples.size();
  j["data_hash"] = r.data_hash;
  j["events"] = Json::array();
  for (const auto& e : h.events)
    j["events"].push_back({{"event", e.kind}, {"step", e.step}, {"detail", e.detail}, {"time", known(e.time)}});
  j["notes"] = r.troubles;
  j["verified"] = r.verdicts ? document_of(r.place.string(), *r.verdicts) : Json();
  return j;
}

int report_runs(const ReportOptions& o) {
  std::vector<RunReport> runs;
  for (const std::string& path : o.runs) {
    const fs::path place = fs::path(path) / "";
    runs.push_back(read_run(place.parent_path()));  // without a slash at its end
  }
  label(runs);
  const fs::path page = place_of(o, runs);
  check_replaceable(page);
  if (o.verify) {
    for (RunReport& r : runs) verify_run(r, o.common);
  }
  train::write_atomically(page, page_of(runs));
  std::vector<std::string> events;
  if (o.tensorboard) {
    for (const RunReport& r : runs) events.push_back(train::write_event_file(r.place, r.history, r.samples).string());
  }
  if (o.common.json) {
    Json j = document(runs);
    j["page"] = page.string();
    j["tensorboard"] = events;
    print_json(j);
    return 0;
  }
  std::cout << fmt::format("page: {}\n", page.string());
  for (const std::string& file : events) std::cout << fmt::format("events: {}\n", file);
  return 0;
}

}  // namespace

nlohmann::ordered_json document(const std::vector<RunReport>& runs) {
  Json list = Json::array(), differ = Json::object();
  for (const RunReport& r : runs) list.push_back(json_of(r));
  const auto rows = differing_settings(runs);
  for (std::size_t i = 1; i < rows.size(); ++i)
    differ[rows[i][0]] = std::vector<std::string>(rows[i].begin() + 1, rows[i].end());
  return {{"runs", list}, {"differences", differ}};
}

Verb report_verb() {
  return {"report", "a page about runs: curves, samples, equations, cost, how to repeat them; TensorBoard files",
          "  ./weft report runs/2026-11-24_quickstart_s1\n"
          "  ./weft report runs/a runs/b --out a_and_b.html\n"
          "  ./weft report runs/a --verify --tensorboard\n",
          [](CLI::App& app) {
            auto o = std::make_shared<ReportOptions>();
            app.add_option("RUN", o->runs, "folders of runs, which may still be going on")->required();
            app.add_option("--out", o->out, "the page; else RUN/report.html, of several runs beside the first");
            app.add_flag("--verify", o->verify, "prove the model's properties as `weft verify` does, and show them");
            app.add_flag("--tensorboard", o->tensorboard, "write RUN/tb/events.out.tfevents.*, too");
            app.add_flag("--json", o->common.json, "what the page says, as one JSON document on stdout");
            add_runtime_options(app, o->common);
            return [=] { return report_runs(*o); };
          }};
}

}  // namespace weft::cli
