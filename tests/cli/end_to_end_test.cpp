// A user's whole way with a small model: train, stop, resume; and runs that were damaged on the way.
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/cli/program.h"
#include "train/checkpoint.h"

using namespace weft;
using namespace weft::cli;

namespace {

Finished trained(Desk& desk) { return desk.run({"train", "tiny.yaml", "--run-dir", "r"}); }

}  // namespace

TEST_CASE("a sample that runs out of learned positions ends early and says so; the training goes on") {
  Desk desk;
  desk.write("p.yaml", R"(schema: 1
defs:
  places:
    in: {x: [T, D]}
    weights: {table: {shape: [8, D]}}
    out: x + embedding(to_index(position()), table)
model: [{embed: {width: 4}}, places, {logits: {tie: embed}}]
data: {text: {path: t.txt}}
train: {steps: 3, batch: 2, context: 8}
)");
  const Finished f = desk.run({"train", "p.yaml", "--run-dir", "p"});
  CHECK(f.exit == 0);
  CHECK(contains(f.out + f.err, "note: the sample ends early: embedding: the token 8 is not in a table of 8 rows\n"));
  CHECK(contains(desk.read("p/samples.txt"), "step 3\n"));
}

TEST_CASE("carried states are saved: a run that was resumed in the middle of its stripes ends with the same bytes") {
  Desk desk;
  desk.write("c.yaml", R"(schema: 1
model: [{use: std/retnet, with: {D: 8, H: 2, layers: 1}}]
data: {text: {path: t.txt}}
train: {steps: 9, batch: 4, context: 16, accumulate: 2, carry_state: true}
)");
  CHECK(desk.run({"train", "c.yaml", "--run-dir", "whole"}).exit == 0);
  for (const char* steps : {"4", "7"}) {  // a stripe has 14 windows: these stop within the first
    const std::string run = std::string("r") + steps;
    CHECK(desk.run({"train", "c.yaml", "--run-dir", run, "--set", std::string("train.steps=") + steps, "--set",
                    "train.schedule.constant.warmup=0"})
              .exit == 0);
    CHECK(desk.run({"train", "c.yaml", "--run-dir", run + "w", "--set", "train.schedule.constant.warmup=0"}).exit == 0);
    CHECK(desk.run({"resume", run, "--set", "train.steps=9"}).exit == 0);
    const auto newest = [&](const std::string& r) {
      std::vector<std::string> bytes;
      for (auto& t : train::Safetensors(train::checkpoint_file(desk / r / "checkpoints", 9)).load_all())
        bytes.push_back(t.name + std::string(reinterpret_cast<const char*>(t.tensor.raw()), t.tensor.bytes()));
      return bytes;
    };
    CHECK(newest(run) == newest(run + "w"));
    CHECK(newest(run).size() > 3 * 12);
  }
  const Finished f = desk.run({"train", "c.yaml", "--set", "train.batch=400"});
  CHECK(f.exit == 4);
  CHECK(contains(f.err, "to learn from are no stripes for 800 rows: each needs a window of 16"));
}

