#include "engine/layouts.h"

namespace weft {

Layouts::Layouts(std::vector<Tensor> weights) : weights_(std::move(weights)) {
  for (const Tensor& t : weights_) known_.insert(t.raw());
}

const Tensor& Layouts::get(const Matrix& matrix, const std::function<Tensor()>& make) const {
  const std::lock_guard lock(mutex_);
  Tensor& layout = made_[matrix];
  if (!layout) layout = make();
  return layout;
}

}  // namespace weft
