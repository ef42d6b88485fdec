// Randomness is an explicit key and a counter: the same key and place give the same number, whatever the order, the
// number of threads, or the cut of the sequence. There is no generator with a state.
#pragma once
#include <string_view>

#include "engine/error.h"

namespace weft {

/// A 64-bit key. Derive one per purpose with `fold`; draw with `bits(key, counter)`.
struct Key {
  u64 value = 0;
  Key fold(u64 data) const;
  Key fold(std::string_view name) const;
  friend bool operator==(Key, Key) = default;
};

/// 64 well-mixed bits for element `counter` under `key` (two rounds of the splitmix64 finaliser).
u64 bits(Key key, u64 counter);
/// Uniform in (0, 1), never 0 and never 1.
double uniform(Key key, u64 counter);
/// Standard normal, by Box and Muller.
double normal(Key key, u64 counter);
/// Element `i` of a permutation of 0 .. n-1 drawn by `key`; constant memory (a Feistel network with cycle walking).
u64 permuted(Key key, u64 i, u64 n);

}  // namespace weft
