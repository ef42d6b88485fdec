#include "train/spikes.h"

#include <cmath>

namespace weft::train {

std::optional<double> LossWindow::score(double loss) const {
  if (size_ == 0 || std::ssize(losses_) < size_) return {};
  const double n = static_cast<double>(size_);
  double mean = 0, square = 0;
  for (const double x : losses_) mean += x / n;
  for (const double x : losses_) square += (x - mean) * (x - mean) / n;
  if (!(square > 0)) return {};
  return (loss - mean) / std::sqrt(square);
}

void LossWindow::add(double loss) {
  if (size_ == 0) return;
  if (std::ssize(losses_) == size_) losses_.erase(losses_.begin());
  losses_.push_back(loss);
}

}  // namespace weft::train
