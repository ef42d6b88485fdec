// What a person sees while a run goes on: one line that is redrawn on a terminal, plain lines
// elsewhere.
#pragma once
#include <chrono>
#include <deque>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

#include "engine/error.h"

namespace weft::train {

/// Where messages go, and whether a line there can be drawn again.
struct Terminal {
  std::ostream& out;
  bool redraws = false;
  int columns = 80;

  /// stderr; a dumb terminal cannot redraw.
  static Terminal standard_error();
};

class StepLine {
 public:
  /// `tokens` per step; `first` is the step already done when this process starts.
  StepLine(Terminal& terminal, i64 first, i64 steps, i64 tokens, i64 log_every);
  ~StepLine() { clear(); }
  StepLine(const StepLine&) = delete;
  StepLine& operator=(const StepLine&) = delete;

  /// After every step. Draws at most ten times a second on a terminal, else a line every
  /// `log_every` steps or 30 s.
  void step(i64 step, double loss);
  /// `accuracy` of a task, where it says more than the loss.
  void validation(double loss, std::optional<double> accuracy) { validation_ = loss, accuracy_ = accuracy; }
  /// Prints a text of whole lines; a drawn line makes way for it.
  void print(std::string_view text);
  /// Tokens per second, measured over the last second or more.
  double speed() const { return speed_; }

 private:
  using Clock = std::chrono::steady_clock;
  std::string text(i64 step) const;
  void measure(i64 step, Clock::time_point now);
  void clear();
  Terminal& terminal_;
  i64 first_, steps_, tokens_, log_every_;
  Clock::time_point start_, drawn_, measured_;
  i64 measured_step_;
  double speed_ = 0;
  std::optional<double> validation_, accuracy_;
  std::deque<double> losses_;  // the last few: one step's loss alone jumps too much to read
  bool line_shown_ = false;
};

/// Text of a model as a terminal may have it: lines and tabs stay, escape sequences do not.
std::string safe_lines(std::string_view text);

/// A number in groups of three digits: "397,344".
std::string grouped(i64 number);

/// Hours, minutes and seconds: "1:02:03", "2:03".
std::string duration(double seconds);

}  // namespace weft::train
