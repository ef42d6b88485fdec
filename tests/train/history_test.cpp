#include <doctest/doctest.h>

#include <cmath>

#include "tests/train/temporary.h"
#include "train/history.h"

using namespace weft::train;

namespace {

constexpr const char* kStart = R"({"event":"start","step":0,"detail":"products loops","time":1000})"
                               "\n";

std::string trained(int step) {
  return fmt::format(R"({{"event":"train","step":{},"loss":{},"learning_rate":0.5,"seconds":0.25,"peak_bytes":64}})"
                     "\n",
                     step, 4.0 / step);
}

History history(const TemporaryFolder& run, const std::string& log) {
  write_atomically(run / "log.jsonl", log);
  return read_history(run.path(), 4);
}

}  // namespace

TEST_CASE("a log says what a run reached, also when its last line is torn") {
  TemporaryFolder run;
  CHECK(read_history(run.path(), 4).state == "not begun");
  const std::string two = kStart + trained(1) + trained(2) +
                          R"({"event":"eval","step":2,"loss":3.5,"accuracy":0.25})"
                          "\n";
  const History h = history(run, two + trained(3).substr(0, 30));
  CHECK(h.state == "stopped");
  CHECK(h.unread == 1);
  CHECK(h.steps == 2);
  CHECK(h.seconds == 0.5);
  REQUIRE(h.updates.size() == 2);
  CHECK(h.updates[1].loss == 2);
  CHECK(h.updates[1].peak_bytes == 64);
  CHECK(std::isnan(h.updates[1].gradient_norm));  // a log of before it was kept
  REQUIRE(h.best());
  CHECK(h.best()->accuracy == 0.25);
  CHECK(h.last("start")->detail == "products loops");
  CHECK(h.last("end") == nullptr);
}

TEST_CASE("a run is finished by its last step or by what it says, diverged, or stopped") {
  TemporaryFolder run;
  const auto state = [&](const std::string& more) { return history(run, kStart + trained(1) + more).state; };
  CHECK(state("") == "stopped");
  CHECK(state(R"({"event":"end","step":4,"detail":""})") == "finished");
  CHECK(state(R"({"event":"end","step":2,"detail":""})") == "stopped");  // resumed for more steps since
  CHECK(state(R"({"event":"end","step":2,"detail":"stopped early"})") == "finished");
  CHECK(state(R"({"event":"diverged","step":2,"detail":"the loss is nan"})") == "diverged");
  CHECK(state("{\"event\":\"diverged\",\"step\":2}\n{\"event\":\"resume\",\"step\":2}") == "stopped");
}

TEST_CASE("a log of anything is read without a fall") {
  TemporaryFolder run;
  const History h =
      history(run,
              "\n\n[]\nnull\n{}\n{\"event\":7,\"step\":\"x\"}\n{\"event\":\"train\",\"step\":1e300,\"loss\":\"a\"}\n"
              "{\"event\":\"eval\",\"step\":2}\n\xff\xfe\n{\"event\":\"train\",\"step\":-5}\n");
  CHECK(h.validations.empty());
  CHECK(h.unread == 5);
}

TEST_CASE("samples are read as they were written, headings that a model writes included") {
  TemporaryFolder run;
  CHECK(read_samples(run.path()).empty());
  write_atomically(run / "samples.txt", "step 4\n  one\n  step 9\n  \nstep 8\n  \n  two\n");
  const auto samples = read_samples(run.path());
  REQUIRE(samples.size() == 2);
  CHECK(samples[0].step == 4);
  CHECK(samples[0].text == "one\nstep 9\n");
  CHECK(samples[1].text == "\ntwo");
}
