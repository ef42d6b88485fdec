#include "train/run_dir.h"

#include <doctest/doctest.h>

#include <unistd.h>

#include <regex>

#include "tests/train/temporary.h"

using namespace weft;
using namespace weft::train;

TEST_CASE("runs of one name get numbers, and none is overwritten") {
  const TemporaryFolder folder;
  const RunPlace place{.folder = {}, .parent = folder / "my runs"};
  const RunDir first = RunDir::create(place, "tiny net/1", 7), second = RunDir::create(place, "tiny net/1", 7);
  CHECK(std::regex_match(first.path().filename().string(), std::regex(R"(\d{4}-\d\d-\d\d_tiny-net-1_s7)")));
  CHECK(second.path().string() == first.path().string() + "-2");
  CHECK(RunDir::create(place, "tiny net/1", 7).path().string() == first.path().string() + "-3");
}

TEST_CASE("a given folder must be new or empty") {
  const TemporaryFolder folder;
  fs::create_directory(folder / "empty");
  CHECK(RunDir::create({.folder = folder / "empty"}, "x", 1).path() == folder / "empty");
  CHECK(RunDir::create({.folder = folder / "new" / "deep"}, "x", 1).path() == folder / "new" / "deep");
  fs::create_directory(folder / "full");
  write_atomically(folder / "full" / "thesis.txt", "years of work");
  const Caught other = caught([&] { RunDir::create({.folder = folder / "full"}, "x", 1); });
  CHECK(other.failure == Failure::usage);
  CHECK(contains(other.message, "new or empty"));
  write_atomically(folder / "full" / "description.yaml", "schema: 1\n");
  CHECK(contains(caught([&] { RunDir::create({.folder = folder / "full"}, "x", 1); }).message, "`weft resume"));
  CHECK(read_file(folder / "full" / "thesis.txt") == "years of work");
  write_atomically(folder / "file", "");
  CHECK(caught([&] { RunDir::create({.folder = folder / "file"}, "x", 1); }).failure == Failure::data);
}

TEST_CASE("one process at a time works in a run") {
  const TemporaryFolder folder;
  {
    const RunDir run = RunDir::create({.folder = folder / "run"}, "x", 1);
    write_atomically(run.description(), "schema: 1\n");
    const Caught error = caught([&] { RunDir::open(folder / "run"); });
    CHECK(error.failure == Failure::data);
    CHECK(contains(error.message, fmt::format("process {} is working in it", ::getpid())));
  }
  CHECK(RunDir::open(folder / "run").path() == folder / "run");
}

TEST_CASE("what is no run cannot be opened, and what cannot be written is told at once") {
  const TemporaryFolder folder;
  CHECK(contains(caught([&] { RunDir::open(folder / "none"); }).message, "there is no such run"));
  CHECK(contains(caught([&] { RunDir::open(folder.path()); }).message, "not the folder of a run"));
  const Caught error = caught([] { RunDir::create({.folder = "/proc/weft"}, "x", 1); });
  CHECK(error.failure == Failure::data);
  CHECK(contains(error.message, "mkdir failed"));
  write_atomically(folder / "file", "");
  CHECK(caught([&] { RunDir::create({.folder = {}, .parent = folder / "file" / "runs"}, "x", 1); }).failure ==
        Failure::data);
}

TEST_CASE("a disk that is too small is told before the first step") {
  const TemporaryFolder folder;
  const RunDir run = RunDir::create({.folder = folder / "run"}, "x", 1);
  run.check_space(1);
  CHECK(caught([&] { run.check_space(u64{1} << 60); }).failure == Failure::size);
}
