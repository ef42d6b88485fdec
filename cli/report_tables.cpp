// The tables of a report: what runs reached, what they cost, where they ran, in what they differ.
#include <algorithm>
#include <ctime>
#include <map>
#include <numbers>

#include "cli/output.h"
#include "cli/report.h"
#include "train/page.h"

namespace weft::cli {
namespace {

using Rows = std::vector<std::vector<std::string>>;
using Runs = std::vector<RunReport>;
using train::grouped;

// Properties of runs; one that no run has is left out. Of one run they stand below each other; of several a row is a
// run, and what is the same for all stands apart.
class Facts {
 public:
  explicit Facts(const Runs& runs) : runs_(runs), rows_{{""}} {
    for (const RunReport& r : runs) rows_[0].push_back(r.label);
  }
  Facts& add(const std::string& name, const std::function<std::string(const RunReport&)>& value) {
    std::vector<std::string> row = {name};
    bool any = false;
    for (const RunReport& r : runs_) {
      const std::string text = value(r);
      any = any || !text.empty();
      row.push_back(text.empty() ? "-" : text);
    }
    if (any) rows_.push_back(row);
    return *this;
  }
  std::string html() const {
    if (runs_.size() == 1) return train::html_table(rows_);
    Rows differ(runs_.size() + 1), same = {{"the same for all", ""}};
    for (const auto& row : rows_) {
      const bool equal = std::all_of(row.begin() + 1, row.end(), [&](const std::string& v) { return v == row[1]; });
      if (equal) same.push_back({row[0], row[1]});
      else
        for (std::size_t i = 0; i < row.size(); ++i) differ[i].push_back(row[i]);
    }
    return train::html_table(differ) + (same.size() > 1 ? train::html_table(same) : "");
  }

 private:
  const Runs& runs_;
  Rows rows_;
};

std::string date(double seconds) {
  if (seconds <= 0) return {};
  const std::time_t time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min);
}

}  // namespace

std::string summary_of(const Runs& runs) {
  const auto best = [](const RunReport& r) { return r.history.best(); };
  Facts facts(runs);
  facts.add("state", [](const RunReport& r) { return r.state_text(); })
      .add("model", [](const RunReport& r) { return train::shortened(r.described.name, 80); })
      .add(fmt::format("best validation, nats per {}", runs[0].unit()),
           [&](const RunReport& r) { return best(r) ? fmt::format("{:.4f}", best(r)->loss) : ""; })
      .add("in bits",
           [&](const RunReport& r) { return best(r) ? fmt::format("{:.4f}", best(r)->loss / std::numbers::ln2) : ""; })
      .add("at step", [&](const RunReport& r) { return best(r) ? grouped(best(r)->step) : ""; })
      .add("accuracy there",
           [&](const RunReport& r) {
             return best(r) && best(r)->accuracy ? fmt::format("{:.2f} %", 100 * *best(r)->accuracy) : "";
           })
      .add("last training loss",
           [](const RunReport& r) {
             return r.history.updates.empty() ? "" : fmt::format("{:.4f}", r.history.updates.back().loss);
           })
      .add("without a network",
           [](const RunReport& r) { return r.described.ground ? r.described.ground->floors_text() : ""; })
      .add("weights",
           [](const RunReport& r) {
             return r.described.weights.empty() ? ""
                                                : fmt::format("{} in {} tensors", grouped(r.described.weight_count),
                                                              r.described.weights.size());
           })
      .add("data", [](const RunReport& r) { return r.described.ground ? r.described.ground->data : ""; })
      .add("tokens seen",
           [](const RunReport& r) {
             return r.tokens_per_step() > 0
                        ? fmt::format("{}, {} a step", grouped(r.tokens_per_step() * r.history.steps),
                                      grouped(r.tokens_per_step()))
                        : "";
           })
      .add("seed", [](const RunReport& r) {
        return r.described.weights.empty() ? "" : fmt::format("{}", r.described.train.seed);
      });
  return facts.html();
}