TEST_CASE("whatever an optimizer remembers is saved: a run that was resumed ends with the same bytes") {
  Desk desk;
  const auto description = [](const std::string& optimizer, int steps) {
    return fmt::format(R"(schema: 1
model: [{{use: std/retnet, with: {{D: 8, H: 2, layers: 1}}}}]
data: {{text: {{path: t.txt}}}}
train:
  steps: {}
  batch: 2
  context: 16
  optimizer: {}
  groups: [{{match: "*.embed.*", lr: 0.1, weight_decay: 0}}]
  schedule: {{constant: {{warmup: 2}}}}
generate: {{tokens: 0}}
)",
                       steps, optimizer);
  };
  for (const auto& [kind, optimizer] :
       {std::pair("adamw.second.", "adamw"), std::pair("sgd.momentum.", "{sgd: {nesterov: true, weight_decay: 0.01}}"),
        std::pair("muon.momentum.", "{muon: {match_rms_adamw: true, lr: 3e-3}}"),
        std::pair("muon.momentum.", "muon")}) {
    desk.write("o.yaml", description(optimizer, 9));
    fs::remove_all(desk / "whole");
    CHECK(desk.run({"train", "o.yaml", "--run-dir", "whole"}).exit == 0);
    const std::string whole = desk.read("whole/checkpoints/step_0000009/state.safetensors");
    CHECK(contains(whole, kind));
    for (const char* steps : {"1", "5"}) {
      fs::remove_all(desk / "part");
      CHECK(desk.run({"train", "o.yaml", "--run-dir", "part", "--set", std::string("train.steps=") + steps}).exit == 0);
      CHECK(desk.run({"resume", "part", "--set", "train.steps=9", "--threads", "1"}).exit == 0);
      // The description with its steps, and the best loss, stand in the metadata; the tensors are what must be equal.
      const auto tensors = [&](const std::string& run) {
        std::vector<std::string> bytes;
        for (auto& t : train::Safetensors(train::checkpoint_file(desk / run / "checkpoints", 9)).load_all())
          bytes.push_back(t.name + std::string(reinterpret_cast<const char*>(t.tensor.raw()), t.tensor.bytes()));
        return bytes;
      };
      CHECK(tensors("part") == tensors("whole"));
    }
  }
  std::string other = desk.read("part/description.yaml");
  other.replace(other.find("muon"), 4, "sgd");
  desk.write("part/description.yaml", other);
  const Finished changed = desk.run({"resume", "part", "--set", "train.steps=12"});
  CHECK(changed.exit == 2);
  CHECK(contains(changed.err, "is not the description that this run was trained with"));
}

TEST_CASE("training says what it works on, what the loss means and what to do next, and keeps stdout free") {
  Desk desk;
  const Finished f = trained(desk);
  CHECK(f.exit == 0);
  CHECK(f.out.empty());
  CHECK(f.err.starts_with("tiny: 192 weights in 1 tensors, f32\ndata: "));
  for (const std::string part :
       {"vocabulary 12\n", "\nplan: 3 steps of 2 windows of 8 tokens, seed 1\n", "\nmachine: products ", "\nrun: r\n",
        "step 3/3 | loss ", "nats per character", "2-gram); the model is ", "\n  ./weft generate r ",
        "\n  ./weft resume r --set train.steps=6\n"}) {
    CAPTURE(part);
    CHECK(contains(f.err, part));
  }
  CHECK_FALSE(contains(f.err, "\x1b"));
  CHECK_FALSE(contains(f.err, "\r"));
  const Finished json = desk.run({"train", "tiny.yaml", "--json", "--set", "train.steps=1"});
  const auto outcome = nlohmann::json::parse(json.out);
  CHECK(outcome["step"] == 1);
  CHECK(fs::exists(desk / outcome["run"].get<std::string>() / "description.yaml"));
}

TEST_CASE("neither threads nor how they are run change a bit of the result, a seed does") {
  Desk desk;
  trained(desk);
  desk.run({"train", "tiny.yaml", "--run-dir", "one", "--threads", "1"});
  desk.run({"train", "tiny.yaml", "--run-dir", "serial", "--parallel", "serial"});
  desk.run({"train", "tiny.yaml", "--run-dir", "seed", "--seed", "2"});
  CHECK(fingerprint(desk, "one") == fingerprint(desk, "r"));
  CHECK(fingerprint(desk, "serial") == fingerprint(desk, "r"));
  CHECK(fingerprint(desk, "seed") != fingerprint(desk, "r"));
}

TEST_CASE("a run is never overwritten") {
  Desk desk;
  trained(desk);
  const std::string before = fingerprint(desk, "r");
  const Finished again = trained(desk);
  CHECK(again.exit == 2);
  CHECK(contains(again.err, "`weft resume r` continues the run in it"));
  CHECK(fingerprint(desk, "r") == before);
}

