// Leading dimensions that broadcast, for ops whose last dimensions are their own.
#pragma once
#include "engine/kernel.h"

namespace weft::ops {

/// The dims of input `i` before its last `core`.
inline Dims lead_of(const InputDims& in, std::size_t i, int core) {
  if (core > 0) in.at(i, -core);
  return Dims(in[i].begin(), in[i].end() - core);
}

/// Where the part of an input that belongs to leading index `r` of `lead` begins; dimensions of size 1 repeat.
class LeadOffsets {
 public:
  LeadOffsets(const Shape& input, int core, const Shape& lead)
      : lead_(lead), steps_(broadcast_strides(Shape(input.begin(), input.end() - core), lead)) {
    for (i64& step : steps_) step *= element_count(Shape(input.end() - core, input.end()));
  }
  i64 operator()(i64 r) const {
    i64 at = 0;
    for (std::size_t d = lead_.size(); d-- > 0;) {
      at += r % lead_[d] * steps_[d];
      r /= lead_[d];
    }
    return at;
  }

 private:
  Shape lead_;
  std::vector<i64> steps_;
};

}  // namespace weft::ops
