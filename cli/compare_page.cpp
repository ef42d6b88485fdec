// The page of a comparison.
#include <algorithm>
#include <cmath>
#include <map>

#include "cli/compare.h"
#include "cli/difference.h"
#include "cli/memory.h"
#include "cli/output.h"
#include "train/page.h"

namespace weft::cli {
namespace {

using train::Point;
using Rows = std::vector<std::vector<std::string>>;
using Figure = std::optional<double> (*)(const Validation&);

std::optional<double> loss_at(const Validation& v) { return v.loss; }
std::optional<double> accuracy_at(const Validation& v) { return v.accuracy; }

// The steps that all runs of a contender have validated at which did not diverge: there a mean says something.
std::vector<std::vector<const Validation*>> common(const Contender& c, Figure value) {
  std::map<i64, std::vector<const Validation*>> by_step;
  std::size_t runs = 0;
  for (const TrainRun& run : c.runs) {
    if (run.reached.state == "diverged" || run.reached.validations.empty()) continue;
    ++runs;
    for (const Validation& v : run.reached.validations) {
      if (value(v)) by_step[v.step].push_back(&v);
    }
  }
  std::vector<std::vector<const Validation*>> all;
  for (const auto& [step, found] : by_step) {
    if (found.size() == runs) all.push_back(found);
  }
  return all;
}

double mean(const std::vector<const Validation*>& of, const std::function<double(const Validation&)>& value) {
  double sum = 0;
  for (const Validation* v : of) sum += value(*v);
  return sum / static_cast<double>(of.size());
}

// Every seed thin, their mean thick.
train::Plot curves(const Comparison& all, const std::string& title, const std::string& y, bool by_time, Figure value) {
  train::Plot plot;
  plot.title = title;
  plot.x = by_time ? "seconds of training" : fmt::format("steps of {} tokens", all.tokens_per_step());
  plot.y = y;
  const auto x = [&](const Validation& v) { return by_time ? v.seconds : static_cast<double>(v.step); };
  for (std::size_t i = 0; i < all.contenders.size(); ++i) {
    const Contender& c = all.contenders[i];
    const int colour = static_cast<int>(i);
    for (const TrainRun& run : c.runs) {
      train::PlotLine line{.colour = colour, .thick = false, .broken_off = run.reached.state == "diverged"};
      for (const Validation& v : run.reached.validations) {
        if (const auto found = value(v)) line.points.push_back({x(v), *found});
      }
      plot.lines.push_back(line);
    }
    train::PlotLine line{.name = c.label, .colour = colour};
    for (const auto& of : common(c, value))
      line.points.push_back({mean(of, x), mean(of, [&](const Validation& v) { return *value(v); })});
    plot.lines.push_back(line);
  }
  return plot;
}

// The means, at no more than a dozen places: all of them are in the JSON.
std::string curve_table(const Comparison& all, bool by_time, Figure value) {
  constexpr std::size_t kRows = 12;
  std::map<i64, std::map<std::size_t, std::string>> cells;
  for (std::size_t i = 0; i < all.contenders.size(); ++i) {
    for (const auto& of : common(all.contenders[i], value)) {
      const double y = mean(of, [&](const Validation& v) { return *value(v); });
      cells[of[0]->step][i] =
          by_time ? fmt::format("{:.4f} at {:.1f} s", y, mean(of, [](const Validation& v) { return v.seconds; }))
                  : fmt::format("{:.4f}", y);
    }
  }
  Rows rows = {{"step"}};
  for (const Contender& c : all.contenders) rows[0].push_back(c.label);
  const std::size_t every = (cells.size() + kRows - 1) / kRows;
  std::size_t at = 0;
  for (const auto& [step, row] : cells) {
    const bool last = ++at == cells.size();
    if (!last && at % std::max<std::size_t>(every, 1) != 0) continue;
    rows.push_back({train::grouped(step)});
    for (std::size_t i = 0; i < all.contenders.size(); ++i) rows.back().push_back(row.contains(i) ? row.at(i) : "-");
  }
  return rows.size() > 1 ? train::html_table(rows) : "";
}

std::string curve(const Comparison& all, const std::string& title, const std::string& y, bool by_time, Figure value) {
  train::Plot plot = curves(all, title, y, by_time, value);
  plot.levels = value == loss_at ? all.ground.floors : all.ground.accuracy_floors;
  if (svg(plot).empty()) return {};
  return figure(plot, out_of_view(plot) + curve_table(all, by_time, value));
}

std::string tuning(const Comparison& all) {
  train::Plot plot;
  plot.title = "Learning rates that were tried";
  plot.x = "learning rate (logarithmic)";
  plot.y = fmt::format("validation loss, nats per {}, after a quarter of the budget", all.ground.unit);
  plot.log_x = true;
  Rows rows = {{"model", "learning rate", "loss", ""}};
  for (std::size_t i = 0; i < all.contenders.size(); ++i) {
    const Contender& c = all.contenders[i];
    train::PlotLine line{.name = c.label, .colour = static_cast<int>(i), .dots = true};
    for (const TriedRate& t : c.trials) {
      const Validation* best = t.run.reached.best();
      const bool finished = t.run.reached.state == "finished" && best;
      if (finished) line.points.push_back({t.rate, best->loss});
      rows.push_back({c.label, fmt::format("{:g}", t.rate),
                      finished ? fmt::format("{:.4f}", best->loss) : t.run.reached.state,
                      t.rate == c.rate && finished ? "chosen" : ""});
    }
    plot.lines.push_back(line);
  }
  if (rows.size() == 1) return {};
  return train::heading("Learning rates") + figure(plot, train::html_table(rows));
}

std::string runs_table(const Comparison& all) {
  Rows rows = {{"model", "seed", "state", "steps", "best loss", "at step", "last loss", "seconds", "tokens/s"}};
  for (const Contender& c : all.contenders) {
    for (std::size_t i = 0; i < c.runs.size(); ++i) {
      const TrainRun& run = c.runs[i];
      const Validation* best = run.reached.best();
      rows.push_back({c.label, fmt::format("{}", i + 1), run.reached.state, train::grouped(run.reached.steps),
                      best ? fmt::format("{:.4f}", best->loss) : "-", best ? train::grouped(best->step) : "-",
                      best ? fmt::format("{:.4f}", run.reached.validations.back().loss) : "-",
                      fmt::format("{:.1f}", run.reached.seconds), fmt::format("{:.0f}", run.tokens_per_second())});
    }
  }
  return rows.size() > 1 ? train::heading("Runs") + train::html_table(rows) : "";
}

std::string without_sections(const Contender& c) {
  std::string text;
  bool inside = true;
  std::istringstream lines(c.expanded);
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line[0] != ' ') {
      const auto& tables = train::option_tables();
      inside = std::none_of(tables.begin(), tables.end(),
                            [&](const dsl::Option& t) { return line.starts_with(t.name + ":"); });
    }
    if (inside) text += line + "\n";
  }
  return text;
}

