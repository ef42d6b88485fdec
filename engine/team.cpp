// Ranges on threads that look for work without sleeping between one and the next. A generated token is hundreds of
// ranges of a microsecond or two. With TBB two threads took as long as one for RetNet of size S, 69 us a token, and now
// 58; at size M a token is a seventh shorter (`./weft bench FILE --position 300`).
//
// Each thread has a place, one line of the cache: whoever has a range writes down there what the thread shall do. What
// no thread has begun when the caller is done with its own share, the caller takes back and does itself, so that a
// thread that the system runs late holds nobody up.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <thread>
#include <vector>

#include "engine/runtime.h"

namespace weft {
namespace {

void wait_a_moment() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// A thread without work looks for some for so long, as a text is sampled and written between two tokens; then it
// sleeps.
constexpr std::chrono::microseconds kAwake{200};

enum State : u32 { idle, given, begun, asleep, leaving };

// Pieces begin .. end of a range.
struct Share {
  const Range* body = nullptr;
  i64 n = 0, grain = 1, begin = 0, end = 0;
  std::exception_ptr done() const {
    try {
      for (i64 p = begin; p < end; ++p) (*body)(p * grain, std::min(n, (p + 1) * grain));
    } catch (...) {
      return std::current_exception();
    }
    return nullptr;
  }
};
struct alignas(64) Place {
  std::atomic<u32> state = idle;
  Share share;
  std::exception_ptr failure;
};

class Team final : public Parallel {
 public:
  explicit Team(int threads) : places_(static_cast<std::size_t>(threads - 1)) {
    try {
      for (Place& p : places_) threads_.emplace_back([&p] { attend(p); });
    } catch (...) {
      dismiss();
      throw;
    }
  }
  ~Team() override { dismiss(); }

  void ranges(i64 n, i64 grain, const Range& body) const override {
    const i64 pieces = (n + grain - 1) / grain;
    const bool free = pieces > 1 && !busy_.exchange(true);
    const i64 shares = free ? std::min<i64>(pieces, std::ssize(places_) + 1) : 1;
    for (i64 s = 1; s < shares; ++s) give(place(s), {&body, n, grain, pieces * s / shares, pieces * (s + 1) / shares});
    std::exception_ptr failure = Share{&body, n, grain, 0, pieces / shares}.done();
    for (i64 s = 1; s < shares; ++s) {
      const std::exception_ptr other = taken(place(s));
      if (!failure) failure = other;
    }
    if (free) busy_ = false;
    if (failure) std::rethrow_exception(failure);
  }
  int threads() const override { return static_cast<int>(places_.size()) + 1; }
  std::string name() const override { return "team"; }

 private:
  void dismiss() {
    for (Place& p : places_) {
      p.state = leaving;
      p.state.notify_one();
    }
    for (std::thread& t : threads_) t.join();
  }
  Place& place(i64 share) const { return places_[static_cast<std::size_t>(share - 1)]; }

  static void give(Place& p, const Share& share) {
    p.share = share;
    if (p.state.exchange(given) == asleep) p.state.notify_one();
  }
  // The share that was given, done: by its thread, or, where that has not begun, here.
  static std::exception_ptr taken(Place& p) {
    u32 expected = given;
    if (p.state.compare_exchange_strong(expected, idle)) return p.share.done();
    for (int tries = 0; p.state.load() == begun; ++tries) {
      if (tries < 1000) wait_a_moment();
      else std::this_thread::yield();
    }
    return std::exchange(p.failure, nullptr);
  }
  // What a thread does all its life.
  static void attend(Place& p) {
    using Clock = std::chrono::steady_clock;
    auto since = Clock::now();
    for (int looks = 0;; ++looks) {
      u32 state = p.state.load();
      if (state == leaving) return;
      if (state == given && p.state.compare_exchange_strong(state, begun)) {
        p.failure = p.share.done();
        p.state = idle;
        since = Clock::now(), looks = 0;
        continue;
      }
      wait_a_moment();
      if (looks % 64 != 63 || Clock::now() - since < kAwake) continue;
      state = idle;
      if (p.state.compare_exchange_strong(state, asleep)) p.state.wait(asleep);
      since = Clock::now();
    }
  }

  mutable std::atomic<bool> busy_ = false;  // with one range; another, or one within it, is its caller's alone
  mutable std::vector<Place> places_;
  std::vector<std::thread> threads_;
};

}  // namespace

// std::system_error where no thread can be started.
std::unique_ptr<Parallel> make_team(int threads) { return std::make_unique<Team>(threads); }

}  // namespace weft
