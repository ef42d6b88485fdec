// The n-th call for something the system may refuse fails: once, from then on, or by a kill.
//
// faults.cpp stands in for calls of the C library. It is part of the tests of train, which arm it themselves, and a
// library of its own (build/tests/libfaults.so) that is preloaded into the real program and armed by a variable:
//
//   LD_PRELOAD=libfaults.so WEFT_FAULT="write 12 once 28" weft train ...     the twelfth write finds no space
//   LD_PRELOAD=libfaults.so WEFT_FAULT="any 7 kill 0"     weft train ...     killed before the seventh call of any kind
//
// Calls count from the beginning of main on; how many there were is written to the file WEFT_FAULT_COUNT at the end.
#pragma once
#include <cstddef>

namespace weft::faults {

/// `any` is all but allocations.
enum class Call { write, sync, rename, open, mkdir, allocation, any };
enum class Mode { off, once, sticky, kill, torn };  // torn: half of a write, then a kill

/// The n-th call from now on fails with `error`, an errno.
void arm(Call call, long n, Mode mode, int error);
void disarm();

}  // namespace weft::faults
