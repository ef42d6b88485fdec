#include "train/history.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <nlohmann/json.hpp>

namespace weft::train {
namespace {

using Json = nlohmann::json;

double number(const Json& event, const char* key, double otherwise) {
  const auto found = event.find(key);
  return found != event.end() && found->is_number() ? found->get<double>() : otherwise;
}

i64 step_of(const Json& event) {
  const auto found = event.find("step");
  return found != event.end() && found->is_number_integer() ? found->get<i64>() : 0;
}

std::string word(const Json& event, const char* key) {
  const auto found = event.find(key);
  return found != event.end() && found->is_string() ? found->get<std::string>() : "";
}

RunLog::Step update_of(const Json& event, i64 step) {
  RunLog::Step s{.step = step};
  s.loss = number(event, "loss", NAN);
  s.learning_rate = number(event, "learning_rate", NAN);
  s.gradient_norm = number(event, "gradient_norm", NAN);
  s.update_norm = number(event, "update_norm", NAN);
  s.weight_norm = number(event, "weight_norm", NAN);
  s.tokens_per_second = number(event, "tokens_per_second", NAN);
  s.seconds = number(event, "seconds", 0);
  s.peak_bytes = number(event, "peak_bytes", 0);
  return s;
}

void take(History& h, const Json& event, i64 steps) {
  const std::string kind = word(event, "event");
  const i64 step = step_of(event);
  if (kind == "train") {
    h.updates.push_back(update_of(event, step));
    h.steps = step;
    h.seconds += h.updates.back().seconds;
    return;
  }
  if (kind == "eval") {
    Validation v{step, h.seconds, number(event, "loss", NAN), {}};
    if (const double accuracy = number(event, "accuracy", NAN); std::isfinite(accuracy)) v.accuracy = accuracy;
    if (std::isfinite(v.loss)) h.validations.push_back(v);
    return;
  }
  h.events.push_back({kind, step, word(event, "detail"), number(event, "time", 0)});
  if (kind == "end") {  // a run says why it ended before its last step
    if (!h.events.back().detail.empty() || step >= steps) h.state = "finished";
  } else if (kind == "diverged") {
    h.state = "diverged";
  } else if (kind == "resume") {
    h.state = "stopped";
  }
}

}  // namespace

const Validation* History::best() const {
  const auto found = std::min_element(validations.begin(), validations.end(),
                                      [](const Validation& a, const Validation& b) { return a.loss < b.loss; });
  return found == validations.end() ? nullptr : &*found;
}

const History::Event* History::last(std::string_view kind) const {
  const auto found = std::find_if(events.rbegin(), events.rend(), [&](const Event& e) { return e.kind == kind; });
  return found == events.rend() ? nullptr : &*found;
}

History read_history(const fs::path& run, i64 steps) {
  History h;
  const fs::path log = run / "log.jsonl";
  if (!fs::exists(log)) return h;
  h.state = "stopped";
  const std::string text = read_file(log);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const Json event = Json::parse(text.data() + begin, text.data() + end, nullptr, false);
    if (event.is_object()) take(h, event, steps);
    else ++h.unread;
    begin = end + 1;
  }
  return h;
}

std::vector<Sample> read_samples(const fs::path& run) {
  std::vector<Sample> samples;
  const fs::path file = run / "samples.txt";
  if (!fs::exists(file)) return samples;
  const std::string text = read_file(file);
  // The lines of a sample are indented by two spaces: one that starts with "step " is a heading, whatever was written.
  bool first = false;  // line of a sample
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    if (line.starts_with("step ")) {
      samples.emplace_back();
      std::from_chars(line.data() + 5, line.data() + line.size(), samples.back().step);
      first = true;
    } else if (!samples.empty()) {
      std::string& of = samples.back().text;
      of.append(first ? "" : "\n").append(line.substr(std::min<std::size_t>(2, line.size())));
      first = false;
    }
  }
  return samples;
}

}  // namespace weft::train
