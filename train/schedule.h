// The learning rate over the steps, as a factor of its peak.
#pragma once
#include <algorithm>
#include <cmath>
#include <numbers>
#include <string_view>

#include "engine/error.h"

namespace weft::train {

struct Schedule {
  enum class Shape { cosine, linear, constant };
  Shape shape = Shape::cosine;
  i64 warmup = 100;    // steps from 0 up to the peak, in a straight line
  double floor = 0.1;  // what is left at the last step
};

/// The factor of step `step` (1 .. steps): step / warmup first, then from 1 down to the floor at
/// `steps`.
inline double schedule_factor(const Schedule& schedule, i64 step, i64 steps) {
  if (step < schedule.warmup) return static_cast<double>(step) / static_cast<double>(schedule.warmup);
  if (schedule.shape == Schedule::Shape::constant || steps <= schedule.warmup) return 1;
  const double way =
      std::min(1.0, static_cast<double>(step - schedule.warmup) / static_cast<double>(steps - schedule.warmup));
  const double left = schedule.shape == Schedule::Shape::linear ? 1 - way : (1 + std::cos(std::numbers::pi * way)) / 2;
  return schedule.floor + (1 - schedule.floor) * left;
}

}  // namespace weft::train
