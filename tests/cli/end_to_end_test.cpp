// A user's whole way with a small model: check, train, stop, resume, generate; and runs that were damaged on the way.
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

// What two equal runs have in common, byte for byte.
std::string fingerprint(const Desk& desk, const std::string& run) {
  const auto steps = train::list_checkpoints(desk / run / "checkpoints");
  return train::read_file(train::checkpoint_file(desk / run / "checkpoints", steps.at(0))) +
         desk.read(run + "/metrics.csv") + desk.read(run + "/samples.txt") + desk.read(run + "/description.yaml") +
         desk.read(run + "/checkpoints/best.safetensors");
}

// Changes one byte near the end of a file, where the tensors are.
void damage(const Desk& desk, const std::string& file) {
  std::string bytes = desk.read(file);
  bytes[bytes.size() - 5] = static_cast<char>(bytes[bytes.size() - 5] ^ 1);
  desk.write(file, bytes);
}

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

TEST_CASE("a pattern that matches nothing is an error of the description, at its place") {
  Desk desk;
  desk.write("tiny.yaml", std::string(kTiny) + "\n");
  const Finished f = desk.run({"check", "tiny.yaml", "--set", "train.groups=[{match: '*.embd.*', lr: 0.1}]"});
  CHECK(f.exit == 2);
  CHECK(contains(f.err, "error[E0507]: `*.embd.*` matches no weight"));
  CHECK(contains(f.err, "weights have names such as `model.0.embed.table`"));
}

TEST_CASE("check tells weights, memory, cost and state, as a table and as JSON") {
  Desk desk;
  const Finished f = desk.run({"check", "tiny.yaml", "-v"});
  CHECK(f.exit == 0);
  CHECK(f.err.empty());
  // t.txt has the characters of "the cat sat on a mat.\n": 12 with space, point and line feed; 12 * 16 numbers.
  CHECK(f.out.starts_with("tiny\n  weights  192 in 1 tensors, 768 bytes\n  step     2 windows of 8 tokens: "));
  CHECK(contains(f.out, "a row, whatever the length\n"));
  // Two layers of two heads of 8 keys by 16 values; the transformer keeps keys and values of every position.
  const std::string sizes = "data: {text: {path: t.txt}}\n";
  desk.write("r.yaml", "schema: 1\nmodel: [{use: std/retnet, with: {D: 16, H: 2, layers: 2}}]\n" + sizes);
  desk.write("a.yaml", "schema: 1\nmodel: [{use: std/transformer, with: {D: 16, H: 2, layers: 2}}]\n" + sizes);
  CHECK(contains(desk.run({"check", "r.yaml"}).out, "  state    2.05 kB a row, whatever the length\n"));
  CHECK(contains(desk.run({"check", "a.yaml"}).out, "  state    grows with the length\n"));
  CHECK(contains(f.out, "  data     t.txt: "));
  CHECK(contains(f.out, "vocabulary 12\n  model.0.embed.table  [12, 16]\n"));
  CHECK_FALSE(contains(desk.run({"check", "tiny.yaml"}).out, "model.0"));
  const auto json = nlohmann::json::parse(desk.run({"check", "tiny.yaml", "-p", "width=4", "--json"}).out);
  CHECK(json["weights"] == 48);
  CHECK(json["fits"] == true);
  CHECK(json["tensors"][0]["shape"] == nlohmann::json({12, 4}));
  CHECK(json["flops_per_step"] > 0);
}

TEST_CASE("check needs no data when it is told not to look at them") {
  Desk desk;
  fs::remove(desk / "t.txt");
  CHECK(desk.run({"check", "tiny.yaml"}).exit == 4);
  CHECK(desk.run({"check", "tiny.yaml", "--no-data"}).exit == 0);
}

TEST_CASE("a description may come from standard input") {
  Desk desk;
  desk.input = kTiny;
  CHECK(contains(desk.run({"check", "-"}).out, "192 in 1 tensors"));
  desk.input = "modle: [x]\n";
  CHECK(contains(desk.run({"check", "-"}).err, "--> <stdin>:1:1"));
}

