#include "engine/anneal.h"

#include <cmath>
#include <numbers>

namespace weft {

double Anneal::at(i64 step) const {
  if (step < 1 || step > steps) return to;
  const double done = static_cast<double>(step - 1) / static_cast<double>(steps);
  const double left = curve == Curve::cosine ? (1 + std::cos(std::numbers::pi * done)) / 2 : 1 - done;
  // Of two shares, and not from + (to - from) * done: the difference of two numbers may overflow, and so may the ratio.
  if (curve == Curve::exponential) return std::pow(from, left) * std::pow(to, 1 - left);
  return from * left + to * (1 - left);
}

}  // namespace weft