std::string costs_of(const Runs& runs) {
  Facts facts(runs);
  const auto cost = [](const RunReport& r) { return r.described.need ? &r.described.need->step : nullptr; };
  const auto accumulate = [](const RunReport& r) { return static_cast<double>(r.described.train.accumulate); };
  const auto seconds = [](const RunReport& r) {
    return r.history.steps > 0 ? r.history.seconds / static_cast<double>(r.history.steps) : 0;
  };
  facts
      .add("a step, predicted",
           [&](const RunReport& r) { return cost(r) ? flops_text(cost(r)->flops * accumulate(r)) : ""; })
      .add("a step, measured",
           [&](const RunReport& r) { return seconds(r) > 0 ? fmt::format("{:.1f} ms", 1000 * seconds(r)) : ""; })
      .add("operations a second, measured",
           [&](const RunReport& r) {
             return cost(r) && seconds(r) > 0 ? flops_text(cost(r)->flops * accumulate(r) / seconds(r)) + "/s" : "";
           })
      .add("tokens a second, measured",
           [](const RunReport& r) {
             return r.tokens_per_second() > 0 ? fmt::format("{:.0f}", r.tokens_per_second()) : "";
           })
      .add("memory, predicted",
           [](const RunReport& r) { return r.described.need ? bytes_text(r.described.need->bytes) : ""; })
      .add("memory, measured", [](const RunReport& r) { return r.peak_bytes() > 0 ? bytes_text(r.peak_bytes()) : ""; })
      .add("training, in all",
           [](const RunReport& r) { return r.history.seconds > 0 ? train::duration(r.history.seconds) : ""; })
      .add("state of a stream, predicted", [](const RunReport& r) {
        const auto bytes = r.described.need ? r.described.need->step.state_bytes : std::nullopt;
        return bytes ? bytes_text(static_cast<double>(*bytes)) + ", whatever the length" : "";
      });
  return train::heading("Cost") + facts.html() +
         train::paragraph(
             "Predicted is what `weft check` says: operations of forward and backward; tensors alive at once, weights "
             "and the optimizer's memory included. Measured is the time of training steps (validation, samples and saving are "
             "not counted) and the most bytes of tensors alive at once in the whole program, validation included.");
}

std::string environment_of(const Runs& runs) {
  std::string commands;
  for (const RunReport& r : runs) commands += r.command + "\n";
  const auto detail = [](const char* kind) {
    return [kind](const RunReport& r) { return r.history.last(kind) ? r.history.last(kind)->detail : ""; };
  };
  const auto time = [](const RunReport& r, bool first) {
    const auto& all = r.history.events;
    return all.empty() ? "" : date(first ? all.front().time : all.back().time);
  };
  Facts facts(runs);
  facts.add("program", detail("program"))
      .add("ran on", detail("start"))
      .add("resumed on", detail("resume"))
      .add("weights from", detail("from"))
      .add("began", [&](const RunReport& r) { return time(r, true); })
      .add("last event", [&](const RunReport& r) { return time(r, false); })
      .add("data, hash", [](const RunReport& r) { return r.data_hash; })
      .add("precision",
           [](const RunReport& r) {
             return r.described.weights.empty() ? "" : std::string(name(r.described.train.dtype));
           })
      .add("folder", [](const RunReport& r) { return std::filesystem::absolute(r.place).lexically_normal().string(); });
  return train::heading("To repeat it") + train::preformatted(commands) +
         train::paragraph("The same seed gives the same bytes of weights, by any number of threads.") +
         train::heading("Environment") + facts.html();
}

std::vector<std::vector<std::string>> differing_settings(const Runs& runs) {
  constexpr std::size_t kRows = 200;
  std::vector<std::string> order;
  std::map<std::string, std::vector<std::string>> values;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    for (const auto& [path, value] : runs[i].described.settings) {
      auto& row = values[path];
      if (row.empty()) order.push_back(path), row.resize(runs.size(), "-");
      row[i] = train::shortened(value, 60);
    }
  }
  Rows rows = {{"setting"}};
  for (const RunReport& r : runs) rows[0].push_back(r.label);
  for (const std::string& path : order) {
    const auto& row = values[path];
    if (rows.size() > kRows || std::all_of(row.begin(), row.end(), [&](const auto& v) { return v == row[0]; }))
      continue;
    rows.push_back({train::shortened(path, 80)});
    rows.back().insert(rows.back().end(), row.begin(), row.end());
  }
  return rows;
}

}  // namespace weft::cli
