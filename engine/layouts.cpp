#include "engine/layouts.h"

#include <algorithm>

namespace weft {

Layouts::Layouts(std::vector<Tensor> weights) : weights_(std::move(weights)) {}

bool Layouts::knows(const void* data) const {
  return std::any_of(weights_.begin(), weights_.end(), [&](const Tensor& t) { return t.raw() == data; });
}

Tensor Layouts::get(const Matrix& matrix, const std::function<Tensor()>& make) const {
  const std::lock_guard lock(mutex_);
  Tensor& layout = made_[matrix];
  if (!layout) layout = make();
  return layout;
}

}  // namespace weft
