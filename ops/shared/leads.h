// Leading dimensions that broadcast, for ops whose last dimensions are their own.
#pragma once
#include "engine/kernel.h"

namespace weft::ops {

/// The dims of input `i` before its last `core`.
inline Dims lead_of(const InputDims& in, std::size_t i, int core) {
  if (core > 0) in.at(i, -core);
  return Dims(in[i].begin(), in[i].end() - core);
}

/// Where the part of an input that belongs to a leading index begins; dimensions of size 1 repeat.
class Leads {
 public:
  Leads() = default;
  /// The last `core` dimensions of `shape` are the op's own; the others are broadcast to `lead`.
  Leads(const Shape& shape, int core, const Shape& lead)
      : lead_(lead),
        own_(element_count(Shape(shape.end() - core, shape.end()))),
        steps_(broadcast_strides(Shape(shape.begin(), shape.end() - core), lead)),
        shared_(element_count(shape) != element_count(lead) * own_) {
    for (i64& step : steps_) step *= own_;
  }
  /// How many leading indices there are.
  i64 count() const { return element_count(lead_); }
  /// Elements of one part.
  i64 own() const { return own_; }
  /// Whether several leading indices read the same part.
  bool shared() const { return shared_; }
  i64 offset(i64 index) const {
    i64 at = 0;
    for (std::size_t d = lead_.size(); d-- > 0; index /= lead_[d]) at += index % lead_[d] * steps_[d];
    return at;
  }

 private:
  Shape lead_;
  i64 own_ = 0;
  std::vector<i64> steps_;
  bool shared_ = false;
};

}  // namespace weft::ops
