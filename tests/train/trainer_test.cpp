#include "train/trainer.h"

#include <doctest/doctest.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "tests/train/bigram.h"
#include "train/floors.h"
#include "train/norms.h"

using namespace weft;
using namespace weft::train;

TEST_CASE("a bigram model learns what a bigram count knows") {
  Practice p;
  p.job.train.steps = 400;
  p.job.train.batch = 8;
  p.adamw().lr = 0.05;
  p.adamw().weight_decay = 0;
  p.job.eval.every = 100;
  CHECK(p.train("run").exit == 0);
  const Floors floors = measure_floors(p.text.train, p.text.valid, p.text.tokenizer()->vocab());
  const double loss = load_weights(p.folder / "run").progress.best_loss;
  CHECK(loss < floors.unigram - 0.2);
  CHECK(std::abs(loss - floors.bigram) < 0.1);
  CHECK(contains(p.out.str(), "nats per character"));
  CHECK(contains(p.out.str(), "./weft resume " + (p.folder / "run").string() + " --set train.steps=800"));
  CHECK(contains(p.out.str(), "./weft generate "));
}

TEST_CASE("a run writes its folder and nothing that tells time or place into its weights") {
  Practice p;
  CHECK(p.train("run").step == 12);
  const fs::path run = p.folder / "run";
  CHECK(read_file(run / "description.yaml") == p.job.description);
  CHECK(read_file(run / "data" / "text.txt") == p.source);
  CHECK(list_checkpoints(run / "checkpoints") == std::vector<i64>{12, 10});
  CHECK(contains(read_file(run / "samples.txt"), "step 4\n"));
  std::istringstream log(read_file(run / "log.jsonl"));
  i64 steps = 0;
  for (std::string line; std::getline(log, line);) {
    const auto event = nlohmann::json::parse(line);
    if (event.at("event") != "train") continue;
    CHECK(event.at("step") == ++steps);
    CHECK(event.at("loss").is_number());
    CHECK(event.at("tokens_per_second").is_number());
  }
  CHECK(steps == 12);
  p.train("again");
  CHECK(fingerprint(p, "run") == fingerprint(p, "again"));
}

TEST_CASE("a run gives the same bytes with 1, 2 and 3 threads") {
  Practice p;
  p.train("serial");
  for (const int threads : {1, 2, 3}) {
    p.runtime = Runtime({.products = "loops", .parallel = "tbb", .threads = threads});
    p.train(std::to_string(threads));
    CHECK(fingerprint(p, std::to_string(threads)) == fingerprint(p, "serial"));
  }
}

TEST_CASE("a run ends after validations without a lower loss, says so, and stays ended") {
  Practice p;
  p.job.train.steps = 40;
  p.job.train.patience = 2;
  p.model.after_loss = [&](dsl::LossSum& loss) {
    loss.nats = static_cast<double>(loss.count) * (p.model.calls == 8 ? 1 : 2);
  };
  const Outcome end = p.train("run");
  CHECK(end.exit == 0);
  // Validations at 4, 8 (the best), 12 and 16.
  CHECK(end.step == 16);
  const std::string said = "stopped early, after step 16 of 40: no lower validation loss in 2 validations\n";
  CHECK(contains(p.out.str(), said));
  CHECK(contains(p.out.str(), "the best weights are those of step 8"));
  CHECK_FALSE(contains(p.out.str(), "./weft resume"));
  CHECK(list_checkpoints(p.folder / "run" / "checkpoints").at(0) == 16);
  CHECK(
      contains(read_file(p.folder / "run" / "log.jsonl"), "\"event\":\"end\",\"step\":16,\"detail\":\"stopped early"));
  p.out.str("");
  CHECK(p.resume("run").step == 16);
  CHECK(contains(p.out.str(), "is finished: 16 steps are done\n" + said));
  p.model.calls = 0;
  p.model.before = [&](i64 call) {
    if (call == 10) std::raise(SIGINT);
  };
  p.train("cut");
  p.model.before = {};
  CHECK(p.resume("cut").step == 16);
  CHECK(fingerprint(p, "cut") == fingerprint(p, "run"));
  p.job.eval.every = 0;
  CHECK(contains(caught([&] { p.train("none"); }).message, "train.patience=2 counts validations"));
}

