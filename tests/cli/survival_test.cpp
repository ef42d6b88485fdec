// What training survives, by real processes: signals, kills, a second process, changed data, damaged files, numbers
// that go wrong. docs/survival.md is the promise.
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "engine/key.h"
#include "tests/cli/program.h"
#include "train/checkpoint.h"

using namespace weft;
using namespace weft::cli;

namespace {

Words training(const std::string& run, const std::string& steps = "400") {
  return {"train",     "tiny.yaml",
          "--set",     "train.steps=" + steps,
          "--set",     "eval.every=50",
          "--set",     "train.save_every=20",
          "--run-dir", run,
          "--threads", "1"};
}

void pause(double milliseconds) {
  std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(milliseconds));
}

// Waits until a run has done a step.
void wait_for_a_step(const Desk& desk, const std::string& run) {
  const fs::path log = desk / run / "log.jsonl";
  const auto begun = [&] { return fs::exists(log) && contains(train::read_file(log), "\"event\":\"train\""); };
  for (int i = 0; i < 3000 && !begun(); ++i) pause(2);
  CHECK(begun());
}

}  // namespace

TEST_CASE("SIGINT, SIGTERM and SIGHUP finish the step, save and exit with 130, 143 and 129; resuming loses nothing") {
  Desk desk;
  CHECK(desk.run(training("whole")).exit == 0);
  const std::string whole = fingerprint(desk, "whole");
  for (const auto& [signal, exit] : {std::pair(SIGINT, 130), std::pair(SIGTERM, 143), std::pair(SIGHUP, 129)}) {
    const std::string run = std::to_string(exit);
    const pid_t child = desk.start(training(run, "100000"));
    wait_for_a_step(desk, run);
    ::kill(child, signal);
    const Finished stopped = desk.finish(child);
    CHECK(stopped.exit == exit);
    CHECK(contains(stopped.err, fmt::format("and saved; to go on:\n  ./weft resume {}\n", run)));
    const i64 step = train::list_checkpoints(desk / run / "checkpoints").at(0);
    CHECK(contains(stopped.err, fmt::format("stopped after step {} of", step)));
    CHECK(contains(desk.read(run + "/log.jsonl"), fmt::format("\"event\":\"interrupted\",\"step\":{}", step)));
  }
  const pid_t child = desk.start(training("cut"));
  wait_for_a_step(desk, "cut");
  ::kill(child, SIGHUP);
  CHECK(desk.finish(child).exit == 129);
  CHECK(desk.run({"resume", "cut"}).exit == 0);
  CHECK(fingerprint(desk, "cut") == whole);
}

TEST_CASE("a second signal leaves at once, with the code of the second, and harms nothing") {
  Desk desk;
  CHECK(desk.run(training("whole")).exit == 0);
  const std::string whole = fingerprint(desk, "whole");
  for (int i = 0; i < 8; ++i) {
    const std::string run = "r" + std::to_string(i);
    const pid_t child = desk.start(training(run));
    wait_for_a_step(desk, run);
    ::kill(child, SIGINT);
    pause(0.4 * i);  // the second finds the first one's step, its save, or the end
    const auto sent = std::chrono::steady_clock::now();
    ::kill(child, SIGTERM);
    const int exit = desk.finish(child).exit;
    CHECK(std::chrono::steady_clock::now() - sent < std::chrono::seconds(5));  // five: the machine may be busy
    CHECK((exit == 143 || exit == 130));
    CHECK(desk.run({"resume", run}).exit == 0);
    CHECK(fingerprint(desk, run) == whole);
  }
}

TEST_CASE("a second signal does not wait for a long step") {
  Desk desk;
  // A step of a minute or more: two hundred thousand parts.
  const pid_t child = desk.start({"train", "tiny.yaml", "--set", "train.accumulate=200000", "--set", "eval.every=0",
                                  "--run-dir", "r", "--threads", "1"});
  for (int i = 0; i < 3000 && !fs::exists(desk / "r/log.jsonl"); ++i) pause(2);
  pause(300);
  ::kill(child, SIGINT);
  pause(20);
  const auto sent = std::chrono::steady_clock::now();
  ::kill(child, SIGINT);
  CHECK(desk.finish(child).exit == 130);
  CHECK(std::chrono::steady_clock::now() - sent < std::chrono::seconds(1));
  CHECK(train::list_checkpoints(desk / "r/checkpoints") == std::vector<i64>{0});
}

