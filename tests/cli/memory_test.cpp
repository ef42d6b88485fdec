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

TEST_CASE("an address space too small for OpenBLAS is refused: it would wait for ever") {
  Desk desk;
  desk.address_space = 200 << 20;
  const Finished start = desk.run({"train", "tiny.yaml", "--run-dir", "r"});
  CHECK(start.exit == 6);
  CHECK(start.err.find("`ulimit -v` leaves less than the 350 MB that OpenBLAS needs") != std::string::npos);
  desk.address_space = 700 << 20;
  const Finished many = desk.run({"train", "tiny.yaml", "--run-dir", "r", "--threads", "8"});
  CHECK(many.exit == 6);
  CHECK(many.err.find("products on 8 threads need 2020 MB of address space, and `ulimit -v` leaves") !=
        std::string::npos);
  CHECK(desk.run({"train", "tiny.yaml", "--run-dir", "r", "--threads", "1"}).exit == 0);
}
#endif

TEST_SUITE("long") {
  struct Example {
    std::string file;
    Words data = {};  // overrides
    int steps = 3;
  };

  std::vector<Example> examples() {
    std::vector<Example> all = {{"quickstart.yaml"},   {"tasks/copy.yaml"},           {"tasks/images.yaml"},
                                {"tasks/kinds.yaml"},  {"tasks/mqar.yaml"},           {"tasks/parity.yaml"},
                                {"tasks/recall.yaml"}, {"tasks/listops.yaml", {}, 60}};  // rows of many lengths
    const char* folder = std::getenv("WEFT_DATA");
    if (!folder) {
      MESSAGE("left out: names, shakespeare and wikitext2 (WEFT_DATA does not name the folder of their files)");
      return all;
    }
    const std::string data = folder;
    all.push_back({"tasks/names.yaml", {"--set", "data.lines.path=" + data + "/names/names.txt"}});
    all.push_back({"tasks/shakespeare.yaml", {"--set", "data.text.path=" + data + "/tinyshakespeare/input.txt"}});
    all.push_back({"tasks/wikitext2.yaml",
                   {"--set", "data.text.path=" + data + "/wikitext-2/train.txt", "--set",
                    "data.text.valid=" + data + "/wikitext-2/valid.txt"}});
    return all;
  }

  TEST_CASE("the estimate of check is within a tenth of what a run takes at most") {
    for (const Example& e : examples()) {
      Desk desk;
      Words words = {"check", WEFT_SOURCE "/examples/" + e.file};
      words.insert(words.end(), e.data.begin(), e.data.end());
      words.push_back("--json");
      const auto json = nlohmann::json::parse(desk.run(words).out);
      const double estimate = json["peak_bytes"].get<double>();
      words.front() = "train", words.pop_back();
      for (const std::string& set :
           {fmt::format("train.steps={}", e.steps), std::string("eval.every=0"),
            std::string("train.schedule.constant.warmup=0"), std::string("generate.tokens=0")}) {
        words.insert(words.end(), {"--set", set});
      }
      words.insert(words.end(), {"--run-dir", "r"});
      const pid_t child = desk.start(words);
      int status = 0;
      struct rusage used {};
      ::wait4(child, &status, 0, &used);
      CHECK(status == 0);
      const double measured = 1024.0 * static_cast<double>(used.ru_maxrss);
      MESSAGE(fmt::format("{:<22} estimated {:6.1f} MB, measured {:6.1f} MB, {:+.1f} %", e.file, estimate / 1e6,
                          measured / 1e6, 100 * (estimate / measured - 1)));
      CHECK(estimate == doctest::Approx(measured).epsilon(0.1));
    }
  }
}
