// A def as a paper would print it: letters for Greek names, indices for time, no YAML.
#pragma once
#include <string>

#include "dsl/file.h"

namespace weft::dsl {

///     retention(x [T, D])
///       γ  = 1 - 2^(-5 - arange(H))
///       q  = rotate(to_heads(x·Wq, H), θ)
///       Sₜ = γ ⊙ Sₜ₋₁ + kₜ ⊗ vₜ,  S₀ = 0 [H, dk, dv]
///       yₜ = qₜ·Sₜ
///       S is decay, with forms for all positions at once
std::string equations(const Def& def);

}  // namespace weft::dsl
