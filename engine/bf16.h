// bf16: the upper half of an f32, with its 8 bits of exponent and 7 of the fraction.
#pragma once
#include <bit>

#include "engine/error.h"

namespace weft {

/// The nearest bf16, the even one of two that are equally near; NaN stays NaN.
inline float to_bf16(float x) {
  const u32 bits = std::bit_cast<u32>(x);
  const u32 rounded = x != x ? bits | 0x400000 : bits + 0x7fff + (bits >> 16 & 1);
  return std::bit_cast<float>(rounded & 0xffff0000);
}

/// Two bf16 in the 32 bits of one float, `low` in the lower half.
inline float bf16_pair(float low, float high) {
  return std::bit_cast<float>(std::bit_cast<u32>(to_bf16(low)) >> 16 | std::bit_cast<u32>(to_bf16(high)));
}

}  // namespace weft