TEST_CASE("a run that was stopped by a signal is saved, and ends with the same bytes after resuming") {
  Desk desk;
  const Words train = {"train", "tiny.yaml", "--set", "train.steps=400", "--set", "eval.every=0", "--run-dir"};
  const auto with = [&](const char* run) {
    Words words = train;
    words.push_back(run);
    return words;
  };
  CHECK(desk.run(with("whole")).exit == 0);
  const pid_t child = desk.start(with("cut"));
  const fs::path log = desk / "cut/log.jsonl";
  const auto begun = [&] { return fs::exists(log) && contains(train::read_file(log), "\"event\":\"train\""); };
  for (int i = 0; i < 3000 && !begun(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  ::kill(child, SIGINT);
  const Finished stopped = desk.finish(child);
  CHECK(stopped.exit == 130);
  CHECK(contains(stopped.err, "and saved; to go on:\n  ./weft resume cut\n"));
  const Finished resumed = desk.run({"resume", "cut"});
  CHECK(resumed.exit == 0);
  CHECK(contains(resumed.err, "plan: on from step "));
  CHECK(fingerprint(desk, "cut") == fingerprint(desk, "whole"));
}

TEST_CASE("a finished run says so; more steps go on, other changes are refused") {
  Desk desk;
  trained(desk);
  const Finished done = desk.run({"resume", "r"});
  CHECK(done.exit == 0);
  CHECK(contains(done.err, "r is finished: 3 steps are done"));
  CHECK(desk.run({"resume", "--set", "train.steps=5", "r"}).exit == 0);
  CHECK(train::list_checkpoints(desk / "r/checkpoints").at(0) == 5);
  CHECK(contains(desk.run({"resume", "r"}).err, "5 steps are done"));
  CHECK(contains(desk.run({"resume", "r", "--set", "train.batch=3"}).err, "only train.steps can be set"));
  const std::string text = desk.read("r/description.yaml");
  desk.write("r/description.yaml", text + "# a remark changes nothing\n");
  CHECK(desk.run({"resume", "r"}).exit == 0);
  desk.write("r/description.yaml", text + "about: another\n");
  const Finished edited = desk.run({"resume", "r"});
  CHECK(edited.exit == 2);
  CHECK(contains(edited.err, "r/description.yaml is not the description that this run was trained with"));
}

TEST_CASE("a damaged checkpoint stops resume with exit 4 and the way out") {
  Desk desk;
  desk.run({"train", "tiny.yaml", "--run-dir", "r", "--set", "train.save_every=2"});
  desk.run({"train", "tiny.yaml", "--run-dir", "whole", "--set", "train.save_every=2"});
  damage(desk, "r/checkpoints/step_0000003/state.safetensors");
  const Finished f = desk.run({"resume", "r"});
  CHECK(f.exit == 4);
  CHECK(contains(f.err, "step_0000003"));
  CHECK(contains(f.err, "`weft resume r --last-good` continues from there"));
  CHECK(desk.run({"resume", "r", "--last-good"}).exit == 0);
  CHECK(fingerprint(desk, "r") == fingerprint(desk, "whole"));
  damage(desk, "r/checkpoints/best.safetensors");
  CHECK(desk.run({"generate", "r"}).exit == 4);
}

TEST_CASE("a text that changed since is refused") {
  Desk desk;
  trained(desk);
  desk.write("t.txt", desk.read("t.txt") + "the cat\n");
  const Finished f = desk.run({"resume", "r", "--set", "train.steps=5"});
  CHECK(f.exit == 4);
  CHECK(contains(f.err, "the text is not the one the run was started with"));
}

TEST_CASE("training that diverges is exit 5 and names the last good checkpoint") {
  Desk desk;
  const Finished f = desk.run({"train", "tiny.yaml", "--run-dir", "r", "--set", "train.optimizer.adamw.lr=1e39",
                               "--set", "train.schedule.constant.warmup=0"});
  CHECK(f.exit == 5);
  CHECK(contains(f.err, "training diverged at step "));
  CHECK(contains(f.err, "the last good checkpoint is r/checkpoints/step_0000000"));
}
