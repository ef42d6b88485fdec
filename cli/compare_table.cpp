// What a comparison reached: numbers, table, JSON.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "cli/compare.h"
#include "cli/memory.h"
#include "cli/output.h"
#include "train/session.h"

namespace weft::cli {
namespace {

using Json = nlohmann::ordered_json;

bool finished(const TrainRun& run) { return run.reached.state == "finished" && run.reached.best() != nullptr; }

std::vector<double> of_runs(const Contender& c, const std::function<std::optional<double>(const TrainRun&)>& value) {
  std::vector<double> values;
  for (const TrainRun& run : c.runs) {
    if (!finished(run)) continue;
    if (const auto v = value(run)) values.push_back(*v);
  }
  return values;
}

double best_loss(const TrainRun& run) { return run.reached.best()->loss; }

Summary summary_of(const Contender& c) {
  Summary s;
  s.best = mean_of(of_runs(c, best_loss));
  s.last = mean_of(of_runs(c, [](const TrainRun& r) { return r.reached.validations.back().loss; }));
  s.accuracy = mean_of(of_runs(c, [](const TrainRun& r) { return r.reached.best()->accuracy; }));
  s.tokens_per_second = mean_of(of_runs(c, [](const TrainRun& r) { return r.tokens_per_second(); }));
  for (const TrainRun& run : c.runs) {
    s.diverged += run.reached.state == "diverged";
    s.unfinished += !run.done();
  }
  return s;
}

// Both runs of a pair saw the same data in the same order: their difference is steadier than either loss.
Mean behind(const Contender& c, const Contender& winner) {
  std::vector<double> values;
  for (std::size_t i = 0; i < std::min(c.runs.size(), winner.runs.size()); ++i) {
    if (finished(c.runs[i]) && finished(winner.runs[i]))
      values.push_back(best_loss(c.runs[i]) - best_loss(winner.runs[i]));
  }
  return mean_of(values);
}

std::string state_text(const Contender& c) {
  if (c.cost.state_bytes) return "constant, " + bytes_text(static_cast<double>(*c.cost.state_bytes));
  return c.streams ? "grows" : "none";
}

std::string loss_cell(const Contender& c, const Summary& s) {
  std::string text = s.best.count > 0 ? s.best.text(4) : "-";
  if (s.winner) text += " best";
  std::vector<std::string> notes;
  if (s.diverged > 0) text += fmt::format(", {} of {} diverged", s.diverged, c.runs.size());
  if (s.unfinished > 0) text += fmt::format(", {} of {} to do", s.unfinished, c.runs.size());
  return text;
}

double tokens_per_second(const Contender& c, const Summary& s, const Comparison& all) {
  if (s.tokens_per_second.count > 0) return s.tokens_per_second.mean;
  return c.calibrated ? static_cast<double>(all.tokens_per_step()) / *c.calibrated : 0;
}

// Beside the budget: the machine may have been slower or faster than when the speed was measured.
std::string seconds_taken(const Comparison& all) {
  std::string text;
  for (const Contender& c : all.contenders) {
    const Mean taken = mean_of(of_runs(c, [](const TrainRun& r) { return r.reached.seconds; }));
    if (taken.count > 0)
      text += fmt::format("{}{} {:.3g} s", text.empty() ? "; they took: " : ", ", c.label, taken.mean);
  }
  return text;
}

Json json_of(const Mean& m) {
  if (m.count == 0) return nullptr;
  Json j = {{"mean", m.mean}, {"low", m.low}, {"high", m.high}, {"runs", m.count}};
  j["deviation"] = m.count >= 3 ? Json(m.deviation) : Json();
  return j;
}

Json json_of(const TrainRun& run) {
  const Validation* best = run.reached.best();
  Json curve = Json::array();
  for (const Validation& v : run.reached.validations) {
    Json point = {{"step", v.step}, {"seconds", v.seconds}, {"loss", v.loss}};
    if (v.accuracy) point["accuracy"] = *v.accuracy;
    curve.push_back(point);
  }
  return {{"run", run.plan.place.string()},
          {"state", run.reached.state},
          {"steps", run.reached.steps},
          {"best", best ? Json(best->loss) : Json()},
          {"best_step", best ? Json(best->step) : Json()},
          {"final", best ? Json(run.reached.validations.back().loss) : Json()},
          {"seconds", run.reached.seconds},
          {"tokens_per_second", run.tokens_per_second()},
          {"validations", curve}};
}

Json json_of(const Contender& c, const Summary& s, const Comparison& all) {
  Json trials = Json::array(), runs = Json::array();
  for (const TriedRate& t : c.trials) {
    Json one = {{"lr", t.rate}, {"chosen", t.rate == c.rate}};
    one.update(json_of(t.run));
    trials.push_back(one);
  }
  for (std::size_t i = 0; i < c.runs.size(); ++i) {
    Json one = {{"seed", i + 1}};
    one.update(json_of(c.runs[i]));
    runs.push_back(one);
  }
  return {{"model", c.label},
          {"description", c.options.path},
          {"params", c.options.params},
          {"weights", c.weights},
          {"loss", json_of(s.best)},
          {"bits", s.best.count > 0 ? Json(s.best.mean / std::numbers::ln2) : Json()},
          {"final_loss", json_of(s.last)},
          {"accuracy", json_of(s.accuracy)},
          {"behind", json_of(s.behind)},
          {"best", s.winner},
          {"diverged", s.diverged},
          {"steps", c.steps},
          {"tokens_per_second", tokens_per_second(c, s, all)},
          {"calibrated_seconds_per_step", c.calibrated ? Json(*c.calibrated) : Json()},
          {"flops_per_token", c.cost.flops / static_cast<double>(all.recipe.batch * all.ground.length)},
          {"bytes_per_step", c.step_bytes},
          {"state", c.cost.state_bytes ? "constant"
                    : c.streams        ? "grows"
                                       : "none"},
          {"state_bytes", c.cost.state_bytes ? Json(*c.cost.state_bytes) : Json()},
          {"lr", c.rate},
          {"tuning", trials},
          {"runs", runs}};
}

}  // namespace

Mean mean_of(const std::vector<double>& values) {
  Mean m;
  m.count = static_cast<i64>(values.size());
  if (values.empty()) return m;
  const double n = static_cast<double>(values.size());
  for (const double v : values) m.mean += v / n;
  for (const double v : values) m.deviation += (v - m.mean) * (v - m.mean);
  m.deviation = values.size() > 1 ? std::sqrt(m.deviation / (n - 1)) : 0;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  m.low = *low, m.high = *high;
  return m;
}

std::string Mean::text(int digits) const {
  if (count >= 3) return fmt::format("{:.{}f} ± {:.{}f}", mean, digits, deviation, digits);
  return count == 2 ? fmt::format("{:.{}f} ({:.{}f} .. {:.{}f})", mean, digits, low, digits, high, digits)
                    : fmt::format("{:.{}f}", mean, digits);
}

std::vector<Summary> summaries(const Comparison& comparison) {
  std::vector<Summary> all;
  const Contender* winner = nullptr;
  std::size_t at = 0;
  for (const Contender& c : comparison.contenders) {
    all.push_back(summary_of(c));
    const Summary& s = all.back();
    const bool whole =
        s.best.count > 0 && s.diverged == 0 && s.unfinished == 0;  // a model that may diverge is not best
    if (whole && (!winner || s.best.mean < all[at].best.mean)) winner = &c, at = all.size() - 1;
  }
  if (!winner) return all;
  all[at].winner = true;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i != at) all[i].behind = behind(comparison.contenders[i], *winner);
  }
  return all;
}

