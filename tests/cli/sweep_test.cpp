// `weft sweep` through the real program.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <chrono>
#include <thread>

#include "tests/cli/program.h"
#include "train/checkpoint.h"

using namespace weft;
using namespace weft::cli;

namespace {

using Json = nlohmann::json;

std::string swept(const std::string& sweep) { return std::string(kTiny) + "sweep: " + sweep + "\n"; }

// The exit code of sweeping over `sweep` without training, and what was said.
Finished dry(Desk& desk, const std::string& sweep) {
  desk.write("s.yaml", swept(sweep));
  return desk.run({"sweep", "s.yaml", "--dry-run"});
}

}  // namespace

TEST_CASE("a sweep trains every combination in a folder of its own and ends with a table") {
  Desk desk;
  desk.write("s.yaml", swept("{grid: {params.width: [4, 8], train.optimizer.adamw.lr: [1e-3, 3e-4]}}"));
  const Finished f = desk.run({"sweep", "s.yaml", "--run-dir", "d"});
  CHECK(f.exit == 0);
  for (const char* run : {"width=4,lr=1e-3", "width=4,lr=3e-4", "width=8,lr=1e-3", "width=8,lr=3e-4"}) {
    CAPTURE(std::string(run));
    CHECK(contains(f.out, run));
    CHECK(fs::exists(desk / "d" / run / "checkpoints/step_0000003"));
  }
  CHECK(contains(f.out, "best: width="));
  const std::string text = desk.read("d/width=8,lr=3e-4/description.yaml");
  CHECK(contains(text, "width: 8"));
  CHECK(contains(text, "lr: 3e-4"));
  CHECK_FALSE(contains(text, "sweep"));
  // A run of a sweep is the run that `train` makes with the same settings.
  desk.run({"train", "tiny.yaml", "-p", "width=8", "--set", "train.optimizer.adamw.lr=3e-4", "--run-dir", "r"});
  CHECK(desk.read("r/checkpoints/step_0000003/state.safetensors").size() > 0);
  CHECK(desk.run({"eval", "r", "--json"}).out.size() > 0);
  const auto loss = [&](const std::string& run) {
    return Json::parse(desk.run({"eval", run, "--json"}).out)["nats"].dump();
  };
  CHECK(loss("r") == loss("d/width=8,lr=3e-4"));
}

TEST_CASE("what is finished is not repeated, what is missing or was stopped is made up for") {
  Desk desk;
  desk.write("s.yaml", swept("{grid: {params.width: [4, 8]}}"));
  REQUIRE(desk.run({"sweep", "s.yaml", "--run-dir", "d"}).exit == 0);
  const std::string log = desk.read("d/width=4/log.jsonl");
  fs::remove_all(desk / "d/width=8");
  desk.write("s.yaml", swept("{grid: {params.width: [4, 8, 6]}}"));
  const Finished again = desk.run({"sweep", "s.yaml", "--run-dir", "d", "--json"});
  CHECK(again.exit == 0);
  CHECK(desk.read("d/width=4/log.jsonl") == log);
  CHECK_FALSE(contains(again.err, "=== width=4"));
  CHECK(contains(again.err, "=== width=8\n"));
  const Json json = Json::parse(again.out);
  REQUIRE(json["runs"].size() == 3);
  for (const Json& run : json["runs"]) {
    CHECK(run["state"] == "finished");
    CHECK(run["validation"].get<double>() > 0);
    CHECK(run["tokens_per_second"].get<double>() > 0);
  }
  CHECK(json["runs"][2]["settings"] == Json{{"params.width", "6"}});
  CHECK(json["runs"][2]["weights"] == 72);
}

