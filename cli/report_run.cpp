// What is known of a run: its description, its log, its samples.
#include <algorithm>
#include <limits>
#include <set>

#include "cli/output.h"
#include "cli/report.h"
#include "dsl/equations.h"
#include "dsl/yaml.h"
#include "models/library.h"
#include "train/session.h"

namespace weft::cli {
namespace {

namespace fs = std::filesystem;

// Without the data when they are gone: a report looks back.
std::optional<Work> work_of(const dsl::SourcePtr& source, const Options& options, const fs::path& run,
                            std::vector<std::string>& troubles) {
  Preparation how = preparation_of(run);
  how.starts = false;
  try {
    return prepare(source, options, how);
  } catch (const Reported&) {
    troubles.push_back("This program does not accept its description any more: `weft check` says why.");
    return {};
  } catch (const Error& e) {
    troubles.push_back(fmt::format("Its data cannot be read now: {}", e.what()));
  }
  how.data = WithData::no;
  if (how.tokenizer) how.sizes = how.tokenizer->vocab();
  try {
    return prepare(source, options, how);
  } catch (const Reported&) {
  } catch (const Error&) {  // the same trouble again
  }
  return {};
}

void flatten(const dsl::Yaml& value, const std::string& path, std::vector<std::pair<std::string, std::string>>& to) {
  if (!value.is_map() || value.entries.empty()) {
    to.emplace_back(path, dsl::short_text(value));
    return;
  }
  for (const dsl::Entry& e : value.entries) flatten(e.value, path + "." + e.key.text, to);
}

std::vector<std::pair<std::string, std::string>> settings_of(const dsl::Description& description) {
  dsl::Diagnostics ignored;
  const dsl::Yaml tree = dsl::read_yaml(dsl::make_source("", description.resolved(ignored)), ignored);
  std::vector<std::pair<std::string, std::string>> all;
  for (const char* section : {"params", "data", "train", "eval", "generate"}) {
    if (const dsl::Yaml* found = tree.find(section)) flatten(*found, section, all);
  }
  return all;
}

// The description with all that it takes from elsewhere: there the equations of every def are.
void write_equations(const dsl::Description& description, Described& to) {
  std::set<std::string> own;
  for (const dsl::Def& def : description.file().defs) {
    own.insert(def.name);
    to.equations.emplace_back(def.name, dsl::equations(def));
  }
  dsl::Diagnostics ignored;
  std::vector<std::string> notes;
  const dsl::Description whole(dsl::make_source("", description.expanded(notes, ignored)), {}, surroundings(), ignored);
  const auto add = [&](const std::string& prefix, const dsl::File& file) {
    for (const dsl::Def& def : file.defs) {
      if (!own.contains(prefix + def.name)) to.borrowed.emplace_back(prefix + def.name, dsl::equations(def));
    }
  };
  add("", whole.file());
  for (const auto& [alias, file] : whole.file().rooms) add(alias + ".", *file);
  const std::function<void(const std::vector<dsl::Item>&)> inlined = [&](const std::vector<dsl::Item>& items) {
    for (const dsl::Item& item : items) {
      if (item.inside) add("", *item.inside), inlined(item.inside->model);
      inlined(item.body);
      for (const auto& branch : item.branches) inlined(branch);
    }
  };
  inlined(whole.file().model);
}

void describe(const Work& work, Described& to) {
  to.train = train::train_options(work.train);
  to.weight_count = work.model->weight_count();
  to.weights = work.model->weights();
  // Without its data only the rows of a text have a length that is known.
  if (work.data || work.train.given("context")) to.need = need_of(work, to.train);
  if (work.data) to.ground = ground_of(work, to.train);
}

std::string command_of(const RunReport& r) {
  const std::string run = r.place.string(), text = (r.place / "data" / "text.txt").string();
  std::string line = fmt::format("./weft train {} --run-dir {}", train::shell_word(run + "/description.yaml"),
                                 train::shell_word(run + "_again"));
  std::error_code none;
  if (fs::exists(text, none) && train::read_file(text) != models::builtin_text())
    line += " --set " + train::shell_word("data.text.path=" + text);  // the built-in text is another one by now
  const auto* start = r.history.last("start");
  if (start && start->detail.starts_with("products loops")) line += " --products loops";
  return line;
}

}  // namespace

std::string RunReport::state() const { return worker ? "training" : history.state; }

std::string RunReport::state_text() const {
  const std::string at = fmt::format("step {}{}", train::grouped(history.steps),
                                     described.train.steps > 0 ? " of " + train::grouped(described.train.steps) : "");
  if (worker) return fmt::format("still training (process {}): {}", *worker, at);
  if (history.state == "diverged") return fmt::format("diverged after {}: {}", at, history.last("diverged")->detail);
  if (history.state == "finished") {
    const std::string early = history.last("end")->detail;
    return early.empty() ? fmt::format("finished: {} steps", train::grouped(history.steps)) : early;
  }
  if (history.state == "not begun") return "not begun: there is no log";
  const auto& events = history.events;
  const bool saved = !events.empty() && events.back().kind == "interrupted";
  return saved ? "stopped by a signal, and saved, after " + at : "ended without a word after " + at;
}

i64 RunReport::tokens_per_step() const {
  const train::TrainOptions& o = described.train;
  if (!described.need) return 0;
  return o.batch * o.accumulate * (described.ground ? described.ground->length : o.context);
}

double RunReport::tokens_per_second() const {
  const double tokens = static_cast<double>(history.steps * tokens_per_step());
  return history.seconds > 0 ? tokens / history.seconds : 0;
}

double RunReport::peak_bytes() const {
  double most = 0;
  for (const auto& u : history.updates) most = std::max(most, u.peak_bytes);
  return most;
}

RunReport read_run(const fs::path& place) {
  train::require_run(place);
  RunReport r;
  r.place = place;
  r.text = train::read_file(place / "description.yaml");
  Options options;
  options.path = (place / "description.yaml").string();
  const dsl::SourcePtr source = read_description(options);
  dsl::Diagnostics ignored;  // `prepare` tells them
  const dsl::Description description(source, {}, surroundings(), ignored);
  r.described.name = description.name();
  r.described.about = description.file().about;
  if (const auto work = work_of(source, options, place, r.troubles)) {
    describe(*work, r.described);
    r.described.settings = settings_of(description);
    write_equations(description, r.described);
  } else {
    r.described.train.steps = 0;
  }
  r.history = train::read_history(place, r.described.train.steps);
  r.samples = train::read_samples(place);
  r.worker = train::worker(place);
  const train::Metadata saved = newest_metadata(place);
  if (const auto hash = saved.find("text_hash"); hash != saved.end()) r.data_hash = hash->second;
  r.command = command_of(r);
  const i64 half = r.history.unread;
  if (half > 0 && !r.worker)
    r.troubles.push_back(fmt::format("{} {} of its log cannot be read.", half, half == 1 ? "line" : "lines"));
  const auto& all = r.history.events;
  const bool longer = std::any_of(all.begin(), all.end(), [&](const auto& e) {
    return e.kind == "end" && e.detail.empty() && e.step < r.described.train.steps;
  });
  if (longer)
    r.troubles.push_back(
        "It was ended and resumed for more steps: a run of as many from the start has another schedule.");
  return r;
}

}  // namespace weft::cli
