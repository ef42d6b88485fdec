// A number that moves while a model is trained: what a real attribute may be given instead of one that stands still.
#pragma once
#include "engine/error.h"

namespace weft {

/// From `from` at the first step to `to` after `steps` of them, where it stays. The step alone decides, so that a run
/// that is resumed goes on exactly.
struct Anneal {
  enum class Curve { linear, cosine, exponential };
  double from = 0, to = 0;
  i64 steps = 1;
  Curve curve = Curve::linear;
  /// In step `step` of training, from 1 on; 0 is outside training: `to`.
  double at(i64 step) const;
  friend bool operator==(const Anneal&, const Anneal&) = default;
};

}  // namespace weft