TEST_CASE("a sweep that was stopped by a signal goes on with the run it was in") {
  Desk desk;
  desk.write("s.yaml", swept("{grid: {params.width: [8, 4]}}"));
  const Words words = {"sweep", "s.yaml", "--run-dir", "d", "--set", "train.steps=400", "--set", "eval.every=0"};
  const pid_t child = desk.start(words);
  const fs::path log = desk / "d/width=8/log.jsonl";
  const auto begun = [&] { return fs::exists(log) && contains(train::read_file(log), "\"event\":\"train\""); };
  for (int i = 0; i < 3000 && !begun(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  ::kill(child, SIGINT);
  const Finished stopped = desk.finish(child);
  CHECK(stopped.exit == 130);
  CHECK(contains(stopped.out, "stopped"));
  CHECK(contains(stopped.err, "the same command goes on with the sweep"));
  CHECK_FALSE(fs::exists(desk / "d/width=4"));
  const Finished again = desk.run(words);
  CHECK(again.exit == 0);
  CHECK(contains(again.err, "=== width=8, on from where it stopped\n"));
  CHECK(contains(again.out, "best: width="));
  CHECK(train::list_checkpoints(desk / "d/width=8/checkpoints").at(0) == 400);
  CHECK(train::list_checkpoints(desk / "d/width=4/checkpoints").at(0) == 400);
}

TEST_CASE("a list of settings, alone or with a grid") {
  Desk desk;
  const Finished f = dry(desk, "{list: [{train.schedule: linear, params.width: 4}, {}], grid: {train.seed: [1, 2]}}");
  CHECK(f.exit == 0);
  for (const char* run :
       {"schedule=linear,width=4,seed=1 ", "schedule=linear,width=4,seed=2 ", "\nseed=1 ", "\nseed=2 "}) {
    CAPTURE(std::string(run));
    CHECK(contains(f.out, run));
  }
  CHECK(contains(f.out, "not begun"));
  CHECK_FALSE(fs::exists(desk / "runs"));
}

TEST_CASE("a sweep is checked as a whole before anything runs") {
  Desk desk;
  const auto refused = [&](const std::string& sweep, const std::vector<std::string>& parts) {
    CAPTURE(sweep);
    const Finished f = dry(desk, sweep);
    CAPTURE(f.err);
    CHECK(f.exit == 2);
    CHECK(f.out.empty());
    for (const std::string& part : parts) CHECK(contains(f.err, part));
  };
  refused("{grid: {train.optimizer.adamw.lrr: [1]}}", {"E0505", "s.yaml:9:38", "did you mean `lr`?"});
  refused("{grid: {params.widht: [1]}}", {"E0505", "did you mean `width`?"});
  refused("{grid: {params.width: [4, -1]}}", {"E0403", "the run is width=-1; none was started"});
  refused("{grid: {params.width: 4}}", {"E0303", "the values of `params.width` must be a list"});
  refused("{grid: {params.width: []}}", {"E0506"});
  refused("{gird: {}}", {"E0301", "did you mean `grid`?"});
  refused("{}", {"E0506", "the sweep has no settings"});
  refused("{grid: {train.schedule.linear.floor: [0], train.schedule.cosine.floor: [0]}}", {"E0506", "takes its place"});
  refused("{list: [{params.width: 4}], grid: {params.width: [4]}}", {"E0506", "by `grid` and by `list`"});
  refused("{grid: {sweep.grid: [1]}}", {"E0506", "cannot be swept over"});
  desk.write("s.yaml", swept("{grid: {params.unused: [1, 2]}}"));
  std::string text = desk.read("s.yaml");
  text.replace(text.find("width: 16"), 9, "width: 16, unused: 3");
  desk.write("s.yaml", text);
  const Finished unused = desk.run({"sweep", "s.yaml"});
  CHECK(unused.exit == 2);
  CHECK(contains(unused.err, "nothing reads the param `unused`: all runs would be the same"));
  CHECK(desk.run({"check", "s.yaml"}).exit == 2);
}

TEST_CASE("train says that a sweep is swept, sweep that a single description is trained") {
  Desk desk;
  desk.write("s.yaml", swept("{grid: {params.width: [4, 8]}}"));
  const Finished train = desk.run({"train", "s.yaml"});
  CHECK(train.exit == 2);
  CHECK(contains(train.err, "this description is a sweep of 2 runs"));
  CHECK(contains(train.err, "`weft sweep s.yaml` runs them"));
  CHECK_FALSE(fs::exists(desk / "runs"));
  CHECK(desk.run({"check", "s.yaml"}).exit == 0);
  CHECK(contains(desk.run({"sweep", "tiny.yaml"}).err, "`weft train` trains it"));
}

TEST_CASE("a run that diverges is a row of the table, and one of another description is never touched") {
  Desk desk;
  desk.write("s.yaml", swept("{grid: {train.optimizer.adamw.lr: [1e300, 1e-3]}}"));
  const Finished f = desk.run({"sweep", "s.yaml", "--run-dir", "d"});
  CHECK(f.exit == 0);
  CHECK(contains(f.out, "diverged"));
  CHECK(contains(f.out, "best: lr=1e-3"));
  std::string text = swept("{grid: {train.optimizer.adamw.lr: [1e-3]}}");
  text.replace(text.find("batch: 2"), 8, "batch: 3");
  desk.write("s.yaml", text);
  const Finished other = desk.run({"sweep", "s.yaml", "--run-dir", "d"});
  CHECK(other.exit == 2);
  CHECK(contains(other.err, "was trained with another description"));
}
