// The disk fails at the n-th call, for every n: an error once, an error from then on, a kill, a
// kill after half a write. After each, the last good state must load and the run must end with the
// bytes of an undisturbed one.
//
// The calls below replace those of the C library in this program; they only count until a test arms
// them.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>

#include "tests/train/bigram.h"

namespace {

enum class Fault { none, once, sticky, kill, torn };
Fault fault = Fault::none;
long calls_left = 0;

// True when this call has to fail; kills in the modes that kill.
bool strikes(int fd = -1, const void* bytes = nullptr, size_t size = 0) {
  if (fault == Fault::none) return false;
  if (--calls_left > 0) return false;
  if (calls_left < 0 && fault != Fault::sticky) return false;
  if (fault == Fault::torn && bytes) ::syscall(SYS_write, fd, bytes, size / 2);
  if (fault == Fault::kill || fault == Fault::torn) ::raise(SIGKILL);
  errno = ENOSPC;
  return true;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if (flags & O_CREAT) {
    va_list rest;
    va_start(rest, flags);
    mode = static_cast<mode_t>(va_arg(rest, int));
    va_end(rest);
    if (strikes()) return -1;
  }
  return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

ssize_t write(int fd, const void* bytes, size_t size) {
  if (fd > 2 && strikes(fd, bytes, size)) return -1;
  return ::syscall(SYS_write, fd, bytes, size);
}

int fsync(int fd) { return strikes() ? -1 : static_cast<int>(::syscall(SYS_fsync, fd)); }

int rename(const char* from, const char* to) noexcept {
  return strikes() ? -1 : static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int mkdir(const char* path, mode_t mode) noexcept {
  return strikes() ? -1 : static_cast<int>(::syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

}  // extern "C"

using namespace weft;
using namespace weft::train;

namespace {

/// How a piece of work ended when the n-th call went wrong.
enum class End { done, failed, killed };

template <class Work> End run_with(Fault mode, long n, Work work) {
  const auto attempt = [&] {
    fault = mode;
    calls_left = n;
    const Caught error = caught(work);
    fault = Fault::none;
    if (!error.message.empty()) CHECK(error.failure == Failure::data);
    return error.message.empty() ? End::done : End::failed;
  };
  if (mode == Fault::once || mode == Fault::sticky) return attempt();
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

constexpr Fault kModes[] = {Fault::once, Fault::sticky, Fault::kill, Fault::torn};

}  // namespace

TEST_CASE("a file is old or new, and whole, whatever call fails while it is written") {
  for (const Fault mode : kModes) {
    const TemporaryFolder folder;
    const long calls = every_call([&](long n) {
      write_atomically(folder / "f", "old");
      const End end = run_with(mode, n, [&] { write_atomically(folder / "f", "new and longer"); });
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
  for (const Fault mode : kModes) {
    every_call([&](long n) {
      fs::remove_all(p.folder / "checkpoints");
      save(1);
      const End end = run_with(mode, n, [&] { save(2); });
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
    for (const Fault mode : kModes) {
      const long calls = every_call([&](long n) {
        fs::remove_all(p.folder / "run");
        const End end = run_with(mode, n, [&] { p.train("run"); });
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
