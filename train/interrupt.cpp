#include "train/interrupt.h"

#include <unistd.h>

#include <atomic>

namespace weft::train {
namespace {

constexpr std::array<int, 4> kSignals{SIGINT, SIGTERM, SIGHUP, SIGPIPE};

// A handler has no argument of ours: this is the one place in the program that must be global.
std::atomic<int> pending{0};
static_assert(std::atomic<int>::is_always_lock_free);

void note(int signal) {
  // Files are written beside their place and renamed, so the disk is consistent whenever the second
  // signal comes.
  if (pending.exchange(signal) != 0) ::_exit(128 + signal);
}

}  // namespace

Interrupt::Interrupt() {
  pending = 0;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    ::sigaction(kSignals[i], nullptr, &before_[i]);
    if (before_[i].sa_handler == SIG_IGN) continue;  // nohup, or a shell's background job: they are right
    struct sigaction action {};
    action.sa_handler = kSignals[i] == SIGPIPE ? SIG_IGN : note;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    ::sigaction(kSignals[i], &action, nullptr);
  }
}

Interrupt::~Interrupt() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
}

int Interrupt::signal() const { return pending; }

}  // namespace weft::train
