// Elementwise loops, instantiated for each instruction set that a machine may have.
//
// `flatten` pulls the whole body into the loop, so that the compiler vectorises a lambda for the target of the loop:
// measured 2.78 ns an element at baseline, 0.87 with AVX2, 0.48 with AVX-512. No file has an -march of its own: that
// would leak instructions through shared inline functions.
#pragma once
#include "engine/runtime.h"

namespace weft {

template <class F> [[gnu::flatten]] void loop_baseline(i64 begin, i64 end, const F& body) {
#pragma GCC ivdep
  for (i64 i = begin; i < end; ++i) body(i);
}

#if defined(__x86_64__)
template <class F> [[gnu::flatten, gnu::target("avx2,fma")]] void loop_avx2(i64 begin, i64 end, const F& body) {
#pragma GCC ivdep
  for (i64 i = begin; i < end; ++i) body(i);
}
template <class F>
[[gnu::flatten, gnu::target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]] void loop_avx512(i64 begin, i64 end,
                                                                                              const F& body) {
#pragma GCC ivdep
  for (i64 i = begin; i < end; ++i) body(i);
}
#endif

/// Runs body(i) for begin <= i < end, vectorised for `isa`; the iterations must not depend on each other. Under
/// sanitizers, which look at the source, every set is the baseline (WEFT_ONE_ISA): linrec compiles in 19 s there, and
/// in 32 with all three.
template <class F> void loop(Isa isa, i64 begin, i64 end, const F& body) {
#if defined(__x86_64__) && !defined(WEFT_ONE_ISA)
  if (isa == Isa::avx512) return loop_avx512(begin, end, body);
  if (isa == Isa::avx2) return loop_avx2(begin, end, body);
#endif
  loop_baseline(begin, end, body);
}

/// Runs body() compiled for `isa`: for loops with a structure of their own, such as a norm over a row.
template <class F> [[gnu::flatten]] void block_baseline(const F& body) { body(); }
#if defined(__x86_64__)
template <class F> [[gnu::flatten, gnu::target("avx2,fma")]] void block_avx2(const F& body) { body(); }
template <class F>
[[gnu::flatten, gnu::target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]] void block_avx512(const F& body) {
  body();
}
#endif
template <class F> void block(Isa isa, const F& body) {
#if defined(__x86_64__) && !defined(WEFT_ONE_ISA)
  if (isa == Isa::avx512) return block_avx512(body);
  if (isa == Isa::avx2) return block_avx2(body);
#endif
  block_baseline(body);
}

}  // namespace weft
