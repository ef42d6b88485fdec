// The reference of the options of a description, made from their table.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "dsl/options.h"

namespace weft::dsl {
namespace {

// "1000", "from 1", "cosine, linear, constant": what may stand there.
std::string values_text(const Option& o) {
  if (o.kind == OptionKind::one_of) {
    std::vector<std::string> names;
    for (const Option& child : o.children) names.push_back(child.name);
    return "one of " + fmt::format("{}", fmt::join(names, ", "));
  }
  if (!o.choices.empty()) return "one of " + fmt::format("{}", fmt::join(o.choices, ", "));
  if (o.kind == OptionKind::list || (!o.min && !o.max)) return {};
  if (o.min && o.max) return fmt::format("from {} to {}", *o.min, *o.max);
  return o.min ? fmt::format("from {}", *o.min) : fmt::format("up to {}", *o.max);
}

void collect(const Option& o, const std::string& path, std::vector<OptionRow>& rows) {
  rows.push_back({path, o.fallback.value_or(""), o.about, values_text(o)});
  if (o.kind == OptionKind::list) {
    const Option& element = o.children.at(0);
    for (const Option& child : element.children) collect(child, path + ".0." + child.name, rows);
    return;
  }
  for (const Option& child : o.children) collect(child, path + "." + child.name, rows);
}

}  // namespace

std::vector<OptionRow> option_rows(std::span<const Option> tables) {
  std::vector<OptionRow> rows;
  for (const Option& table : tables) collect(table, table.name, rows);
  return rows;
}

std::string options_text(std::span<const OptionRow> rows) {
  std::size_t path = 0, fallback = 0;
  for (const OptionRow& r : rows) {
    path = std::max(path, r.path.size());
    fallback = std::max(fallback, r.fallback.size());
  }
  std::string s;
  for (const OptionRow& r : rows) {
    const std::string values = r.values.empty() ? "" : " (" + r.values + ")";
    s += fmt::format("{:<{}}  {:<{}}  {}{}\n", r.path, path, r.fallback, fallback, r.about, values);
  }
  return s;
}

std::string options_markdown(std::span<const OptionRow> rows) {
  std::string s =
      "# Options\n\nWhat may stand under `data`, `train`, `eval` and `generate`, by the path that `--set` takes.\n"
      "Made by `./weft help options --markdown`; a test fails when it is stale.\n";
  for (const OptionRow& r : rows) {
    if (r.path.find('.') == std::string::npos) {
      s += fmt::format("\n## {}\n\n{}\n\n| path | default | meaning |\n|---|---|---|\n", r.path, r.about);
      continue;
    }
    const std::string fallback = r.fallback.empty() ? "" : "`" + r.fallback + "`";
    const std::string values = r.values.empty() ? "" : " (" + r.values + ")";
    s += fmt::format("| `{}` | {} | {}{} |\n", r.path, fallback, r.about, values);
  }
  return s;
}

}  // namespace weft::dsl
