// The dimension that an attribute names.
#pragma once
#include "engine/op_entry.h"

namespace weft::ops {

/// Dimension `axis` of the first input from the front, for one that may count from the back; an error that names the
/// op.
inline std::size_t axis_of(const InputDims& in, const Axis& axis) {
  const i64 rank = std::ssize(in[0]);
  in.require(axis.index >= -rank && axis.index < rank,
             fmt::format("there is no axis {} in a tensor of rank {}", axis.index, rank));
  return static_cast<std::size_t>(axis.index < 0 ? axis.index + rank : axis.index);
}

}  // namespace weft::ops
