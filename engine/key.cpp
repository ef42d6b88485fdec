#include "engine/key.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

namespace weft {
namespace {

// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
constexpr u64 kGolden = 0x9e3779b97f4a7c15ULL;
constexpr u64 mix(u64 z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace

Key Key::fold(u64 data) const { return {mix(mix(value + kGolden) ^ mix(data + 2 * kGolden))}; }

Key Key::fold(std::string_view name) const {
  u64 h = 0xcbf29ce484222325ULL;  // FNV-1a
  for (const unsigned char c : name) h = (h ^ c) * 0x100000001b3ULL;
  return fold(h);
}

u64 bits(Key key, u64 counter) { return mix(mix(key.value + counter * kGolden) ^ key.value); }

double uniform(Key key, u64 counter) {
  // 52 bits and a half step: the ends are never reached, so log(u) and log(-log(u)) stay finite.
  return (static_cast<double>(bits(key, counter) >> 12) + 0.5) * 0x1p-52;
}

double normal(Key key, u64 counter) {
  const double radius = std::sqrt(-2 * std::log(uniform(key, 2 * counter)));
  return radius * std::cos(2 * std::numbers::pi * uniform(key, 2 * counter + 1));
}

u64 permuted(Key key, u64 i, u64 n) {
  check(i < n, "permuted: element {} of {}", i, n);
  const int half = std::max<int>(1, (std::bit_width(n - 1) + 1) / 2);
  const u64 mask = (u64{1} << half) - 1;
  do {
    u64 left = i >> half, right = i & mask;
    for (u64 round = 0; round < 4; ++round) {
      const u64 next = left ^ (bits(key.fold(round), right) & mask);
      left = right;
      right = next;
    }
    i = (left << half) | right;
  } while (i >= n);
  return i;
}

}  // namespace weft
