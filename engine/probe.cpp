#include "engine/probe.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <vector>

namespace weft {
namespace {

constexpr int kTries = 5;
// Multiply-adds that do not wait for each other: latency 4 times two units a cycle, and some to spare. With the two
// factors they fill 12 of 16 registers.
constexpr int kChains = 10;

double seconds_of(const auto& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// x_i <- x_i a + b, `n` times for every chain: V is a register of floats. Returns something that depends on all.
template <class V> [[gnu::always_inline]] inline float chains(i64 n) {
  const V a = V{} + 0.999f, b = V{} + 0.001f;  // stays near 1: neither overflow nor denormals
  V x[kChains];
  for (V& chain : x) chain = b;
  for (i64 i = 0; i < n; ++i) {
#pragma GCC unroll 10
    for (int c = 0; c < kChains; ++c) x[c] = x[c] * a + b;
  }
  V all = b;
  for (const V& chain : x) all += chain;
  return all[0];
}

// This file alone is compiled with -ffp-contract=fast: a multiplication and the addition behind it become one.
using Four = float [[gnu::vector_size(16)]];
float work_baseline(i64 n) { return chains<Four>(n); }
#if defined(__x86_64__)
using Eight = float [[gnu::vector_size(32)]];
using Sixteen = float [[gnu::vector_size(64)]];
[[gnu::target("avx2,fma")]] float work_avx2(i64 n) { return chains<Eight>(n); }
[[gnu::target("avx512f,avx512vl,fma")]] float work_avx512(i64 n) { return chains<Sixteen>(n); }
#endif

float work(Isa isa, i64 n) {
#if defined(__x86_64__)
  if (isa == Isa::avx512) return work_avx512(n);
  if (isa == Isa::avx2) return work_avx2(n);
#endif
  return work_baseline(n);
}

}  // namespace

double peak_flops(const Runtime& runtime, Isa isa) {
  // About 12 ms: a core of a virtual machine that sleeps takes more than one to wake, and with 1.5 ms a piece two
  // threads had the peak of one.
  constexpr i64 kSteps = 8'000'000;
  const double lanes = isa == Isa::avx512 ? 16 : isa == Isa::avx2 ? 8 : 4;
  const i64 threads = runtime.parallel().threads();
  std::vector<float> sink(static_cast<std::size_t>(threads));  // read by the caller: the work cannot be left out
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    const double seconds = seconds_of([&] {
      runtime.parallel().ranges(threads, 1, [&](i64 begin, i64 end) {
        for (i64 t = begin; t < end; ++t) sink[static_cast<std::size_t>(t)] = work(isa, kSteps);
      });
    });
    const bool real = std::accumulate(sink.begin(), sink.end(), 0.f) != 0;
    best = std::max(best, real ? 2 * lanes * kChains * static_cast<double>(kSteps * threads) / seconds : 0);
  }
  return best;
}

double read_bandwidth(const Runtime& runtime, std::size_t bytes) {
  const i64 n = static_cast<i64>(bytes / sizeof(u64));
  std::vector<u64> memory(static_cast<std::size_t>(n), 1);
  const i64 pieces = 8 * runtime.parallel().threads(), grain = (n + pieces - 1) / pieces;
  std::vector<u64> sums(static_cast<std::size_t>(pieces));
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    const double seconds = seconds_of([&] {
      runtime.parallel().ranges(n, grain, [&](i64 begin, i64 end) {
        u64 lanes[8] = {};
        for (i64 at = begin; at + 8 <= end; at += 8) {
          for (i64 l = 0; l < 8; ++l) lanes[l] += memory[static_cast<std::size_t>(at + l)];
        }
        sums[static_cast<std::size_t>(begin / grain)] = std::accumulate(lanes, lanes + 8, u64{0});
      });
    });
    const bool real = std::accumulate(sums.begin(), sums.end(), u64{0}) != 0;
    best = std::max(best, real ? static_cast<double>(bytes) / seconds : 0);
  }
  return best;
}

}  // namespace weft
