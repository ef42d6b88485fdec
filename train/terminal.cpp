#include "train/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <numeric>

#include "dsl/source.h"

namespace weft::train {
namespace {

using std::chrono::duration_cast;
constexpr std::size_t kAveraged = 20;  // steps behind the loss that is shown

double seconds(std::chrono::steady_clock::duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

Terminal Terminal::standard_error() {
  const char* term = std::getenv("TERM");
  Terminal terminal{std::cerr, ::isatty(2) == 1 && term && std::string_view(term) != "dumb"};
  winsize size{};
  if (terminal.redraws && ::ioctl(2, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) terminal.columns = size.ws_col;
  return terminal;
}

StepLine::StepLine(Terminal& terminal, i64 first, i64 steps, i64 tokens, i64 log_every)
    : terminal_(terminal),
      first_(first),
      steps_(steps),
      tokens_(tokens),
      log_every_(log_every),
      start_(Clock::now()),
      drawn_(start_),
      measured_(start_),
      measured_step_(first) {}

void StepLine::measure(i64 step, Clock::time_point now) {
  const double time = seconds(now - measured_);
  if (speed_ != 0 && time < 1) return;
  speed_ = static_cast<double>((step - measured_step_) * tokens_) / std::max(time, 1e-9);
  measured_ = now;
  measured_step_ = step;
}

void StepLine::step(i64 step, double loss) {
  losses_.push_back(loss);
  if (losses_.size() > kAveraged) losses_.pop_front();
  const Clock::time_point now = Clock::now();
  measure(step, now);
  const double waited = seconds(now - drawn_);
  if (terminal_.redraws) {
    if (waited < 0.1 && step != steps_) return;
    drawn_ = now;
    line_shown_ = true;
    const std::string line = text(step);
    terminal_.out << '\r' << line.substr(0, static_cast<std::size_t>(std::max(1, terminal_.columns - 1))) << "\x1b[K"
                  << std::flush;
    return;
  }
  if (step % log_every_ != 0 && step != steps_ && waited < 30) return;
  drawn_ = now;
  terminal_.out << text(step) << '\n' << std::flush;
}

std::string StepLine::text(i64 step) const {
  const double mean = std::accumulate(losses_.begin(), losses_.end(), 0.0) / static_cast<double>(losses_.size());
  // From the start of this process, so that validation and saving count as they will count.
  const double each = seconds(Clock::now() - start_) / static_cast<double>(std::max<i64>(1, step - first_));
  std::string validation = validation_ ? fmt::format("{:.4f}", *validation_) : "-";
  if (accuracy_) validation += fmt::format(" ({:.1f} %)", 100 * *accuracy_);
  return fmt::format("step {}/{} | loss {:.4f} | val {} | {:.0f} tok/s | left {}", step, steps_, mean, validation,
                     speed_, duration(each * static_cast<double>(steps_ - step)));
}

void StepLine::clear() {
  if (line_shown_) terminal_.out << "\r\x1b[K" << std::flush;
  line_shown_ = false;
}

void StepLine::print(std::string_view text) {
  clear();
  terminal_.out << text << std::flush;
}

std::string safe_lines(std::string_view text) {
  std::string safe;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find_first_of("\n\t", begin), text.size());
    safe += dsl::printable(text.substr(begin, end - begin));
    if (end < text.size()) safe += text[end];
    begin = end + 1;
  }
  return safe;
}

std::string grouped(i64 number) {
  std::string digits = std::to_string(number);
  for (i64 i = static_cast<i64>(digits.size()) - 3; i > (number < 0 ? 1 : 0); i -= 3)
    digits.insert(static_cast<std::size_t>(i), ",");
  return digits;
}

std::string duration(double seconds) {
  const i64 all = static_cast<i64>(std::llround(std::clamp(seconds, 0.0, 1e9)));
  const i64 hours = all / 3600, minutes = all / 60 % 60;
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, all % 60);
  return fmt::format("{}:{:02}", minutes, all % 60);
}

}  // namespace weft::train
