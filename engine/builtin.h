// The two ops that the engine itself needs to turn pieces of gradients into gradients. They are rows like all others.
#pragma once
#include "engine/op.h"

namespace weft {

/// The sum of values of one shape, added from the first to the last.
const Op& accumulate_row();
/// The sum over whatever was broadcast to get here from `shape`.
const Op& sum_to_row();

}  // namespace weft
