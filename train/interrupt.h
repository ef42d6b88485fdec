// Signals that end a run: the first asks to finish the step and save, the second leaves at once.
#pragma once
#include <array>
#include <csignal>

namespace weft::train {

/// While one lives, SIGINT, SIGTERM and SIGHUP only leave a note, and SIGPIPE nothing at all: nobody reading what a run
/// prints is no reason to lose it. At most one at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  /// The signal that came, or 0.
  int signal() const;

 private:
  std::array<struct sigaction, 4> before_{};
};

}  // namespace weft::train