TEST_CASE("a run that is killed a hundred times, whenever, ends with the bytes of one that never was") {
  Desk desk;
  const auto start = std::chrono::steady_clock::now();
  CHECK(desk.run(training("whole")).exit == 0);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  const std::string whole = fingerprint(desk, "whole");
#ifdef WEFT_ONE_ISA
  constexpr int kKills = 10;  // under sanitizers a start alone takes a second
#else
  constexpr int kKills = 100;
#endif
  int kills = 0;
  for (u64 run = 0; kills < kKills; ++run) {
    const std::string name = "r" + std::to_string(run);
    bool done = false;
    for (u64 turn = 0; !done; ++turn) {
      const bool begun =
          fs::exists(desk / name / "description.yaml") && !train::list_checkpoints(desk / name / "checkpoints").empty();
      if (!begun) fs::remove_all(desk / name);  // killed before the first checkpoint: nothing was done
      const pid_t child = desk.start(begun ? Words{"resume", name, "--threads", "1"} : training(name));
      pause(took.count() * uniform(Key{run}.fold("kill"), turn));  // from before the first step to the end of the last
      ::kill(child, SIGKILL);
      const int exit = desk.finish(child).exit;
      CHECK((exit == 0 || exit == 128 + SIGKILL));
      kills += exit != 0;
      done = exit == 0;
    }
    CHECK(fingerprint(desk, name) == whole);
  }
}

TEST_CASE("a second process on one run is refused with who has it, and not after that one was killed") {
  Desk desk, other;
  const std::string run = (desk / "r").string();
  const pid_t child = desk.start(training("r", "100000"));
  wait_for_a_step(desk, "r");
  const Finished second = other.run({"resume", run});
  CHECK(second.exit == 4);
  CHECK(contains(second.err, fmt::format("process {} is working in it", child)));
  CHECK(other.run({"train", (desk / "tiny.yaml").string(), "--run-dir", run}).exit == 2);
  ::kill(child, SIGKILL);
  CHECK(desk.finish(child).exit == 128 + SIGKILL);
  const pid_t third = other.start({"resume", run});
  pause(200);
  ::kill(third, SIGINT);
  CHECK(other.finish(third).exit == 130);
}

TEST_CASE("data that changed are refused on resume, whatever kind they are and however little changed") {
  Desk desk;
  CHECK(desk.run({"train", "tiny.yaml", "--run-dir", "r"}).exit == 0);
  const std::string text = desk.read("t.txt");
  const auto resume = [&] { return desk.run({"resume", "r", "--set", "train.steps=5"}); };
  std::string changed = text;
  std::swap(changed[0], changed[1]);  // same size, same letters
  desk.write("t.txt", changed);
  CHECK(resume().exit == 4);
  CHECK(contains(resume().err, "the text is not the one the run was started with: "));
  desk.write("t.txt", text.substr(1));
  CHECK(resume().exit == 4);
  fs::remove(desk / "t.txt");
  CHECK(resume().exit == 4);
  desk.write("t.txt", text);  // a new file with the old bytes is the old text
  CHECK(resume().exit == 0);
  desk.write("p.yaml",
             "schema: 1\nmodel: [{use: std/gru, with: {D: 8, layers: 1}}]\ndata: {parity: {longest: 6, valid: 50}}\n"
             "train: {steps: 2, batch: 4}\n");
  CHECK(desk.run({"train", "p.yaml", "--run-dir", "p"}).exit == 0);
  std::string description = desk.read("p/description.yaml");
  description.replace(description.find("longest: 6"), 10, "longest: 7");
  desk.write("p/description.yaml", description);
  CHECK(desk.run({"resume", "p", "--set", "train.steps=5"}).exit == 2);
}