std::string descriptions(const Comparison& all) {
  std::string html =
      train::heading("The models") + train::paragraph(
                                         "Each with all that it imports and uses; of every model after the first, what "
                                         "differs from the first as well.");
  const std::string first = without_sections(all.contenders[0]);
  for (std::size_t i = 0; i < all.contenders.size(); ++i) {
    const Contender& c = all.contenders[i];
    const std::string own = without_sections(c);
    html += train::folded(fmt::format("{} ({})", c.label, c.options.path), train::preformatted(own));
    if (i == 0) continue;
    const std::string other = difference(first, own, 2);
    html += train::folded(fmt::format("{} beside {}", c.label, all.contenders[0].label),
                          other.empty() ? train::paragraph("no difference") : train::marked_lines(other));
  }
  return html + train::folded("data, training, validation: the same for all", train::preformatted(all.sections));
}

std::string environment(const Comparison& all) {
  const std::string cpu = cpu_line("model name");
  return train::heading("To repeat it") + train::preformatted(command_of(all)) +
         train::html_table({{"what", "value"},
                            {"program", "weft " WEFT_VERSION},
                            {"processor", cpu.empty() ? "unknown" : cpu},
                            {"runs on", all.machine},
                            {"folder", all.folder.string()}});
}

}  // namespace

std::string page_of(const Comparison& all, const std::vector<Summary>& sums) {
  std::string names;
  for (const Contender& c : all.contenders) names += (names.empty() ? "" : ", ") + c.label;
  std::string body = train::html_table(table_of(all, sums));
  const bool unfinished = std::any_of(sums.begin(), sums.end(), [](const Summary& s) { return s.unfinished > 0; }) ||
                          all.contenders[0].runs.empty();
  if (unfinished) body += train::paragraph("Not all runs are finished.");
  for (const std::string& line : how_measured(all)) body += train::paragraph(line);
  const std::string y = fmt::format("validation loss, nats per {}", all.ground.unit);
  body += train::heading("Validation");
  body += curve(all, "Validation loss by step", y, false, loss_at);
  body += curve(all, "Validation loss by time", y, true, loss_at);
  body += curve(all, "Accuracy by step", "accuracy on the validation part", false, accuracy_at);
  body += tuning(all) + runs_table(all) + descriptions(all) + environment(all);
  return train::page(fmt::format("{} on {}", names, all.task_name()), body);
}

}  // namespace weft::cli