TEST_CASE("a warning is told and is no failure") {
  Desk desk;
  desk.write("tiny.yaml", std::string(kTiny) + "defs: {f: {in: {x: [T, D]}, let: {r: 2 * x}, out: x}}\n");
  const Finished text = desk.run({"check", "tiny.yaml"}), json = desk.run({"check", "tiny.yaml", "--json"});
  CHECK(text.exit == 0);
  CHECK(contains(text.err, "warning[W0101]"));
  CHECK(json.exit == 0);
  CHECK(json.err.empty());
  CHECK(contains(nlohmann::json::parse(json.out)["diagnostics"].dump(), "\"W0101\""));
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

TEST_CASE("generated text goes to stdout alone, the same for the same seed, a shorter one a prefix") {
  Desk desk;
  trained(desk);
  const Finished a = desk.run({"generate", "r", "--prompt", "the ", "--tokens", "40"});
  CHECK(a.exit == 0);
  CHECK(a.out.size() == 40);
  CHECK(a.err.empty());
  CHECK(desk.run({"generate", "r", "--prompt", "the ", "--tokens", "40"}).out == a.out);
  CHECK(desk.run({"generate", "r", "--prompt", "the ", "--tokens", "15"}).out == a.out.substr(0, 15));
  CHECK(desk.run({"generate", "r", "--prompt", "the ", "--tokens", "40", "--seed", "9"}).out != a.out);
  CHECK(desk.run({"generate", "r"}).out.size() == 20);  // as the description says
  const std::string likeliest = desk.run({"generate", "r", "--temperature", "0"}).out;
  CHECK(desk.run({"generate", "r", "--top-k", "1"}).out == likeliest);
  CHECK(desk.run({"generate", "r", "--top-p", "1e-9"}).out == likeliest);
  CHECK(desk.run({"generate", (desk / "r/checkpoints/best.safetensors").string()}).out.size() == 20);
  const Finished document = desk.run({"generate", "r", "--prompt", "the ", "--tokens", "40", "--json"});
  const auto json = nlohmann::json::parse(document.out);
  CHECK(json["text"] == a.out);
  CHECK(json["prompt"] == "the ");
}

TEST_CASE("generation needs neither the folder it was trained in nor its text") {
  Desk desk;
  trained(desk);
  const std::string text = desk.run({"generate", "r"}).out;
  Desk elsewhere;
  fs::remove(desk / "t.txt");
  CHECK(elsewhere.run({"generate", (desk / "r").string()}).out == text);
}

TEST_CASE("on a terminal the prompt is shown before the text, dimmed") {
  Desk desk;
  trained(desk);
  desk.terminal = true;
  const Finished f = desk.run({"generate", "r", "--prompt", "the ", "--tokens", "5"});
  CHECK(f.exit == 0);
  CHECK(f.out.starts_with("\x1b[2mthe \x1b[0m"));
  CHECK(f.out.ends_with("\r\n"));
}

TEST_CASE("what generation cannot do is exit 2") {
  Desk desk;
  trained(desk);
  const std::vector<std::pair<Words, std::string>> rows = {
      {{"--prompt", "ZEBRA"}, "the prompt: character 1 is 'Z' (U+005A), which is not among the 12"},
      {{"--prompt", ""}, "generate.prompt must hold at least one character"},
      {{"--top-p", "2"}, "generate.top_p must be above 0 and at most 1 (2)"},
      {{"--tokens", "-4"}, "generate.tokens must be 0 or more (-4)"},
  };
  for (const auto& [words, part] : rows) {
    Words all = {"generate", "r"};
    all.insert(all.end(), words.begin(), words.end());
    const Finished f = desk.run(all);
    CAPTURE(f.err);
    CHECK(f.exit == 2);
    CHECK(f.out.empty());
    CHECK(contains(f.err, part));
  }
}
