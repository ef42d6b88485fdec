// Which of two ways to do the same is the faster one here and now.
//
// Two threads make a token of size S in 58 us instead of 69 where their caches are near and nobody else is there, and
// in 95 where another program has half of one of them: nothing tells beforehand. So both ways are tried a few times,
// and once more after a while, which becomes longer as long as the answer is the same.
#pragma once
#include <algorithm>
#include <array>
#include <limits>

#include "engine/error.h"

namespace weft::dsl {

class Faster {
 public:
  /// The way to go next, 0 or 1.
  int way() const { return turn_ < kTries ? static_cast<int>(turn_ % 2) : best_; }
  /// What it took.
  void took(double seconds) {
    if (turn_ < kTries) {
      double& least = least_[static_cast<std::size_t>(turn_ % 2)];
      least = std::min(least, seconds);
    }
    if (++turn_ == kTries) {
      const int best = least_[1] < least_[0];
      rest_ = best == best_ ? std::min(2 * rest_, kLongest) : kShortest;
      best_ = best;
    }
    if (turn_ == kTries + rest_) turn_ = 0, least_ = kUnknown;
  }

 private:
  static constexpr i64 kTries = 8, kShortest = 128, kLongest = 4096;
  static constexpr std::array<double, 2> kUnknown{std::numeric_limits<double>::infinity(),
                                                  std::numeric_limits<double>::infinity()};
  i64 turn_ = 0, rest_ = kShortest;
  std::array<double, 2> least_ = kUnknown;
  int best_ = 0;
};

}  // namespace weft::dsl
