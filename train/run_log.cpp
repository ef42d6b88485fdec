#include "train/run_log.h"

#include <charconv>
#include <ctime>
#include <nlohmann/json.hpp>

namespace weft::train {
namespace {

constexpr std::string_view kColumns = "step,tokens,split,loss,learning_rate,gradient_norm\n";

// A number as JSON and CSV have it; neither knows infinity.
std::string number(double value) { return nlohmann::json(value).dump(); }

std::string quoted(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool keep_event(std::string_view line, i64 step, i64 evaluated) {
  const nlohmann::json event = nlohmann::json::parse(line, nullptr, false);
  if (!event.is_object() || !event.contains("step") || !event["step"].is_number_integer()) return false;
  return event["step"].get<i64>() <= (event.value("event", "") == "eval" ? evaluated : step);
}

bool keep_row(std::string_view line, i64 step, i64 evaluated) {
  i64 at = 0;
  const auto parsed = std::from_chars(line.data(), line.data() + line.size(), at);
  if (parsed.ec != std::errc()) return false;
  return at <= (line.find(",valid,") != std::string_view::npos ? evaluated : step);
}

/// The file with the whole lines that `keep` wants, open for more.
template <class Keep> AppendLog trimmed(const fs::path& path, std::string_view heading, Keep keep) {
  std::string kept(heading);
  if (fs::exists(path)) {
    const std::string text = read_file(path);
    const std::string_view all = text;
    std::size_t begin = 0;
    for (std::size_t end = all.find('\n'); end != std::string_view::npos; end = all.find('\n', begin)) {
      const std::string_view line = all.substr(begin, end - begin);
      if (keep(line)) kept.append(line).append("\n");
      begin = end + 1;
    }
  }
  write_atomically(path, kept);
  return AppendLog(path);
}

// A sample's lines are indented, so a line that starts with "step " is a heading, whatever the
// model writes.
AppendLog trimmed_samples(const fs::path& path, i64 evaluated) {
  bool keeping = false;
  return trimmed(path, "", [&](std::string_view line) {
    if (!line.starts_with("step ")) return keeping;
    i64 at = 0;
    const auto parsed = std::from_chars(line.data() + 5, line.data() + line.size(), at);
    keeping = parsed.ec == std::errc() && at <= evaluated;
    return keeping;
  });
}

}  // namespace

RunLog::RunLog(const RunDir& run, i64 step, i64 evaluated)
    : log_(trimmed(run.log(), "", [&](std::string_view line) { return keep_event(line, step, evaluated); })),
      metrics_(
          trimmed(run.metrics(), kColumns, [&](std::string_view line) { return keep_row(line, step, evaluated); })),
      samples_(trimmed_samples(run.samples(), evaluated)) {}

void RunLog::step(const Step& s) {
  log_.append(fmt::format(R"({{"event":"train","step":{},"loss":{},"tokens_per_second":{},"learning_rate":{},)"
                          R"("gradient_norm":{},"update_norm":{},"weight_norm":{},"seconds":{},"peak_bytes":{:.0f}}})"
                          "\n",
                          s.step, number(s.loss), number(s.tokens_per_second), number(s.learning_rate),
                          number(s.gradient_norm), number(s.update_norm), number(s.weight_norm), number(s.seconds),
                          s.peak_bytes));
  metrics_.append(fmt::format("{},{},train,{},{},{}\n", s.step, s.tokens, number(s.loss), number(s.learning_rate),
                              number(s.gradient_norm)));
}

void RunLog::validation(i64 step, i64 tokens, double loss, double accuracy) {
  log_.append(fmt::format(R"({{"event":"eval","step":{},"loss":{},"accuracy":{}}})"
                          "\n",
                          step, number(loss), number(accuracy)));
  metrics_.append(fmt::format("{},{},valid,{},,\n", step, tokens, number(loss)));
}

void RunLog::sample(i64 step, std::string_view text) {
  std::string lines = fmt::format("step {}\n  ", step);
  for (const char c : text) {
    lines += c;
    if (c == '\n') lines += "  ";
  }
  samples_.append(lines + "\n");
}

void RunLog::event(std::string_view event, i64 step, std::string_view detail) {
  log_.append(fmt::format(R"({{"event":"{}","step":{},"detail":{},"time":{}}})"
                          "\n",
                          event, step, quoted(detail), std::time(nullptr)));
}

}  // namespace weft::train