std::vector<std::vector<std::string>> table_of(const Comparison& all, const std::vector<Summary>& sums) {
  const bool accuracy = std::any_of(sums.begin(), sums.end(), [](const Summary& s) { return s.accuracy.count > 0; });
  std::vector<std::string> head = {"model", "weights", "loss in nats", "bits", "behind"};
  if (accuracy) head.push_back("accuracy");
  for (const char* h : {"steps", "tokens/s", "ms/step", "FLOP/token", "memory", "state", "lr"}) head.push_back(h);
  std::vector<std::vector<std::string>> rows = {head};
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const Contender& c = all.contenders[i];
    const Summary& s = sums[i];
    const double speed = tokens_per_second(c, s, all);
    std::vector<std::string> row = {c.label, train::grouped(c.weights), loss_cell(c, s),
                                    s.best.count > 0 ? fmt::format("{:.4f}", s.best.mean / std::numbers::ln2) : "-",
                                    s.behind.count > 0 ? "+" + s.behind.text(4) : "-"};
    if (s.behind.count > 0 && s.behind.mean < 0) row.back() = s.behind.text(4);
    if (accuracy) row.push_back(s.accuracy.count > 0 ? s.accuracy.text(4) : "-");
    row.push_back(train::grouped(c.steps));
    row.push_back(speed > 0 ? fmt::format("{:.0f}", speed) : "-");
    row.push_back(speed > 0 ? fmt::format("{:.1f}", 1000 * static_cast<double>(all.tokens_per_step()) / speed) : "-");
    row.push_back(flops_text(c.cost.flops / static_cast<double>(all.recipe.batch * all.ground.length)));
    row.push_back(bytes_text(c.step_bytes));
    row.push_back(state_text(c));
    row.push_back(fmt::format("{:g}", c.rate));
    rows.push_back(row);
  }
  return rows;
}

