// Ranges on several threads: those of TBB; in a build for the thread sanitizer the standard library's.
#include "engine/runtime.h"

#ifndef WEFT_STD_THREADS
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <optional>
#else
#include <atomic>
#include <exception>
#include <mutex>
#include <vector>
#endif

#include <algorithm>
#include <thread>

namespace weft {
namespace {

#ifndef WEFT_STD_THREADS

// TBB owns the threads. Pieces have the size of the grain whatever the number of threads, and no result depends on
// which thread computes a piece. A thread that waits for the others helps with this range alone: it might else begin
// something long that is waiting, too.
class Threads final : public Parallel {
 public:
  explicit Threads(int threads) : arena_(threads) {
    // TBB gives no more threads than the machine has cores unless it is told to.
    if (threads > static_cast<int>(std::thread::hardware_concurrency())) {
      more_.emplace(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads));
    }
  }
  void ranges(i64 n, i64 grain, const Range& body) const override {
    const i64 pieces = (n + grain - 1) / grain;
    const auto all = [&] {
      tbb::parallel_for(i64{0}, pieces, [&](i64 p) { body(p * grain, std::min(n, (p + 1) * grain)); });
    };
    arena_.execute([&] { tbb::this_task_arena::isolate(all); });
  }
  int threads() const override { return arena_.max_concurrency(); }
  std::string name() const override { return "tbb"; }

 private:
  std::optional<tbb::global_control> more_;
  mutable tbb::task_arena arena_;
};

#else

// The sanitizer sees what TBB's threads do, but not how they wait for each other: the library is not built for it, and
// every range would be a false report. So new threads for every range, joined at its end, which it does understand.
class Threads final : public Parallel {
 public:
  explicit Threads(int threads) : threads_(threads) {}
  void ranges(i64 n, i64 grain, const Range& body) const override {
    const i64 pieces = (n + grain - 1) / grain;
    std::atomic<i64> next = 0;
    std::exception_ptr failure;
    std::mutex mutex;
    const auto work = [&] {
      for (i64 p = next++; p < pieces; p = next++) {
        try {
          body(p * grain, std::min(n, (p + 1) * grain));
        } catch (...) {
          next = pieces;
          const std::lock_guard lock(mutex);
          if (!failure) failure = std::current_exception();
        }
      }
    };
    std::vector<std::thread> others;
    for (i64 i = 1; i < std::min<i64>(threads_, pieces); ++i) others.emplace_back(work);
    work();
    for (std::thread& t : others) t.join();
    if (failure) std::rethrow_exception(failure);
  }
  int threads() const override { return threads_; }
  std::string name() const override { return "threads"; }

 private:
  int threads_;
};

#endif

}  // namespace

std::unique_ptr<Parallel> make_threads(int threads) { return std::make_unique<Threads>(threads); }

}  // namespace weft
