// Weights as a backend likes to read them: laid out once for all products of a step, in every lane and both directions
// of it. For lanes of 384 rows, which would each lay out their own, that is a twentieth of a product. A stream lays
// them out once for all of its tokens: read from beginning to end they come a third faster from the third cache than
// row by row.
#pragma once
#include <atomic>
#include <compare>
#include <map>
#include <mutex>
#include <unordered_set>
#include <vector>

#include "engine/tensor.h"

namespace weft {

class Layouts {
 public:
  /// Of these tensors alone, which it holds: nothing else may come to lie where they are.
  explicit Layouts(std::vector<Tensor> weights) : weights_(std::move(weights)), number_(++counter()) {
    for (const Tensor& t : weights_) known_.insert(t.raw());
  }
  /// Of these layouts among all that there ever were.
  u64 number() const { return number_; }
  bool knows(const void* data) const { return known_.contains(data); }
  /// A matrix in the memory of a weight.
  struct Matrix {
    const void* data;
    bool transposed;
    i64 rows, columns, stride;
    auto operator<=>(const Matrix&) const = default;
  };
  /// The layout of `matrix`; whoever needs it first makes it, and others wait.
  template <class F> const Tensor& get(const Matrix& matrix, const F& make) const {
    const std::lock_guard lock(mutex_);
    Tensor& layout = made_[matrix];
    if (!layout) layout = make();
    return layout;
  }

 private:
  static std::atomic<u64>& counter() {
    static std::atomic<u64> count = 0;
    return count;
  }
  std::vector<Tensor> weights_;
  u64 number_;
  std::unordered_set<const void*> known_;
  mutable std::mutex mutex_;
  mutable std::map<Matrix, Tensor> made_;
};

}  // namespace weft