nlohmann::ordered_json document(const Comparison& all, const std::vector<Summary>& sums) {
  Json floors = Json::object(), models = Json::array();
  for (const train::PlotLevel& f : all.ground.floors) floors[f.name] = f.y;
  for (const train::PlotLevel& f : all.ground.accuracy_floors) floors[f.name] = f.y;
  for (std::size_t i = 0; i < sums.size(); ++i) models.push_back(json_of(all.contenders[i], sums[i], all));
  return {{"compare", all.folder.string()},
          {"page", (all.folder / "compare.html").string()},
          {"task", all.task_name()},
          {"data", all.ground.data},
          {"unit", all.ground.unit},
          {"floors", floors},
          {"budget", all.budget.text},
          {"seeds", all.options.seeds},
          {"tokens_per_step", all.tokens_per_step()},
          {"machine", all.machine},
          {"version", WEFT_VERSION},
          {"command", command_of(all)},
          {"models", models}};
}

std::vector<std::string> how_measured(const Comparison& all) {
  const train::TrainOptions& o = all.recipe;
  std::vector<std::string> lines = {
      fmt::format("data: {}", all.ground.data),
      fmt::format("training: {} rows of {} tokens a step; seed n draws the same rows for every model; seeds 1 to {}",
                  o.batch * o.accumulate, all.ground.length, all.options.seeds),
      fmt::format("loss: the best validation of a run, nats per {} over the whole validation part; mean ± standard "
                  "deviation over seeds; behind: difference to the best model, seed by seed",
                  all.ground.unit)};
  switch (all.budget.unit) {
    case Budget::Unit::steps: lines.push_back(fmt::format("budget: {} steps a run", all.contenders[0].steps)); break;
    case Budget::Unit::tokens:
      lines.push_back(fmt::format("budget: {} tokens a run, {} whole steps", all.budget.text, all.contenders[0].steps));
      break;
    case Budget::Unit::seconds:
      lines.push_back(
          fmt::format("budget: {} of training steps a run, validation and saving not counted; the speed of "
                      "each model was measured once, in turns, and made a number of steps, so that runs and "
                      "their schedules can be repeated{}",
                      all.budget.text, seconds_taken(all)));
  }
  if (!all.options.tune.empty()) {
    lines.push_back(
        "learning rate: of each model, factors of 10^(1/2) around that of the task, further while the best is at the "
        "edge (at most a factor of 100), each on seed 1 with a quarter of the steps, the schedule and its warm-up "
        "shortened alike");
  }
  lines.push_back("without a network: " + all.ground.floors_text());
  return lines;
}

std::string command_of(const Comparison& all) {
  const CompareOptions& o = all.options;
  std::string line = "./weft compare";
  const auto add = [&](const char* flag, const std::string& value) {
    if (!value.empty()) line += fmt::format(" {} {}", flag, train::shell_word(value));
  };
  for (const std::string& model : o.models) line += " " + train::shell_word(model);
  add("--on", o.task);
  add("--budget", all.budget.text);
  add("--seeds", fmt::format("{}", o.seeds));
  add("--tune", o.tune);
  for (const std::string& p : o.common.params) add("-p", p);
  for (const std::string& s : o.common.set) add("--set", s);
  if (o.common.runtime.threads != 0) add("--threads", fmt::format("{}", o.common.runtime.threads));
  if (o.common.runtime.products != "auto") add("--products", o.common.runtime.products);
  if (o.common.runtime.parallel != "tbb") add("--parallel", o.common.runtime.parallel);
  return line;
}

}  // namespace weft::cli
