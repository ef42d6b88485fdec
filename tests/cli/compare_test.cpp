// `weft compare` through the real program.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <chrono>
#include <cmath>
#include <thread>

#include "tests/cli/page_fault.h"
#include "tests/cli/program.h"
#include "train/checkpoint.h"

using namespace weft;
using namespace weft::cli;

namespace {

using Json = nlohmann::json;

// A second model with a state, and a task, beside t.txt and tiny.yaml.
void lay_out(const Desk& desk) {
  desk.write(
      "sum.yaml",
      "schema: 1\nname: sum\nparams: {width: 16}\n"
      "model: [{embed: {width: width}}, {residual: {body: [{linear: {width: width}}]}}, {logits: {tie: embed}}]\n");
  desk.write("task.yaml",
             "schema: 1\nname: cats\ndata: {text: {path: t.txt}}\n"
             "train: {steps: 12, batch: 2, context: 8, schedule: {cosine: {warmup: 4}}}\n"
             "eval: {every: 4}\ngenerate: {tokens: 0}\n");
}

Words command(const Words& more) {
  Words words = {"compare", "tiny.yaml", "sum.yaml", "--on", "task.yaml", "--run-dir", "d"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

double nats(Desk& desk, const std::string& run) {
  return Json::parse(desk.run({"eval", run, "--json"}).out)["nats"].get<double>();
}

}  // namespace

TEST_CASE("a comparison trains every model with every seed alike and says what they reached") {
  Desk desk;
  lay_out(desk);
  const Finished f = desk.run(command({"--seeds", "3", "--json"}));
  CAPTURE(f.err);
  REQUIRE(f.exit == 0);
  const Json json = Json::parse(f.out);
  CHECK(json["seeds"] == 3);
  CHECK(json["budget"] == "12steps");
  CHECK(json["floors"]["uniform"].get<double>() > json["floors"]["2-gram"].get<double>());
  REQUIRE(json["models"].size() == 2);
  for (const Json& model : json["models"]) {
    double sum = 0, squares = 0;
    for (const Json& run : model["runs"]) {
      CHECK(run["state"] == "finished");
      CHECK(run["validations"].size() == 3);
      CHECK(run["steps"] == 12);
      sum += run["best"].get<double>();
    }
    const double mean = sum / 3;
    for (const Json& run : model["runs"]) squares += std::pow(run["best"].get<double>() - mean, 2);
    CHECK(model["loss"]["mean"].get<double>() == doctest::Approx(mean).epsilon(1e-12));
    CHECK(model["loss"]["deviation"].get<double>() == doctest::Approx(std::sqrt(squares / 2)).epsilon(1e-9));
    CHECK(model["bits"].get<double>() == doctest::Approx(mean / std::log(2)).epsilon(1e-12));
    CHECK(model["tokens_per_second"].get<double>() > 0);
    CHECK(model["flops_per_token"].get<double>() > 0);
  }
  CHECK(json["models"][0]["best"].get<bool>() != json["models"][1]["best"].get<bool>());
  // A run of a comparison is the run that `train` makes of the model with the task's sections.
  desk.write("whole.yaml",
             "schema: 1\nparams: {width: 16}\nmodel: [{embed: {width: width}}, {logits: {tie: embed}}]\n" +
                 desk.read("task.yaml").substr(desk.read("task.yaml").find("data:")));
  REQUIRE(desk.run({"train", "whole.yaml", "--seed", "2", "--run-dir", "r"}).exit == 0);
  CHECK(nats(desk, "r") == nats(desk, "d/tiny/seed_2"));
  CHECK(nats(desk, "r") == json["models"][0]["runs"][1]["best"].get<double>());
  // Again: nothing is trained, and the table is there.
  const Finished again = desk.run(command({"--seeds", "3"}));
  CHECK(again.exit == 0);
  CHECK_FALSE(contains(again.err, "==="));
  CHECK(contains(again.out, "page: d/compare.html"));
  CHECK(contains(again.out, fmt::format("{:.4f} ± ", json["models"][0]["loss"]["mean"].get<double>())));
}

TEST_CASE("the page of a comparison is one file without script, and names in it are escaped") {
  Desk desk;
  lay_out(desk);
  desk.write("evil.yaml",
             "schema: 1\nname: \"<script>alert('x')</script>&\"\nabout: \"</pre><script src=http://x>\"\n" +
                 desk.read("sum.yaml").substr(desk.read("sum.yaml").find("params:")));
  std::string task = desk.read("task.yaml");
  task.replace(task.find("cats"), 4, "\"<b>cats\"");
  desk.write("task.yaml", task);
  const Finished f = desk.run({"compare", "tiny.yaml", "evil.yaml", "--on", "task.yaml", "--run-dir", "d"});
  CAPTURE(f.err);
  REQUIRE(f.exit == 0);
  const std::string page = desk.read("d/compare.html");
  CHECK(contains(page, "&lt;b&gt;cats"));
  CHECK(contains(page, "&lt;/pre&gt;&lt;script"));
  CHECK(contains(page, "<svg "));
  CHECK(contains(page, "prefers-color-scheme: dark"));
  CHECK(fault_of_page(page) == "");
}

TEST_CASE("a comparison that was stopped goes on where it was, also after a kill") {
  Desk desk;
  lay_out(desk);
  const auto stopped_by = [&](int signal, const std::string& folder, int exit) {
    CAPTURE(folder);
    Words words = {"compare",  "tiny.yaml", "sum.yaml", "--on", "task.yaml", "--run-dir",          folder,
                   "--budget", "600steps",  "--seeds",  "1",    "--set",     "train.save_every=20"};
    const pid_t child = desk.start(words);
    const fs::path log = desk / folder / "sum/seed_1/log.jsonl";
    const auto begun = [&] { return fs::exists(log) && contains(train::read_file(log), "\"step\":30,"); };
    for (int i = 0; i < 5000 && !begun(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    ::kill(child, signal);
    CHECK(desk.finish(child).exit == exit);
    const Finished again = desk.run(words);
    CAPTURE(again.err);
    CHECK(again.exit == 0);
    CHECK_FALSE(contains(again.err, "=== tiny"));
    CHECK(contains(again.err, "=== sum, seed 1, on from where it stopped"));
    CHECK(train::list_checkpoints(desk / folder / "sum/seed_1/checkpoints").at(0) == 600);
    return train::read_file(desk / folder / "sum/seed_1/checkpoints/step_0000600/state.safetensors");
  };
  CHECK(stopped_by(SIGINT, "a", 130) == stopped_by(SIGKILL, "b", 137));
}

TEST_CASE(
    "the learning rate of each model is tuned on a quarter of the budget, further while the best is at the edge") {
  Desk desk;
  lay_out(desk);
  const Words words = command(
      {"--seeds", "1", "--budget", "40steps", "--tune", "lr", "--json", "--set", "train.optimizer.adamw.lr=1e-5"});
  const Json json = Json::parse(desk.run(words).out);
  for (const Json& model : json["models"]) {
    const Json& tuning = model["tuning"];
    REQUIRE(tuning.size() > 3);  // 1e-5 is far too low: the best is at the upper edge
    double best = HUGE_VAL, rate = 0;
    for (const Json& t : tuning) {
      CHECK(t["steps"] == 10);
      if (t["best"].get<double>() < best) best = t["best"].get<double>(), rate = t["lr"].get<double>();
      CHECK(t["chosen"] == (t["lr"] == model["lr"]));
    }
    CHECK(model["lr"].get<double>() == rate);
    CHECK(rate == doctest::Approx(1e-3));  // the limit: a factor of 100
    CHECK(contains(desk.read(fs::path(model["runs"][0]["run"]).string() + "/description.yaml"), "lr: 0.001"));
  }
  CHECK(contains(desk.read("d/tiny/lr=1e-05/description.yaml"), "warmup: 1"));  // 4 * 10 / 40
  CHECK(desk.run(words).err.find("===") == std::string::npos);
}

TEST_CASE("a budget is steps, tokens or seconds of training") {
  Desk desk;
  lay_out(desk);
  const auto steps = [&](const std::string& budget) {
    const Finished f = desk.run(command({"--dry-run", "--json", "--budget", budget}));
    CAPTURE(f.err);
    REQUIRE(f.exit == 0);
    return Json::parse(f.out)["models"];
  };
  CHECK(steps("7steps")[1]["steps"] == 7);
  CHECK(steps("100tokens")[0]["steps"] == 6);  // of 16 tokens
  CHECK_FALSE(fs::exists(desk / "d"));
  const Words words = command({"--seeds", "1", "--json", "--budget", "0.05s"});
  const Finished f = desk.run(words);
  REQUIRE(f.exit == 0);
  const Json first = Json::parse(f.out);
  for (const Json& m : first["models"]) {
    CHECK(m["steps"] == static_cast<i64>(0.05 / m["calibrated_seconds_per_step"].get<double>()));
    CHECK(m["runs"][0]["steps"] == m["steps"]);
  }
  const Finished again = desk.run(words);  // the speed is not measured again, so the runs are the same
  CHECK(again.exit == 0);
  CHECK_FALSE(contains(again.err, "measuring"));
  CHECK(Json::parse(again.out)["models"][0]["steps"] == first["models"][0]["steps"]);
  CHECK(
      contains(desk.run(command({"--seeds", "1", "--budget", "0.06s"})).err, "begun with the budget 0.05s, not 0.06s"));
}

TEST_CASE("a param is for every model or for one by its label, and one model may stand twice") {
  Desk desk;
  lay_out(desk);
  const Finished f = desk.run({"compare", "small=tiny.yaml", "big=tiny.yaml", "--on", "task.yaml", "-p", "width=8",
                               "-p", "big:width=32", "--dry-run", "--json"});
  CAPTURE(f.err);
  REQUIRE(f.exit == 0);
  const Json json = Json::parse(f.out);
  CHECK(json["models"][0]["model"] == "small");
  CHECK(json["models"][1]["weights"] == 4 * json["models"][0]["weights"].get<i64>());
}

TEST_CASE("a run that diverged counts as such and its model is not the best") {
  Desk desk;
  lay_out(desk);
  const Finished f = desk.run(command({"--seeds", "1", "--set", "train.optimizer.adamw.lr=1e300"}));
  CHECK(f.exit == 0);
  CHECK(contains(f.out, "-, 1 of 1 diverged"));
  CHECK_FALSE(contains(f.out, " best,"));
  CHECK(fs::exists(desk / "d/compare.html"));
}

TEST_CASE("what would not be a fair comparison is refused before anything runs") {
  Desk desk;
  lay_out(desk);
  const auto refused = [&](const Words& words, const std::vector<std::string>& parts) {
    const Finished f = desk.run(words);
    CAPTURE(f.err);
    CHECK(f.exit == 2);
    CHECK(f.out.empty());
    for (const std::string& part : parts) CHECK(contains(f.err, part));
    CHECK_FALSE(fs::exists(desk / "d"));
  };
  std::string other = kTiny;
  other.replace(other.find("name: tiny"), 10, "name: other");
  other.replace(other.find("batch: 2"), 8, "batch: 3");
  desk.write("other.yaml", other);
  refused({"compare", "tiny.yaml", "other.yaml", "--run-dir", "d"},
          {"not trained alike", "-   batch: 2\n+   batch: 3", "--on TASK"});
  refused({"compare", "tiny.yaml", "tiny.yaml", "--run-dir", "d"},
          {"two models are called `tiny`", "tiny_2=tiny.yaml"});
  refused({"compare", "tiny.yaml", "--run-dir", "d"}, {"two models at least"});
  refused(command({"-p", "widht=8"}), {"E0505", "did you mean `width`?"});
  refused(command({"-p", "tini:width=8"}), {"there is no model `tini` here", "did you mean `tiny`?"});
  refused(command({"--set", "model.0=x"}), {"only data, train, eval and generate"});
  refused(command({"--set", "train.seed=3"}), {"--seeds says which"});
  refused(command({"--budget", "12"}), {"as in 2000steps, 5e6tokens or 120s"});
  refused(command({"--budget", "0.5steps"}), {"steps are whole"});
  refused(command({"--budget", "3tokens"}), {"less than one step"});
  refused(command({"--tune", "width"}), {"--tune knows `lr`"});
  desk.write("task.yaml", "schema: 1\ntrain: {steps: 3}\n");
  refused(command({}), {"task.yaml has no section `data`"});
  desk.write("task.yaml", "schema: 1\ndata: {text: {path: t.txt}}\ntrain: {stepz: 3}\n");
  refused(command({}), {"E0301", "task.yaml:3:9", "did you mean `steps`?"});
}

TEST_CASE("a description that changed is refused in the folder of another comparison") {
  Desk desk;
  lay_out(desk);
  REQUIRE(desk.run(command({"--seeds", "1"})).exit == 0);
  const Finished wider = desk.run(command({"--seeds", "1", "-p", "sum:width=8"}));
  CHECK(wider.exit == 2);
  CHECK(contains(wider.err, "d was begun with another description of `sum`"));
  CHECK(contains(wider.err, "+   width: 8"));
  const Finished longer = desk.run(command({"--seeds", "1", "--budget", "13steps"}));
  CHECK(longer.exit == 2);
  CHECK(contains(longer.err, "was trained with another description"));
  CHECK(desk.run(command({"--seeds", "2"})).exit == 0);  // more seeds are more of the same
}

TEST_CASE("an accuracy in the log is shown beside the loss") {
  Desk desk;
  lay_out(desk);
  REQUIRE(desk.run(command({"--seeds", "1"})).exit == 0);
  for (const char* model : {"tiny", "sum"}) {
    const std::string file = fmt::format("d/{}/seed_1/log.jsonl", model);
    std::string log = desk.read(file);
    for (std::size_t at = 0; (at = log.find("\"accuracy\":", at)) != std::string::npos; at += 15)
      log.replace(at, log.find('}', at) - at, "\"accuracy\":0.25");
    desk.write(file, log);
  }
  const Finished f = desk.run(command({"--seeds", "1"}));
  CHECK(contains(f.out, "accuracy"));
  CHECK(contains(f.out, "0.2500"));
  CHECK(contains(desk.read("d/compare.html"), "Accuracy by step"));
  CHECK(Json::parse(desk.run(command({"--seeds", "1", "--json"})).out)["models"][0]["accuracy"]["mean"] == 0.25);
}

TEST_CASE("a path in a task is relative to the task, on the command line to where one stands") {
  Desk desk;
  lay_out(desk);
  fs::create_directories(desk / "a");
  fs::create_directories(desk / "b");
  desk.write("a/sum.yaml", desk.read("sum.yaml"));
  desk.write("b/task.yaml", desk.read("task.yaml"));
  desk.write("b/t.txt", desk.read("t.txt") + "zzz");
  const Words words = {"compare", "a/sum.yaml", "tiny.yaml", "--on", "b/task.yaml", "--seeds", "1"};
  const auto path_with = [&](const std::string& folder, const Words& more) {
    Words all = words;
    all.insert(all.end(), {"--run-dir", folder});
    all.insert(all.end(), more.begin(), more.end());
    const Finished f = desk.run(all);
    CAPTURE(f.err);
    CHECK(f.exit == 0);
    return desk.read(folder + "/sum/seed_1/description.yaml");
  };
  CHECK(contains(path_with("d", {}), "/b/t.txt\""));
  CHECK_FALSE(contains(path_with("e", {"--set", "data.text.path=t.txt"}), "/b/t.txt\""));
}
