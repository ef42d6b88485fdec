#include "engine/anneal.h"

#include <cmath>
#include <numbers>

namespace weft {

double Anneal::at(i64 step) const {
  if (step < 1 || step > steps) return to;
  const double done = static_cast<double>(step - 1) / static_cast<double>(steps);
  switch (curve) {
    case Curve::linear: return from + (to - from) * done;
    case Curve::cosine: return to + (from - to) * (1 + std::cos(std::numbers::pi * done)) / 2;
    case Curve::exponential: return from * std::pow(to / from, done);
  }
  return to;
}

}  // namespace weft