TEST_CASE("the log has the norms of gradient, update and weights") {
  Practice p;
  p.job.train.clip = 0;
  p.job.train.schedule.warmup = 0;
  p.job.train.schedule.shape = Schedule::Shape::constant;
  p.job.train.optimizer.rule = SgdOptions{.lr = 0.25};
  p.train("run");
  std::istringstream log(read_file(p.folder / "run" / "log.jsonl"));
  for (std::string line; std::getline(log, line);) {
    const auto event = nlohmann::json::parse(line);
    if (event.at("event") != "train" || event.at("step") != 1) continue;
    // The first step of SGD is the learning rate times the gradient.
    CHECK(event.at("update_norm").get<double>() ==
          doctest::Approx(0.25 * event.at("gradient_norm").get<double>()).epsilon(1e-5));
    const auto first = p.model.initial_weights(p.job.train.seed, DType::f32);
    CHECK(event.at("weight_norm").get<double>() == global_norm(Runtime({.parallel = "serial"}), first).norm);
    return;
  }
  CHECK(false);
}

TEST_CASE("nobody reading what a run prints does not stop it") {
  Practice p;
  p.model.before = [](i64) { std::raise(SIGPIPE); };
  CHECK(p.train("run").exit == 0);
}

TEST_CASE("accumulating in parts is one update of the whole batch") {
  Practice p;
  p.job.train.dtype = DType::f64;
  p.job.train.batch = 6;
  p.train("whole");
  p.job.train.batch = 2;
  p.job.train.accumulate = 3;
  p.train("parts");
  const auto a = load_newest(p.folder / "whole", p.model.weights(), false),
             b = load_newest(p.folder / "parts", p.model.weights(), false);
  for (i64 i = 0; i < a.weights[0].size(); ++i)
    CHECK(a.weights[0].at(i) == doctest::Approx(b.weights[0].at(i)).epsilon(1e-9));
}

TEST_CASE("every part of a step is told the number of the step and its precision, and a resumed run goes on counting") {
  Practice p;
  p.job.train.steps = 3;
  p.job.train.accumulate = 2;
  p.train("run");
  CHECK(p.model.steps == std::vector<i64>{1, 1, 2, 2, 3, 3});
  CHECK(p.model.precision == Precision::f32);
  p.model.steps.clear();
  p.job.train.steps = 5;
  p.resume("run");
  CHECK(p.model.steps == std::vector<i64>{4, 4, 5, 5});
  p.job.train.precision = Precision::bf16;
  p.train("rounded");
  CHECK(p.model.precision == Precision::bf16);
  CHECK(contains(p.out.str(), "2 tensors, f32, products in bf16\n"));
}

TEST_CASE("the banner says what is trained, on which data and machine, and where the run is") {
  Practice p;
  p.train("run");
  CHECK(p.out.str().starts_with(fmt::format(
      "practice: {} weights in 2 tensors, f32\n"
      "data: the built-in text `practice`: 1,500 bytes, 1,350 characters to learn from, 150 to validate; vocabulary {}\n"
      "plan: 12 steps of 2 windows of 16 tokens, seed 1\n"
      "machine: products loops, 1 threads (serial), baseline\n"
      "run: {}\n",
      p.model.vocab() * (p.model.vocab() + 1), p.model.vocab(), (p.folder / "run").string())));
}