TEST_CASE("eval and generate refuse damaged weights with the tensor and the way out, and take the next when asked") {
  Desk desk;
  CHECK(desk.run({"train", "tiny.yaml", "--run-dir", "r"}).exit == 0);
  const auto before = nlohmann::json::parse(
      desk.run({"eval", "r/checkpoints/step_0000003/state.safetensors", "--set", "data.text.path=t.txt", "--json"})
          .out);
  damage(desk, "r/checkpoints/best.safetensors");
  for (const std::string verb : {"eval", "generate"}) {
    const Finished refused = desk.run({verb, "r"});
    CHECK(refused.exit == 4);
    CHECK(refused.out.empty());
    CHECK(contains(refused.err, "r/checkpoints/best.safetensors: \"model.0.embed.table\" is damaged (bytes "));
    CHECK(contains(refused.err, "`--last-good` takes them"));
    const Finished taken = desk.run({verb, "r", "--last-good"});
    CHECK(taken.exit == 0);
    CHECK_FALSE(taken.out.empty());
    CHECK(contains(taken.err, "note: r/checkpoints/step_0000003/state.safetensors is taken instead"));
  }
  CHECK(nlohmann::json::parse(desk.run({"eval", "r", "--last-good", "--json"}).out)["nats"] == before["nats"]);
}

TEST_CASE("checkpoints of an earlier version evaluate to the loss that they had, and go on") {
  Desk desk;
  const std::string goldens = WEFT_SOURCE "/tests/goldens/checkpoints/";
  const auto nats = [&](const Words& words) {
    const Finished f = desk.run(words);
    CAPTURE(f.err);
    REQUIRE(f.exit == 0);
    return nlohmann::json::parse(f.out)["nats"].get<double>();
  };
  // f32 on other machines: products are summed in another order.
  CHECK(nats({"eval", goldens + "text.safetensors", "--set", "data.text.path=" + goldens + "text.txt", "--json"}) ==
        doctest::Approx(2.485109500030973).epsilon(1e-6));
  CHECK(nats({"eval", goldens + "copy.safetensors", "--json"}) == doctest::Approx(1.791519100189209).epsilon(1e-6));
  const train::Safetensors saved(fs::path(goldens + "copy.safetensors"));
  fs::create_directories(desk / "c/checkpoints/step_0000004");
  desk.write("c/description.yaml", saved.metadata().at("description"));
  desk.write("c/checkpoints/step_0000004/state.safetensors", train::read_file(goldens + "copy.safetensors"));
  const Finished resumed = desk.run({"resume", "c", "--set", "train.steps=6"});
  CAPTURE(resumed.err);
  CHECK(resumed.exit == 0);
  CHECK(train::list_checkpoints(desk / "c/checkpoints").at(0) == 6);
}

namespace {

// A def `f` between embedding and logits.
std::string with_def(const std::string& def) {
  return "schema: 1\nname: wrong\ndefs:\n  f:\n    in: {x: [T, D]}\n" + def +
         "model: [{embed: {width: 8}}, f, {logits: {tie: embed}}]\ndata: {text: {path: t.txt}}\n"
         "train: {steps: 6, batch: 2, context: 8}\neval: {every: 0}\ngenerate: {tokens: 0}\n";
}

}  // namespace

