// The disk fails at the n-th call, for every n: an error once, an error from then on, a kill, a
// kill after half a write. After each, the last good state must load and the
// run must end with the bytes of an undisturbed one.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "tests/train/bigram.h"
#include "tests/train/faults.h"

using namespace weft;
using namespace weft::train;
using faults::Call;
using faults::Mode;

namespace {

/// What goes wrong.
struct Fault {
  Call call = Call::any;
  Mode mode = Mode::once;
  int error = ENOSPC;
};

/// How a piece of work ended when the n-th call went wrong.
enum class End { done, failed, killed };

template <class Work> End run_with(const Fault& fault, long n, Work work) {
  const auto attempt = [&] {
    Caught error;
    faults::arm(fault.call, n, fault.mode, fault.error);
    error = caught(work);
    faults::disarm();
    if (!error.message.empty()) CHECK(error.failure == Failure::data);
    return error.message.empty() ? End::done : End::failed;
  };
  if (fault.mode == Mode::once || fault.mode == Mode::sticky) return attempt();
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(attempt() == End::done ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? End::killed : WEXITSTATUS(status) == 0 ? End::done : End::failed;
}

/// Calls `try_at(n)` for n = 1, 2, ... until it ends undisturbed; returns how many calls there
/// were.
template <class TryAt> long every_call(TryAt try_at) {
  constexpr long kMost = 3000;
  long n = 1;
  while (n < kMost && try_at(n) != End::done) ++n;
  CHECK(n < kMost);
  return n - 1;
}

constexpr Fault kFaults[] = {{.mode = Mode::once},
                             {.mode = Mode::sticky},
                             {.mode = Mode::once, .error = EIO},
                             {.mode = Mode::sticky, .error = EIO},
                             {.mode = Mode::kill},
                             {.mode = Mode::torn}};

}  // namespace

TEST_CASE("a file is old or new, and whole, whatever call fails while it is written") {
  for (const Fault& fault : kFaults) {
    const TemporaryFolder folder;
    const long calls = every_call([&](long n) {
      write_atomically(folder / "f", "old");
      const End end = run_with(fault, n, [&] { write_atomically(folder / "f", "new and longer"); });
      const std::string now = read_file(folder / "f");
      CHECK((now == "old" || now == "new and longer"));
      if (end == End::done) CHECK(now == "new and longer");
      if (end != End::killed) CHECK(folder.entries() == 1);
      remove_stale_temporaries(folder.path());
      CHECK(folder.entries() == 1);
      return end;
    });
    CHECK(calls >= 5);  // open, write, fsync, rename, fsync of the folder
  }
}

TEST_CASE("a checkpoint that loads is there, whatever call fails while the next is written") {
  Practice p;
  const auto weights = p.model.initial_weights(1, DType::f32);
  const auto save = [&](i64 step) {
    Checkpoint state;
    state.progress.step = step;
    state.progress.tokenizer = "{}";
    state.weights = weights;
    state.memory = Optimizer(std::vector<Rule>(weights.size()), weights).memory();
    save_checkpoint(p.folder / "checkpoints", p.model.weights(), state);
  };
  for (const Fault& fault : kFaults) {
    every_call([&](long n) {
      fs::remove_all(p.folder / "checkpoints");
      save(1);
      const End end = run_with(fault, n, [&] { save(2); });
      const Checkpoint newest = load_newest(p.folder.path(), p.model.weights(), false);
      CHECK(newest.progress.step >= 1);
      if (end == End::done) CHECK(newest.progress.step == 2);
      CHECK(same_bits(newest.weights[0], weights[0]));
      return end;
    });
  }
}

TEST_SUITE("slow") {
  TEST_CASE("whatever call fails during a run, resuming it ends with the bytes of an undisturbed run") {
    Practice p;
    p.job.train.steps = 6;
    p.job.train.save_every = 2;
    p.job.eval.every = 3;
    p.train("whole");
    const std::string whole = fingerprint(p, "whole");
    for (const Fault& fault : kFaults) {
      const long calls = every_call([&](long n) {
        fs::remove_all(p.folder / "run");
        const End end = run_with(fault, n, [&] { p.train("run"); });
        const bool started = !list_checkpoints(p.folder / "run" / "checkpoints").empty();
        if (!started) return end;  // it stopped before the first step: there is nothing to lose
        p.resume("run");
        CHECK(fingerprint(p, "run") == whole);
        return end;
      });
      CHECK(calls > 40);
    }
  }
}
