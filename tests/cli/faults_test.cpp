// The real program with failing calls (tests/train/faults.h): the n-th write, fsync, rename, open, mkdir or allocation
// fails once or from then on, or the program is killed there, for every n. Afterwards the last good checkpoint loads
// and resuming gives the bytes of an undisturbed run.
//
// Not under sanitizers: a preloaded library cannot come before theirs.
#include <doctest/doctest.h>

#ifdef WEFT_FAULTS
#include <cerrno>
#include <csignal>

#include "tests/cli/program.h"
#include "train/checkpoint.h"

using namespace weft;
using namespace weft::cli;

namespace {

struct Fault {
  const char* how;
  int error;
};
constexpr int kKilled = 128 + SIGKILL, kAborted = 128 + SIGABRT;

class Disturbed {
 public:
  Disturbed() {
    CHECK(desk_.run(training("whole")).exit == 0);
    whole_ = fingerprint(desk_, "whole");
  }

  /// How many calls of that kind an undisturbed run makes.
  long count(const std::string& call) {
    fs::remove_all(desk_ / "r");
    arm(call, 1'000'000'000, {"once", 0});
    desk_.environment.emplace_back("WEFT_FAULT_COUNT", (desk_ / "count").string());
    CHECK(desk_.run(training("r")).exit == 0);
    desk_.environment.clear();
    CHECK(fingerprint(desk_, "r") == whole_);
    return std::stol(desk_.read("count"));
  }

  /// Trains with the n-th call failing, then resumes without.
  Finished at(const std::string& call, long n, const Fault& fault) {
    fs::remove_all(desk_ / "r");
    arm(call, n, fault);
    const Finished f = desk_.run(training("r"));
    desk_.environment.clear();
    CAPTURE(call);
    CAPTURE(n);
    CAPTURE(fault.how);
    CAPTURE(f.exit);
    CAPTURE(f.err);
    if (f.exit == 0) CHECK(fingerprint(desk_, "r") == whole_);
    if (f.exit != kKilled && f.exit != kAborted) CHECK(temporaries() == 0);
    // Stopped before the first checkpoint there is nothing to lose.
    if (train::list_checkpoints(desk_ / "r" / "checkpoints").empty()) return f;
    const Finished resumed = desk_.run({"resume", "r"});
    CAPTURE(resumed.err);
    CHECK(resumed.exit == 0);
    CHECK(fingerprint(desk_, "r") == whole_);
    CHECK(temporaries() == 0);
    return f;
  }

 private:
  static Words training(const std::string& run) {
    return {"train", "tiny.yaml", "--set", "train.steps=4", "--set", "train.save_every=2", "--run-dir",
            run,     "--threads", "1",     "--parallel",    "serial"};
  }
  void arm(const std::string& call, long n, const Fault& fault) {
    desk_.environment = {{"LD_PRELOAD", WEFT_FAULTS},
                         {"WEFT_FAULT", fmt::format("{} {} {} {}", call, n, fault.how, fault.error)}};
  }
  int temporaries() const {
    int found = 0;
    std::error_code none;
    for (const auto& entry : fs::recursive_directory_iterator(desk_ / "r", none))
      found += contains(entry.path().filename().string(), ".tmp.");
    return found;
  }

  Desk desk_;
  std::string whole_;
};

// Every n of every call.
void try_all(const std::vector<Fault>& faults, const std::vector<std::string>& calls) {
  Disturbed run;
  for (const std::string& call : calls) {
    const long n = run.count(call);
    MESSAGE(fmt::format("{}: {} calls", call, n));
    CHECK(n >= 4);
    for (const Fault& fault : faults) {
      for (long i = 1; i <= n; ++i) {
        const int exit = run.at(call, i, fault).exit;
        const bool kills = std::string_view(fault.how) == "kill" || std::string_view(fault.how) == "torn";
        CHECK((kills ? exit == kKilled : exit == 4 || exit == 0));
      }
    }
  }
}

// Every `stride`-th allocation, from `first` on.
void try_allocations(long first, long stride, const char* how) {
  Disturbed run;
  const long n = run.count("alloc");
  MESSAGE(fmt::format("{} allocations", n));
  CHECK(n > 1000);
  long aborted = 0;
  for (long i = first; i <= n; i += stride) {
    const int exit = run.at("alloc", i, {how, ENOMEM}).exit;
    CAPTURE(i);
    // Destructors of JSON objects and iterators over folders want memory, too, and can only abort without it: of a
    // hundred allocations about one.
    CHECK((exit == 6 || exit == 0 || exit == kAborted));
    aborted += exit == kAborted;
  }
  CHECK(20 * aborted <= n / stride);
}

}  // namespace

TEST_CASE("whichever write, fsync, rename, open or mkdir of a run fails, nothing that was saved is lost") {
  try_all({{"once", ENOSPC}, {"kill", 0}}, {"write", "fsync", "rename", "open", "mkdir"});
}

TEST_CASE("an allocation that fails ends a run with exit 6 and loses nothing") {
  try_allocations(7, 499, "once");
  try_allocations(11, 1999, "sticky");
}

TEST_SUITE("long") {
  TEST_CASE("the same with other errors, errors that stay, and writes that are torn") {
    try_all({{"sticky", ENOSPC}, {"once", EIO}, {"sticky", EIO}}, {"write", "fsync", "rename", "open", "mkdir"});
    try_all({{"torn", 0}}, {"write"});
  }
  TEST_CASE("the same with many more allocations") {
    try_allocations(3, 101, "once");
    try_allocations(5, 211, "sticky");
  }
}
#endif