TEST_CASE("a number that goes wrong ends the run with exit 5 and names op, place and position; good state stays") {
  Desk desk;
  struct Row {
    std::string def;
    std::vector<std::string> parts;
  };
  const std::vector<Row> rows = {
      // The logarithm of something negative, in the second equation.
      {"    let:\n      a: x * x\n      b: log(a - 100)\n    out: b\n",
       {"`log` (wrong.yaml:8:10) makes nan at [0, 0, 0] of [B, T, D] = [2, 8, 8]"}},
      {"    out: exp(x * 0 + 1000) + x\n", {"`exp` (wrong.yaml:6:10) makes inf at [0, 0, 0] of "}},
      // sqrt(0) is finite, its slope is not.
      {"    out: x + sqrt(x * 0)\n", {"the gradient of `sqrt` by `x` (wrong.yaml:6:10) makes -inf at [0, 0, 0] of "}},
      // Inside the step of a recurrence that only the loop can compute.
      {"    recurrence:\n      over: T\n      state: {s: [D]}\n      step:\n        s: tanh(s) * 9e37 * 9e37 + x\n"
       "      read: {y: s}\n    out: y\n",
       {"`scan` (wrong.yaml:6:5) makes -inf at [0, ", "; inside it, mul (wrong.yaml:10:12) makes "}},
  };
  for (const Row& row : rows) {
    desk.write("wrong.yaml", with_def(row.def));
    fs::remove_all(desk / "r");
    const Finished f = desk.run({"train", "wrong.yaml", "--run-dir", "r", "--threads", "1"});
    CAPTURE(f.err);
    CHECK(f.exit == 5);
    CHECK(contains(f.err, "training diverged at step "));
    for (const std::string& part : row.parts) CHECK(contains(f.err, part));
    CHECK(contains(f.err, "the update was not applied"));
    CHECK(contains(f.err, "the last good checkpoint is r/checkpoints/step_0000000"));
    CHECK(contains(desk.read("r/log.jsonl"), "\"event\":\"diverged\""));
    CHECK(desk.run({"eval", "r/checkpoints/step_0000000/state.safetensors"}).exit != 4);
  }
}

TEST_CASE("with on_nonfinite: skip a run goes on to its limit, each step named") {
  Desk desk;
  desk.write("wrong.yaml", with_def("    out: log(x - 100)\n"));
  const Finished f = desk.run({"train", "wrong.yaml", "--run-dir", "r", "--set", "train.on_nonfinite.skip.limit=3"});
  CAPTURE(f.err);
  CHECK(f.exit == 5);
  CHECK(contains(f.err, "warning: step 3: the loss is nan"));
  CHECK(contains(f.err, "`log` (wrong.yaml:6:10) makes nan at [0, 0, 0] of "));
  CHECK(contains(f.err, "the update was left out (3 of 3 in a row)"));
  CHECK(contains(f.err, "training diverged at step 4: "));
}

TEST_CASE("weights that overflow are named when a step reads them") {
  Desk desk;
  const Finished f =
      desk.run({"train", "tiny.yaml", "--run-dir", "r", "--set", "train.optimizer.adamw.lr=1e39", "--set",
                "train.schedule.constant.warmup=0", "--set", "eval.every=0", "--set", "train.steps=9"});
  CAPTURE(f.err);
  CHECK(f.exit == 5);
  CHECK(contains(f.err, "`model.0.embed.table` is "));
}

TEST_CASE("what would not fit is refused before the first step, with exit 6 and both numbers") {
  Desk desk;
  for (const std::string verb : {"train", "check"}) {
    const Finished f = desk.run({verb, "tiny.yaml", "--max-mem", "1k"});
    CAPTURE(f.err);
    CHECK(f.exit == 6);
    CHECK(contains(f.err, "of memory in all, and --max-mem allows 1.00 kB; make train.batch or train.context smaller"));
    if (verb == "train") CHECK_FALSE(fs::exists(desk / "runs"));
    CHECK(desk.run({verb, "tiny.yaml", "--max-mem", "2GiB", "--set", "train.steps=1"}).exit == 0);
    const Finished odd = desk.run({verb, "tiny.yaml", "--max-mem", "much"});
    CHECK(odd.exit == 2);
    CHECK(contains(odd.err, "`much` is no size of memory: write it as 512M, 2G or 1.5GiB"));
  }
  const Finished large = desk.run({"train", "tiny.yaml", "-p", "width=1000000000"});
  CHECK(large.exit == 6);
  CHECK(desk.run({"check", "tiny.yaml", "--max-mem", "1k", "--json"}).exit == 6);
}
