// The learning rate over the steps, as a factor of its peak.
#pragma once
#include <algorithm>
#include <cmath>
#include <numbers>
#include <string_view>

#include "engine/error.h"

namespace weft::train {

struct Schedule {
  enum class Shape { cosine, linear, wsd, constant };
  Shape shape = Shape::cosine;
  i64 warmup = 100;    // steps from 0 up to the peak, in a straight line
  double floor = 0.1;  // what is left at the last step
  double decay = 0.2;  // wsd: the last fraction of the steps, in which it goes down
};

/// The factor of step `step` (1 .. steps): step / warmup first, then from 1 down to the floor at `steps`; under wsd
/// (Hu et al. 2024: warm-up, stable, decay) only in the last part.
inline double schedule_factor(const Schedule& schedule, i64 step, i64 steps) {
  if (step < schedule.warmup) return static_cast<double>(step) / static_cast<double>(schedule.warmup);
  if (schedule.shape == Schedule::Shape::constant || steps <= schedule.warmup) return 1;
  const auto last = static_cast<double>(steps), warm = static_cast<double>(schedule.warmup);
  const double from =  // where the way down begins
      schedule.shape == Schedule::Shape::wsd ? std::max(warm, last - schedule.decay * last) : warm;
  if (from >= last) return 1;
  const double way = std::clamp((static_cast<double>(step) - from) / (last - from), 0.0, 1.0);
  const bool wave = schedule.shape == Schedule::Shape::cosine;
  const double left = wave ? (1 + std::cos(std::numbers::pi * way)) / 2 : 1 - way;
  return schedule.floor + (1 - schedule.floor) * left;
}

}  // namespace weft::train
