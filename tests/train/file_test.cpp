#include "train/file.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "tests/train/temporary.h"

using namespace weft;
using namespace weft::train;

TEST_CASE("an atomic write gives the parts in order and leaves nothing else") {
  const TemporaryFolder folder;
  const std::string_view parts[] = {"one ", "", "two"};
  write_atomically(folder / "f", parts);
  CHECK(read_file(folder / "f") == "one two");
  write_atomically(folder / "f", "three");
  CHECK(read_file(folder / "f") == "three");
  CHECK(folder.entries() == 1);
}

TEST_CASE("a write that hits the size limit keeps the old file and says what failed") {
  const TemporaryFolder folder;
  write_atomically(folder / "f", "old");
  struct rlimit before {};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small { 4096, before.rlim_max };
  ::setrlimit(RLIMIT_FSIZE, &small);
  const Caught error = caught([&] { write_atomically(folder / "f", std::string(10000, 'x')); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(error.failure == Failure::data);
  CHECK(contains(error.message, "write failed: File too large"));
  CHECK(read_file(folder / "f") == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("reading names what is wrong with a path") {
  const TemporaryFolder folder;
  ::mkfifo((folder / "pipe").c_str(), 0600);
  const auto message = [&](const fs::path& path) { return caught([&] { read_file(path); }).message; };
  CHECK(contains(message(folder / "none"), "there is no such file"));
  CHECK(contains(message(folder.path()), "is a folder"));
  CHECK(contains(message(folder / "pipe"), "not a regular file"));
  CHECK(contains(message("/dev/zero"), "not a regular file"));
  fs::create_symlink(folder / "loop", folder / "loop");
  CHECK(contains(message(folder / "loop"), "symbolic links"));
  write_atomically(folder / "empty", "");
  CHECK(read_file(folder / "empty").empty());
}

TEST_CASE("reading past the end of a file is an error with the byte") {
  const TemporaryFolder folder;
  write_atomically(folder / "f", "12345");
  const InputFile file(folder / "f");
  std::array<std::byte, 4> bytes;
  file.read_at(1, bytes);
  CHECK(std::to_integer<char>(bytes[0]) == '2');
  CHECK(contains(caught([&] { file.read_at(2, bytes); }).message, "ends at byte 5, 1 bytes more"));
}

TEST_CASE("probing tells a folder that can be written from one that cannot, also for root") {
  const TemporaryFolder folder;
  probe_writable(folder.path());
  CHECK(folder.entries() == 0);
  CHECK(caught([] { probe_writable("/proc"); }).failure == Failure::data);
  CHECK(contains(caught([&] { probe_writable(folder / "none"); }).message, "cannot write there"));
}

TEST_CASE("temporary files of dead processes are removed, those of living ones stay") {
  const TemporaryFolder folder;
  write_atomically(folder / "a.tmp.999999999", "dead");
  const std::string living = "b.tmp." + std::to_string(::getpid());
  write_atomically(folder / living, "alive");
  write_atomically(folder / "c.tmp.x", "not ours");
  remove_stale_temporaries(folder.path());
  CHECK_FALSE(fs::exists(folder / "a.tmp.999999999"));
  CHECK(fs::exists(folder / living));
  CHECK(fs::exists(folder / "c.tmp.x"));
}

TEST_CASE("a log grows by what is appended, also after it was opened again") {
  const TemporaryFolder folder;
  AppendLog(folder / "log").append("one\n");
  AppendLog(folder / "log").append("two\n");
  CHECK(read_file(folder / "log") == "one\ntwo\n");
}
