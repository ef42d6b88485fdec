// The figures of a report: every run in one plot, a table under each.
#include <algorithm>
#include <cmath>

#include "cli/report.h"
#include "train/page.h"

namespace weft::cli {
namespace {

using train::Plot;
using train::PlotLine;
using train::Point;
using Step = train::RunLog::Step;
using Reading = std::function<double(const Step&, const RunReport&)>;

constexpr std::size_t kStretches = 250;  // whose medians make a line
constexpr std::size_t kFewRuns = 3;      // of more, single steps under the medians would hide each other

std::vector<Point> every_step(const RunReport& run, const Reading& value) {
  std::vector<Point> points;
  points.reserve(run.history.updates.size());
  for (const Step& s : run.history.updates) points.push_back({static_cast<double>(s.step), value(s, run)});
  return points;
}

// What jumps from step to step: each step thin, medians over stretches thick under the name.
void add_medians(Plot& plot, const RunReport& run, const Reading& value, const std::string& name, int colour,
                 bool singly) {
  const std::vector<Point> all = every_step(run, value);
  const std::size_t n = all.size();
  const bool diverged = run.history.state == "diverged";
  const std::vector<Point> middle =
      medians(all, std::clamp<std::size_t>(n / 10, std::min<std::size_t>(n, 20), kStretches));
  if (singly && middle.size() < n) plot.lines.push_back({.colour = colour, .thick = false, .points = all});
  plot.lines.push_back({.name = name, .colour = colour, .broken_off = diverged, .points = middle});
}

std::vector<Point> validations(const RunReport& run, bool accuracy) {
  std::vector<Point> points;
  for (const train::Validation& v : run.history.validations) {
    if (!accuracy) points.push_back({static_cast<double>(v.step), v.loss});
    else if (v.accuracy) points.push_back({static_cast<double>(v.step), *v.accuracy});
  }
  return points;
}

std::string drawn(Plot plot, bool log_may_help = false) {
  plot.x = "step";
  plot.log_y = log_may_help && suits_log(plot);
  if (svg(plot).empty()) return {};
  return figure(plot, out_of_view(plot) + table_of(plot));
}

// One ground for all, or no floors: what is a good loss on one text is none on another.
void add_floors(Plot& plot, const std::vector<RunReport>& runs, bool accuracy) {
  const auto same = [&](const RunReport& r) {
    return r.described.ground && runs[0].described.ground && r.described.ground->data == runs[0].described.ground->data;
  };
  if (!std::all_of(runs.begin(), runs.end(), same)) return;
  const Ground& g = *runs[0].described.ground;
  plot.levels = accuracy ? g.accuracy_floors : g.floors;
}

std::string losses(const std::vector<RunReport>& runs) {
  const std::string y = fmt::format("loss, nats per {}", runs[0].unit());
  if (runs.size() == 1) {
    Plot plot{.title = "Loss", .y = y};
    add_medians(
        plot, runs[0], [](const Step& s, const RunReport&) { return s.loss; }, "training", 0, true);
    plot.lines.push_back({.name = "validation", .colour = 1, .dots = true, .points = validations(runs[0], false)});
    add_floors(plot, runs, false);
    return drawn(plot, true);
  }
  Plot training{.title = "Training loss", .y = y}, validation{.title = "Validation loss", .y = y};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const int colour = static_cast<int>(i);
    add_medians(
        training, runs[i], [](const Step& s, const RunReport&) { return s.loss; }, runs[i].label, colour,
        runs.size() <= kFewRuns);
    validation.lines.push_back({.name = runs[i].label,
                                .colour = colour,
                                .broken_off = runs[i].history.state == "diverged",
                                .dots = true,
                                .points = validations(runs[i], false)});
  }
  add_floors(validation, runs, false);
  return drawn(validation, true) + drawn(training, true);
}

std::string accuracies(const std::vector<RunReport>& runs) {
  Plot plot{.title = "Accuracy on the validation part", .y = "share of targets with the highest score"};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    plot.lines.push_back({.name = runs.size() == 1 ? "accuracy" : runs[i].label,
                          .colour = static_cast<int>(i),
                          .dots = true,
                          .points = validations(runs[i], true)});
  }
  add_floors(plot, runs, true);
  return drawn(plot);
}

// Of the step alone: what the log has beside it counts validation and saving, too.
double speed(const Step& s, const RunReport& run) {
  const double tokens = static_cast<double>(run.tokens_per_step());
  return tokens > 0 && s.seconds > 0 ? tokens / s.seconds : s.tokens_per_second;
}

struct Series {
  std::string title, y, name;
  Reading value;
  bool smooth = false;  // it does not jump: drawn as it is
  bool log_may_help = false;
  std::vector<train::PlotLevel> levels = {};
};

std::string drawn(const std::vector<RunReport>& runs, const Series& of) {
  Plot plot{.title = of.title, .y = of.y, .levels = of.levels};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const std::string name = runs.size() == 1 ? of.name : runs[i].label;
    const int colour = static_cast<int>(i);
    if (of.smooth) plot.lines.push_back({.name = name, .colour = colour, .points = every_step(runs[i], of.value)});
    else add_medians(plot, runs[i], of.value, name, colour, runs.size() <= kFewRuns);
  }
  return drawn(plot, of.log_may_help);
}

// Where all runs clip alike.
std::vector<train::PlotLevel> clip_level(const std::vector<RunReport>& runs) {
  const double clip = runs[0].described.train.clip;
  const bool same = std::all_of(runs.begin(), runs.end(), [&](const RunReport& r) {
    return !r.described.weights.empty() && r.described.train.clip == clip;
  });
  return same && clip > 0 ? std::vector<train::PlotLevel>{{"clipped above", clip}} : std::vector<train::PlotLevel>{};
}

}  // namespace

std::string figures_of(const std::vector<RunReport>& runs) {
  const std::vector<Series> all = {
      {"Learning rate", "learning rate", "learning rate",
       [](const Step& s, const RunReport&) { return s.learning_rate; }, true},
      {"Norm of the gradient, before clipping", "norm of all gradients together", "gradient",
       [](const Step& s, const RunReport&) { return s.gradient_norm; }, false, true, clip_level(runs)},
      {"Size of an update beside the weights",
       "norm of the update / norm of the weights",
       "update / weights",
       [](const Step& s, const RunReport&) { return s.weight_norm > 0 ? s.update_norm / s.weight_norm : NAN; },
       false,
       true,
       {{"usual", 1e-3}}},
      {"Speed", "tokens per second", "tokens/s", speed}};
  std::string html = losses(runs) + accuracies(runs);
  for (const Series& s : all) html += drawn(runs, s);
  return html.empty() ? train::paragraph("No step has been logged yet.") : html;
}

}  // namespace weft::cli
