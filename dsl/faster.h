// Which of two ways to do the same is the faster one here and now.
//
// Two threads make a token of size S in 58 us instead of 69 where their caches are near and nobody else is there, and
// in 95 where another program has half of one of them: nothing tells beforehand. So both ways are tried a few times,
// and once more after a while, which becomes longer as long as the answer is the same.
#pragma once
#include <algorithm>
#include <array>

#include "engine/error.h"

namespace weft::dsl {

class Faster {
 public:
  /// The way to go next, 0 or 1.
  int way() const { return turn_ < 2 * kTries ? static_cast<int>(turn_ % 2) : best_; }
  /// What it took.
  void took(double seconds) {
    if (turn_ < 2 * kTries) tries_[static_cast<std::size_t>(turn_ % 2)][static_cast<std::size_t>(turn_ / 2)] = seconds;
    if (++turn_ == 2 * kTries) {
      const int best = median(tries_[1]) < median(tries_[0]);
      rest_ = best == best_ ? std::min(2 * rest_, kLongest) : kShortest;
      best_ = best;
    }
    if (turn_ == 2 * kTries + rest_) turn_ = 0;
  }

 private:
  static constexpr i64 kTries = 7, kShortest = 128, kLongest = 4096;
  using Tries = std::array<double, kTries>;
  static double median(Tries tries) {
    std::ranges::nth_element(tries, tries.begin() + kTries / 2);
    return tries[kTries / 2];
  }
  i64 turn_ = 0, rest_ = kShortest;
  std::array<Tries, 2> tries_{};
  int best_ = 0;
};

}  // namespace weft::dsl
