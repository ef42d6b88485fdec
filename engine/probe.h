// What the machine can do at most: the roof over the figures of a bench. Each probe takes a few hundredths of a second.
#pragma once
#include "engine/runtime.h"

namespace weft {

/// f32 operations a second of independent fused multiply-adds in registers (a multiplication and an addition where the
/// instruction set has none), on all threads of `runtime`. The best of several tries. `isa` must be one that runs here.
double peak_flops(const Runtime& runtime, Isa isa);

/// Bytes a second that all threads together read from memory; the best of several tries over `bytes`, which must be
/// well above the last cache.
double read_bandwidth(const Runtime& runtime, std::size_t bytes = std::size_t{128} << 20);

}  // namespace weft
