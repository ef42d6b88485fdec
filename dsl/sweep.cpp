#include "dsl/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "dsl/fields.h"
#include "dsl/structure.h"

namespace weft::dsl {
namespace {

using Axis = std::vector<std::vector<SweepSetting>>;  // its points, each some settings

constexpr std::size_t kMostRuns = 1000;

bool is_settable(const Entry& entry, Diagnostics& diagnostics) {
  const std::string& path = entry.key.text;
  const std::string top = path.substr(0, path.find('.'));
  if (top != "sweep" && top != "schema" && top != "import") return true;
  diagnostics.error("E0506", entry.key.span, fmt::format("`{}` cannot be swept over", path))
      .help("a path begins with `params`, `train`, `data`, `eval`, `generate`, `defs` or `model`");
  return false;
}

// One axis for each path.
std::vector<Axis> read_grid(const Yaml& grid, Diagnostics& diagnostics) {
  std::vector<Axis> axes;
  if (!expect_kind(grid, Yaml::Kind::map, "`grid`", diagnostics)) return axes;
  for (const Entry& entry : grid.entries) {
    if (!is_settable(entry, diagnostics) ||
        !expect_kind(entry.value, Yaml::Kind::list, fmt::format("the values of `{}`", entry.key.text), diagnostics))
      continue;
    if (entry.value.items.empty())
      diagnostics.error("E0506", entry.value.span, fmt::format("`{}` has no values", entry.key.text));
    Axis& axis = axes.emplace_back();
    for (const Yaml& value : entry.value.items) axis.push_back({{entry.key.text, entry.key.span, value}});
  }
  return axes;
}

Axis read_list(const Yaml& list, Diagnostics& diagnostics) {
  Axis axis;
  if (!expect_kind(list, Yaml::Kind::list, "`list`", diagnostics)) return axis;
  if (list.items.empty()) diagnostics.error("E0506", list.span, "`list` has no runs");
  for (const Yaml& point : list.items) {
    axis.emplace_back();
    if (!expect_kind(point, Yaml::Kind::map, "an entry of `list`", diagnostics)) continue;
    for (const Entry& entry : point.entries) {
      if (is_settable(entry, diagnostics)) axis.back().push_back({entry.key.text, entry.key.span, entry.value});
    }
  }
  return axis;
}

void check_paths_differ(const std::vector<Axis>& axes, Diagnostics& diagnostics) {
  std::map<std::string, std::pair<const Axis*, Span>> seen;
  for (const Axis& axis : axes) {
    for (const auto& point : axis) {
      for (const SweepSetting& s : point) {
        const auto [found, fresh] = seen.emplace(s.path, std::pair(&axis, s.span));
        if (fresh || found->second.first == &axis) continue;
        diagnostics.error("E0506", s.span, fmt::format("`{}` is set by `grid` and by `list`", s.path))
            .note("also here", found->second.second);
        return;
      }
    }
  }
}

// The end of a path that no other path has: "width" of "params.width".
std::string label(const std::string& path, const std::set<std::string>& paths) {
  for (std::size_t at = path.size();;) {
    const std::size_t dot = path.rfind('.', at - 1);
    if (dot == std::string::npos || dot == 0) return path;
    const std::string end = path.substr(dot);
    const auto others = std::count_if(paths.begin(), paths.end(), [&](const auto& p) { return p.ends_with(end); });
    if (others == 1) return end.substr(1);
    at = dot;
  }
}

std::string folder_name(const std::string& text) {
  constexpr std::size_t kLongest = 120;  // of 255 that file systems take
  std::string name;
  for (const char c : text.substr(0, kLongest)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    name += plain || std::string_view("_=,+.-").find(c) != std::string_view::npos ? c : '-';
  }
  return name;
}

void name_runs(std::vector<SweepRun>& runs) {
  std::set<std::string> paths, taken;
  for (const SweepRun& run : runs) {
    for (const SweepSetting& s : run.settings) paths.insert(s.path);
  }
  for (SweepRun& run : runs) {
    std::string text;
    for (const SweepSetting& s : run.settings)
      text += fmt::format("{}{}={}", text.empty() ? "" : ",", label(s.path, paths), short_text(s.value));
    const std::string name = text.empty() ? "as_written" : folder_name(text);
    run.name = name;
    for (int n = 2; !taken.insert(run.name).second; ++n) run.name = fmt::format("{}-{}", name, n);
  }
}

}  // namespace

std::string short_text(const Yaml& value) {
  if (value.is_scalar()) return value.text;
  std::string text;
  for (const Yaml& item : value.items) text += (text.empty() ? "" : ", ") + short_text(item);
  for (const Entry& e : value.entries) text += (text.empty() ? "" : ", ") + e.key.text + ": " + short_text(e.value);
  return value.is_list() ? "[" + text + "]" : "{" + text + "}";
}

std::vector<SweepRun> read_sweep(const Entry& sweep, Diagnostics& diagnostics) {
  const int before = diagnostics.error_count();
  expect_keys(sweep.value, "`sweep`", key_names("sweep"), diagnostics);
  if (!sweep.value.is_map()) return {};
  std::vector<Axis> axes;
  if (const Yaml* list = sweep.value.find("list")) axes.push_back(read_list(*list, diagnostics));
  if (const Yaml* grid = sweep.value.find("grid")) {
    for (Axis& axis : read_grid(*grid, diagnostics)) axes.push_back(std::move(axis));
  }
  check_paths_differ(axes, diagnostics);
  if (axes.empty() && diagnostics.error_count() == before)
    diagnostics.error("E0506", sweep.key.span, "the sweep has no settings")
        .help("as in `grid: {params.width: [64, 128]}`");
  if (diagnostics.error_count() > before) return {};
  std::vector<SweepRun> runs(1);
  for (const Axis& axis : axes) {
    if (runs.size() * axis.size() > kMostRuns) {
      diagnostics.error("E0506", sweep.key.span, fmt::format("the sweep has more than {} runs", kMostRuns));
      return {};
    }
    std::vector<SweepRun> more;
    for (const SweepRun& run : runs) {
      for (const auto& point : axis) {
        more.push_back(run);
        more.back().settings.insert(more.back().settings.end(), point.begin(), point.end());
      }
    }
    runs = std::move(more);
  }
  name_runs(runs);
  return runs;
}

}  // namespace weft::dsl
