// The page of a report.
#include <algorithm>

#include "cli/difference.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/tensors.h"
#include "cli/verdicts.h"
#include "train/page.h"
#include "train/session.h"

namespace weft::cli {
namespace {

using Rows = std::vector<std::vector<std::string>>;
using Runs = std::vector<RunReport>;
using train::grouped;

std::string troubles(const Runs& runs) {
  std::string html;
  for (const RunReport& r : runs) {
    for (const std::string& t : r.troubles) html += train::paragraph(runs.size() == 1 ? t : r.label + ": " + t);
  }
  return html;
}

// The first, the last, and some between; of several runs the last of each.
std::string samples(const Runs& runs) {
  constexpr std::size_t kShown = 6, kLetters = 1500;
  std::string html;
  for (const RunReport& r : runs) {
    const std::size_t all = r.samples.size(),
                      shown = runs.size() > 1 ? std::min<std::size_t>(all, 1) : std::min(all, kShown);
    for (std::size_t i = 0; i < shown; ++i) {
      const train::Sample& s = r.samples[shown == 1 ? all - 1 : i * (all - 1) / (shown - 1)];
      const std::string head = fmt::format("{}step {}", runs.size() > 1 ? r.label + ", " : "", grouped(s.step));
      html +=
          fmt::format("<h3>{}</h3>\n{}", train::escaped(head), train::preformatted(train::shortened(s.text, kLetters)));
    }
    if (shown < all && runs.size() == 1)
      html += train::paragraph(fmt::format("{} of {} samples; all are in samples.txt.", shown, all));
  }
  return html.empty() ? "" : train::heading("Samples over time") + html;
}

// `model.1.residual.body.0.ffn.W1` stands under `model.1.residual.body.0.ffn`.
std::string layers(const RunReport& r) {
  constexpr std::size_t kRows = 300;
  struct Layer {
    std::string place, weights;
    i64 count = 0;
  };
  std::vector<Layer> all;
  for (const dsl::Weight& w : r.described.weights) {
    const std::size_t dot = w.name.rfind('.');
    const std::string place = dot == std::string::npos ? "" : w.name.substr(0, dot), name = w.name.substr(dot + 1);
    if (all.empty() || all.back().place != place) all.push_back({place, "", 0});
    const std::string note = remark(w);
    all.back().weights += fmt::format("{}{} {}{}", all.back().weights.empty() ? "" : ", ", name, text(w.shape),
                                      note.empty() ? "" : " (" + note + ")");
    all.back().count += element_count(w.shape);
  }
  Rows rows = {{"layer", "parameters", "share", "weights"}};
  for (const Layer& l : all) {
    if (rows.size() > kRows) break;
    rows.push_back({train::shortened(l.place, 120), grouped(l.count),
                    fmt::format("{:.1f} %", 100.0 * static_cast<double>(l.count) /
                                                static_cast<double>(std::max<i64>(1, r.described.weight_count))),
                    train::shortened(l.weights, 400)});
  }
  std::string html = train::html_table(rows);
  if (all.size() >= rows.size())
    html += train::paragraph(fmt::format("and {} more layers: `./weft check {} --weights` lists all.",
                                         all.size() - rows.size() + 1,
                                         train::shell_word((r.place / "description.yaml").string())));
  return html;
}

std::string equations(const std::vector<std::pair<std::string, std::string>>& defs) {
  constexpr std::size_t kMost = 40'000;  // letters: a page is below a megabyte, whatever it is about
  std::string text;
  for (const auto& [name, lines] : defs) text += (text.empty() ? "" : "\n") + lines;
  return text.empty() ? ""
                      : "<div class='equations'>" + train::preformatted(train::shortened(text, kMost)) + "</div>\n";
}

// Folded where there are several runs, so that what differs stays in sight.
std::string models(const Runs& runs) {
  const std::size_t most = 100'000 / runs.size();
  std::string html;
  for (const RunReport& r : runs) {
    const Described& d = r.described;
    std::string one;
    if (!d.about.empty()) one += train::paragraph(train::shortened(d.about, 2000));
    one += equations(d.equations);
    if (!d.borrowed.empty()) {
      const std::string of = equations(d.borrowed);
      one += d.equations.empty() ? of : train::folded("Layers of the library that it uses", of);
    }
    if (!d.weights.empty()) one += layers(r);
    one += train::folded("The description, as it was trained", train::preformatted(train::shortened(r.text, most)));
    html += runs.size() == 1 ? one : train::folded(r.label, one);
  }
  return train::heading("The model") + html;
}

std::string verdicts(const Runs& runs) {
  std::string html;
  for (const RunReport& r : runs) {
    const std::string line =
        fmt::format("./weft verify {}", train::shell_word((r.place / "description.yaml").string()));
    if (!r.verdicts) {
      html += train::paragraph(fmt::format("{}not run for this report. `--verify` adds it, and so does by itself:",
                                           runs.size() > 1 ? r.label + ": " : "It was ")) +
              train::preformatted(line);
      continue;
    }
    Rows rows = {{"", "property", "worst", "what was seen"}};
    for (const verify::Line& l : r.verdicts->lines) {
      const VerdictCells c = cells_of(l);
      std::string seen = c.about;
      if (c.verdict == "FAILS") seen += fmt::format("; worst: {}; smallest: {}", l.finding.where, l.smallest);
      rows.push_back({c.verdict, c.property, c.worst, seen});
    }
    html += train::paragraph(heading_of(r.label, *r.verdicts)) + train::html_table(rows);
  }
  return train::heading("Proofs") + html;
}

// Rows as columns.
Rows turned(const Rows& rows) {
  Rows columns(rows[0].size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) columns[i].push_back(row[i]);
  }
  return columns;
}

std::string differences(const Runs& runs) {
  if (runs.size() == 1) return {};
  const Rows rows = differing_settings(runs);
  std::string html = train::heading("What differs");
  html += rows.size() > 1 ? train::html_table(runs.size() > rows.size() ? turned(rows) : rows)
                          : train::paragraph("No option and no param differs.");
  for (std::size_t i = 1; i < runs.size(); ++i) {
    const std::string lines = difference(runs[0].text, runs[i].text, 2);
    html += lines.empty() ? train::paragraph(fmt::format("{} has the description of {}.", runs[i].label, runs[0].label))
                          : train::folded(fmt::format("{} beside {}, line by line", runs[i].label, runs[0].label),
                                          train::marked_lines(train::shortened(lines, 60'000 / runs.size())));
  }
  return html;
}

}  // namespace

std::string page_of(const Runs& runs) {
  std::string title;
  for (const RunReport& r : runs) title += (title.empty() ? "" : ", ") + r.label;
  title = train::shortened(title, 160);
  const std::string& name = runs[0].described.name;
  if (runs.size() == 1 && name != title) title = fmt::format("{}: {}", train::shortened(name, 80), title);
  return train::page(title, summary_of(runs) + troubles(runs) + differences(runs) + train::heading("Curves") +
                                figures_of(runs) + samples(runs) + models(runs) + costs_of(runs) + verdicts(runs) +
                                environment_of(runs));
}

}  // namespace weft::cli
