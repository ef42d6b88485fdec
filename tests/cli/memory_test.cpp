// How much memory there is, and how much is needed: what `check` says against what a run takes.
#include "cli/memory.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

using namespace weft;
using namespace weft::cli;

TEST_CASE("sizes of memory are read with their units") {
  CHECK(parsed_bytes("1000") == 1000);
  CHECK(parsed_bytes("2G") == 2e9);
  CHECK(parsed_bytes("512 MB") == 512e6);
  CHECK(parsed_bytes("1.5GiB") == 1.5 * 1024 * 1024 * 1024);
  CHECK(parsed_bytes("3K") == 3000);
  for (const char* wrong : {"", "G", "-1G", "0", "2X", "2GG", "1e", "nan"}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(parsed_bytes(wrong), Error);
  }
}

TEST_CASE("what a control group leaves is its limit without what is held, in both versions") {
  const train::TemporaryFolder group;
  CHECK_FALSE(left_in_group(group.path()));
  train::write_atomically(group / "memory.max", "max\n");
  CHECK_FALSE(left_in_group(group.path()));
  train::write_atomically(group / "memory.max", "1000000\n");
  train::write_atomically(group / "memory.current", "900000\n");
  CHECK(*left_in_group(group.path()) == 100000);
  train::write_atomically(group / "memory.stat", "anon 300000\nfile 600000\n");  // files are given up
  CHECK(*left_in_group(group.path()) == 700000);
  const train::TemporaryFolder old;
  train::write_atomically(old / "memory.limit_in_bytes", "9223372036854771712\n");
  CHECK_FALSE(left_in_group(old.path()));
  train::write_atomically(old / "memory.limit_in_bytes", "2000\n");
  CHECK(*left_in_group(old.path()) == 2000);
}

#ifndef WEFT_ONE_ISA  // sanitizers take 20 TB of addresses: no limit leaves anything
TEST_CASE("a limit of the process counts, and who says it is told") {
  const pid_t child = ::fork();
  if (child == 0) {
    const struct rlimit little { 600'000'000, 600'000'000 };
    ::setrlimit(RLIMIT_AS, &little);
    const auto available = available_memory();
    ::_exit(available && available->bytes < 600e6 && available->source == "`ulimit -v` leaves" ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == 0);
}
#endif

TEST_SUITE("long") {
  // Not of examples/tasks/listops.yaml, whose rows differ in length: blocks and plans of many lengths are kept.
  TEST_CASE("the estimate of check is within a tenth of what a run takes at most") {
    for (const std::string file : {"quickstart.yaml", "tasks/copy.yaml", "tasks/images.yaml", "tasks/mqar.yaml",
                                   "tasks/parity.yaml", "tasks/recall.yaml"}) {
      Desk desk;
      const std::string path = WEFT_SOURCE "/examples/" + file;
      const auto json = nlohmann::json::parse(desk.run({"check", path, "--json"}).out);
      const double estimate = json["peak_bytes"].get<double>();
      const pid_t child =
          desk.start({"train", path, "--run-dir", "r", "--set", "train.steps=3", "--set",
                      "train.schedule.constant.warmup=0", "--set", "eval.every=0", "--set", "generate.tokens=0"});
      int status = 0;
      struct rusage used {};
      ::wait4(child, &status, 0, &used);
      CHECK(status == 0);
      const double measured = 1024.0 * static_cast<double>(used.ru_maxrss);
      MESSAGE(fmt::format("{:<20} estimated {:6.1f} MB, measured {:6.1f} MB, {:+.1f} %", file, estimate / 1e6,
                          measured / 1e6, 100 * (estimate / measured - 1)));
      CHECK(estimate == doctest::Approx(measured).epsilon(0.1));
    }
  }
}
