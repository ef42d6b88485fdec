// weft bench FILE --profile: where the time of a step of training goes.
#include <algorithm>
#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/bench.h"
#include "cli/output.h"
#include "engine/op.h"

namespace weft::cli {
namespace {

// Part of a step; counts and sums are means over the steps.
struct Line {
  std::string what, direction;
  double calls = 0, seconds = 0, flops = 0, bytes = 0;
};

// All lines of a step, largest first. What the model spends between its ops is the engine's own; what no part explains
// comes last, as `rest`.
std::vector<Line> lines_of(const Profile& profile, const Laps& laps, double steps) {
  std::vector<Line> lines;
  double in_ops = 0;
  for (const auto& [key, row] : profile.rows()) {
    lines.push_back({key.first, key.second, static_cast<double>(row.calls) / steps, row.seconds / steps,
                     row.flops / steps, row.bytes / steps});
    in_ops += row.seconds / steps;
  }
  lines.push_back({"(engine)", "", 0, laps.model - in_ops});
  lines.push_back({"(data)", "", 0, laps.data});
  lines.push_back({"(gradient norm)", "", 0, laps.norm});
  lines.push_back({"(optimizer)", "", 0, laps.optimizer});
  std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.seconds > b.seconds; });
  lines.push_back({"(rest)", "", 0, laps.total - laps.model - laps.data - laps.norm - laps.optimizer});
  return lines;
}

void print_text(const std::vector<Line>& lines, double total) {
  std::size_t width = 4;
  for (const Line& l : lines) width = std::max(width, l.what.size());
  std::cout << fmt::format("{:<{}}  {:<8} {:>6} {:>9} {:>7} {:>9} {:>8} {:>7}\n", "what", width, "", "calls", "ms",
                           "share", "MFLOP", "GFLOP/s", "GB/s");
  for (const Line& l : lines) {
    std::cout << fmt::format("{:<{}}  {:<8} {:>6} {:>9.3f} {:>5.1f} %", l.what, width, l.direction,
                             l.calls > 0 ? fmt::format("{:.0f}", l.calls) : "", l.seconds * 1e3,
                             100 * l.seconds / total);
    if (l.calls > 0)
      std::cout << fmt::format(" {:>9.1f} {:>8.1f} {:>7.1f}", l.flops * 1e-6, l.flops / l.seconds * 1e-9,
                               l.bytes / l.seconds * 1e-9);
    std::cout << "\n";
  }
}

nlohmann::ordered_json json_of(const std::vector<Line>& lines, double total) {
  auto all = nlohmann::ordered_json::array();
  for (const Line& l : lines) {
    all.push_back({{"what", l.what},
                   {"direction", l.direction},
                   {"calls", l.calls},
                   {"ms", l.seconds * 1e3},
                   {"share", l.seconds / total},
                   {"flops", l.flops},
                   {"bytes", l.bytes}});
  }
  return all;
}

}  // namespace

void Profile::computed(const Graph& graph, const Node& node, double seconds, double flops, double bytes) {
  const std::string place = by_place_ ? graph.origin_of(node) : "";
  Row& row = rows_[{place.empty() ? node.op->name : place, node.phase == Phase::forward ? "forward" : "backward"}];
  ++row.calls;
  row.seconds += seconds;
  row.flops += flops;
  row.bytes += bytes;
}

int profile_training(Runtime& runtime, const Work& work, const BenchOptions& options) {
  Training training(runtime, work, options.clock);
  Profile profile(options.by == "place", options.clock);
  for (i64 i = 0; i < kWarmUp; ++i) training.step();
  Laps sum;
  for (i64 i = 0; i < options.steps; ++i) {
    const Laps laps = training.step(&profile);
    sum.data += laps.data, sum.model += laps.model, sum.norm += laps.norm, sum.optimizer += laps.optimizer,
        sum.total += laps.total;
  }
  const double steps = static_cast<double>(options.steps);
  const Laps mean{sum.data / steps, sum.model / steps, sum.norm / steps, sum.optimizer / steps, sum.total / steps};
  const auto lines = lines_of(profile, mean, steps);
  const double explained = 1 - lines.back().seconds / mean.total;
  const double speed = static_cast<double>(training.tokens()) / mean.total;
  if (options.common.json) {
    print_json({{"name", work.description->name()},
                {"machine", runtime.describe(training.options().precision)},
                {"steps", options.steps},
                {"batch", training.options().batch},
                {"context", training.length()},
                {"step_ms", mean.total * 1e3},
                {"tokens_per_second", speed},
                {"explained", explained},
                {"lines", json_of(lines, mean.total)}});
    return 0;
  }
  std::cout << fmt::format("{}: {} steps of {} windows of {} tokens, {:.2f} ms each, {:.0f} tokens/s; {}\n",
                           work.description->name(), options.steps, training.options().batch, training.length(),
                           mean.total * 1e3, speed, runtime.describe(training.options().precision));
  print_text(lines, mean.total);
  return 0;
}

}  // namespace weft::cli
