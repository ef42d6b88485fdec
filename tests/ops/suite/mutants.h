// Copies of an op's row with one mistake in its numbers: what the suite must notice of that op.
#pragma once
#include "engine/op.h"

namespace weft::tests {

struct Mutant : Op {
  enum class Mistake {
    gradient_scaled,   // by 1.0005: what passes where a thousandth is allowed
    gradient_dropped,  // zeros for one input
    gradient_late,     // each element is its neighbour's
    f32_off,           // the forward in f32 alone, by a thousandth
    unwritten,         // the last element of the first output keeps what was in memory
  };
  /// `input`: whose gradient it is. `original` must outlive the mutant.
  Mutant(const Op& original, Mistake mistake, std::size_t input = 0);
  std::string text() const;
  const Op& original;
  Mistake mistake;
  std::size_t input;
};

}  // namespace weft::tests