TEST_CASE("what can be wrong is found before the folder is made") {
  Practice p;
  const auto fails = [&](Failure failure, const std::string& part) {
    const Caught error = caught([&] { p.train("run"); });
    CHECK(error.failure == failure);
    CHECK(contains(error.message, part));
    CHECK_FALSE(fs::exists(p.folder / "run"));
  };
  const Job good = p.job;
  p.job.generate.prompt = "Z";
  fails(Failure::usage, "the prompt: character 1 is 'Z'");
  p.job = good;
  p.job.train.context = 5000;
  fails(Failure::data, "the training part has 1350 characters, a context of 5000 needs at least 5001");
  p.job = good;
  p.adamw().lr = -1;
  fails(Failure::usage, "lr and eps must be above 0");
  p.job = good;
  p.model = Bigram(99);
  fails(Failure::usage, "the model has a vocabulary of 99");
}

TEST_CASE("a folder that cannot be written ends the run before the first step") {
  Practice p;
  const auto start = [&](const fs::path& folder) {
    return caught([&] { train::train(p.runtime, p.model, p.text, p.job, {.folder = folder}, p.terminal); });
  };
  CHECK(start("/proc/run").failure == Failure::data);
  CHECK(start("/dev/null").failure == Failure::data);
  CHECK(p.model.calls == 0);
}

TEST_CASE(
    "after --last-good the damaged checkpoint is set aside and the run ends as if nothing had "
    "been") {
  Practice p;
  p.train("whole");
  p.train("run");
  const fs::path newest = checkpoint_file(p.folder / "run" / "checkpoints", 12);
  std::string bytes = read_file(newest);
  bytes.resize(bytes.size() - 1);
  write_atomically(newest, bytes);
  CHECK(contains(caught([&] { p.resume("run"); }).message, "--last-good"));
  p.resume("run", true);
  CHECK(fs::exists(p.folder / "run" / "checkpoints" / "damaged_step_0000012"));
  CHECK(list_checkpoints(p.folder / "run" / "checkpoints") == std::vector<i64>{12, 10});
  write_atomically(newest, bytes);  // the same one once more
  p.resume("run", true);
  CHECK(fs::exists(p.folder / "run" / "checkpoints" / "damaged_step_0000012_again"));
  CHECK(fingerprint(p, "run") == fingerprint(p, "whole"));
}

TEST_CASE("where there is no terminal, lines are plain and as many as asked for") {
  Practice p;
  p.job.train.log_every = 5;
  p.train("run");
  const std::string out = p.out.str();
  CHECK(out.find('\r') == std::string::npos);
  CHECK(out.find('\x1b') == std::string::npos);
  CHECK(contains(out, "\nstep 5/12 | loss "));
  CHECK(contains(out, "\nstep 10/12 | loss "));
  CHECK(contains(out, "\nstep 12/12 | loss "));
  CHECK_FALSE(contains(out, "\nstep 6/12"));
  CHECK(contains(out, " tok/s | left 0:0"));
}

TEST_CASE("on a terminal the line is drawn again and makes way for text") {
  std::ostringstream out;
  Terminal terminal{out, true, 20};
  {
    StepLine line(terminal, 0, 3, 10, 1);
    line.step(3, 1.5);
    CHECK(out.str() == "\rstep 3/3 | loss 1.5\x1b[K");
    line.print("text\n");
    CHECK(contains(out.str(), "\r\x1b[Ktext\n"));
    line.step(3, 1.5);
  }
  CHECK(out.str().ends_with("\r\x1b[K"));
  CHECK(safe_lines("a\x1b[2Jb\n\tc") == "a?[2Jb\n\tc");
  CHECK(duration(3725) == "1:02:05");
  CHECK(duration(65) == "1:05");
}

TEST_CASE("text without a validation part trains, and the newest weights serve") {
  Practice p;
  p.text = load_text({.path = {}, .builtin = "practice", .val_fraction = 0}, p.source);
  p.train("run");
  CHECK_FALSE(fs::exists(best_file(p.folder / "run" / "checkpoints")));
  CHECK(load_weights(p.folder / "run").progress.step == 12);
}
