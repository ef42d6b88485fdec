// `weft report` through the real program.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <chrono>
#include <cmath>
#include <sstream>
#include <thread>

#include "tests/cli/page_fault.h"
#include "tests/cli/program.h"

using namespace weft;
using namespace weft::cli;

namespace {

using Json = nlohmann::json;

void train_into(Desk& desk, const std::string& folder, const Words& more = {}) {
  Words words = {"train", "tiny.yaml", "--run-dir", folder};
  words.insert(words.end(), more.begin(), more.end());
  REQUIRE(desk.run(words).exit == 0);
}

Json facts(Desk& desk, Words words) {
  words.insert(words.begin(), "report");
  words.push_back("--json");
  const Finished f = desk.run(words);
  CAPTURE(f.err);
  REQUIRE(f.exit == 0);
  return Json::parse(f.out);
}

Words words_of(const std::string& line) {
  std::istringstream in(line);
  Words words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

}  // namespace

TEST_CASE("a report is one page about a run, without script, with a table under every plot") {
  Desk desk;
  train_into(desk, "r", {"--set", "train.steps=12", "--set", "eval.every=4"});
  const Finished f = desk.run({"report", "r/"});
  CAPTURE(f.err);
  CHECK(f.exit == 0);
  CHECK(f.out == "page: r/report.html\n");
  const std::string page = desk.read("r/report.html");
  CHECK(fault_of_page(page) == "");
  for (const char* part : {"tiny: r</h1>",
                           "finished: 12 steps",
                           "<td>best validation, nats per character</td>",
                           "Loss</figcaption>",
                           "Learning rate</figcaption>",
                           "Norm of the gradient, before clipping</figcaption>",
                           "Speed</figcaption>",
                           "Samples over time",
                           "step 4</h3>",
                           "step 12</h3>",
                           "embed(",
                           "<td>model.0.embed</td>",
                           "memory, predicted",
                           "memory, measured",
                           "Proofs</h2>",
                           "./weft verify r/description.yaml",
                           "To repeat it",
                           "weft 0.",
                           "prefers-color-scheme: dark",
                           "@media print"}) {
    CAPTURE(std::string(part));
    CHECK(contains(page, part));
  }
  CHECK(count(page, "<svg ") >= 6);
  CHECK(count(page, "<svg ") == count(page, "aria-label="));
  CHECK(count(page, "<svg ") == count(page, "<summary>The numbers"));
  // Again: the page is made anew; another file in its way is kept.
  CHECK(desk.run({"report", "r"}).exit == 0);
  desk.write("mine.html", "<p>mine</p>");
  const Finished kept = desk.run({"report", "r", "--out", "mine.html"});
  CHECK(kept.exit == 2);
  CHECK(contains(kept.err, "mine.html exists and is no page of Weft"));
  CHECK(desk.read("mine.html") == "<p>mine</p>");
  CHECK(desk.run({"report", "r", "--out", "other.html"}).out == "page: other.html\n");
  CHECK(desk.read("other.html") == page);
}

TEST_CASE("the numbers of a report are those of the log and of `check`") {
  Desk desk;
  train_into(desk, "r", {"--set", "train.steps=12", "--set", "eval.every=4"});
  const Json run = facts(desk, {"r"})["runs"][0];
  const Json eval = Json::parse(desk.run({"eval", "r", "--json"}).out);
  const Json check = Json::parse(desk.run({"check", "tiny.yaml", "--json"}).out);
  CHECK(run["state"] == "finished");
  CHECK(run["steps"] == 12);
  CHECK(run["best"] == eval["nats"]);
  CHECK(run["unit"] == eval["unit"]);
  CHECK(run["samples"] == 3);
  CHECK(run["weights"] == check["weights"]);
  CHECK(run["predicted"]["flops_per_step"] == check["flops_per_step"]);
  CHECK(run["predicted"]["bytes"] == check["bytes_per_step"]);
  CHECK(run["tokens_per_step"] == 16);
  CHECK(run["measured"]["tokens_per_second"].get<double>() ==
        doctest::Approx(12 * 16 / run["measured"]["seconds"].get<double>()));
  CHECK(run["measured"]["bytes"].get<double>() > 4 * run["weights"].get<double>());
  CHECK(run["verified"].is_null());
  CHECK(run["notes"].empty());
  std::vector<std::string> events;
  for (const Json& e : run["events"]) {
    events.push_back(e["event"]);
    CHECK(e["time"].get<double>() > 1.6e9);
  }
  CHECK(events == std::vector<std::string>{"start", "program", "end"});
}

TEST_CASE("the command in a report repeats the run to the same bytes") {
  Desk desk;
  const auto repeats = [&](const std::string& folder) {
    Words words = words_of(facts(desk, {folder})["runs"][0]["command"]);
    CHECK(words.at(0) == "./weft");
    words.erase(words.begin());
    const Finished f = desk.run(words);
    CAPTURE(f.err);
    REQUIRE(f.exit == 0);
    CHECK(Json::parse(desk.run({"show", folder, "--json"}).out)["tensors"] ==
          Json::parse(desk.run({"show", folder + "_again", "--json"}).out)["tensors"]);
  };
  train_into(desk, "r", {"--set", "train.steps=6", "--seed", "5", "-p", "width=8", "--products", "loops"});
  repeats("r");
  std::string tiny = kTiny;
  tiny.replace(tiny.find("path: t.txt"), 11, "builtin: weft");
  desk.write("tiny.yaml", tiny);
  train_into(desk, "b", {"--set", "eval.every=0", "--set", "train.steps=1", "--set", "train.context=128"});
  repeats("b");
  // The text of another version of the program stands in the run.
  fs::create_directories(desk / "old/data");
  fs::copy(desk / "b", desk / "old", fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  desk.write("old/data/text.txt", "another text");
  CHECK(contains(facts(desk, {"old"})["runs"][0]["command"].get<std::string>(),
                 "--set data.text.path=old/data/text.txt"));
}

TEST_CASE("names and texts in a report are text, whatever they try") {
  Desk desk;
  const std::string evil = "</script><img src=x onerror=alert(1)>";
  std::string tiny = kTiny;
  tiny.replace(tiny.find("name: tiny"), 10,
               "name: \"" + evil + "\\\"'&\\u202E\"\nabout: \"<script>alert(2)</script>\"");
  desk.write("tiny.yaml", tiny);
  train_into(desk, "r<b onload=x>&'");
  const std::string folder = "r<b onload=x>&'/";
  desk.write(folder + "samples.txt", "step 2\n  <svg onload=alert(3)> \x1b[2J \xff \u202E txt\n");
  desk.write(folder + "log.jsonl", desk.read(folder + "log.jsonl") +
                                       R"({"event":"diverged","step":3,"detail":"<iframe src=x>\u001b\u202e"})"
                                       "\n");
  const Json json = facts(desk, {folder});
  CHECK(json["runs"][0]["name"].get<std::string>().starts_with(evil));
  const std::string page = desk.read(folder + "report.html");
  CHECK(fault_of_page(page) == "");
  for (const char* raw : {"<img", "<script", "<svg onload", "<iframe", "<b onload", "\x1b", "\u202E", "\xff"}) {
    CAPTURE(std::string(raw));
    CHECK_FALSE(contains(page, raw));
  }
  CHECK(contains(page, "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;⟨U+202E⟩"));
  CHECK(contains(page, "␛[2J \uFFFD ⟨U+202E⟩ txt"));
  CHECK(contains(page, "&lt;iframe src=x&gt;␛⟨U+202E⟩"));
}

TEST_CASE("a report of 300,000 steps with ten thousand validations is below a megabyte, its spikes included") {
  Desk desk;
  train_into(desk, "r");
  std::string log;
  for (int i = 1; i <= 300'000; ++i) {
    const double loss = i == 123'456 ? 987.5 : 5 + std::sin(i * 0.37) + 4.0 / i;
    log +=
        fmt::format(R"({{"event":"train","step":{},"loss":{:.6f},"tokens_per_second":{},"learning_rate":{:.3g},)"
                    R"("gradient_norm":{:.4f},"update_norm":0.001,"weight_norm":1,"seconds":0.01,"peak_bytes":1000}})"
                    "\n",
                    i, loss, 9000 + i % 700, 1e-3 * i / 3e5, 1 + std::cos(i * 0.11));
    if (i % 30 == 0)
      log += fmt::format(R"({{"event":"eval","step":{},"loss":{:.6f},"accuracy":0.5}})"
                         "\n",
                         i, 5.0 - i * 1e-6);
  }
  desk.write("r/log.jsonl", log);
  std::string samples;
  for (int i = 0; i < 10'000; ++i) samples += fmt::format("step {}\n  {}\n", 30 * i, std::string(200, 'x'));
  desk.write("r/samples.txt", samples);
  const auto begun = std::chrono::steady_clock::now();
  const Json json = facts(desk, {"r", "--tensorboard"});
  // About 2 s where nothing else runs; a line of the log parsed twice, or a quadratic step, would take minutes.
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(60));
  CHECK(json["runs"][0]["steps"] == 300'000);
  CHECK(json["runs"][0]["state"] == "stopped");
  const std::string page = desk.read("r/report.html");
  CHECK(fault_of_page(page) == "");
  CHECK(page.size() < 500'000);
  // One step of 987.5 among values near 5, and the axis reaches up to it.
  CHECK(contains(page, "loss, nats per character (logarithmic)"));
  CHECK(contains(page, "6 of 10000 samples"));
  CHECK(fs::file_size(desk / json["tensorboard"][0].get<std::string>()) > 300'000 * 100);
}

TEST_CASE(
    "a run without validation, one that was killed in the middle of a line and one not begun have their reports") {
  Desk desk;
  train_into(desk, "r", {"--set", "data.text.val_fraction=0"});
  const Json none = facts(desk, {"r"})["runs"][0];
  CHECK(none["best"].is_null());
  CHECK(none["state"] == "finished");
  CHECK(fault_of_page(desk.read("r/report.html")) == "");
  CHECK_FALSE(contains(desk.read("r/report.html"), "Accuracy"));
  const std::string log = desk.read("r/log.jsonl");
  desk.write("r/log.jsonl", log.substr(0, log.find(R"("event":"train","step":3)") + 40));
  const Json torn = facts(desk, {"r"})["runs"][0];
  CHECK(torn["state"] == "stopped");
  CHECK(torn["says"] == "ended without a word after step 2 of 3");
  CHECK(torn["notes"] == Json::array({"1 line of its log cannot be read."}));
  fs::remove(desk / "r/log.jsonl");
  CHECK(facts(desk, {"r"})["runs"][0]["state"] == "not begun");
  CHECK(contains(desk.read("r/report.html"), "No step has been logged yet."));
}

TEST_CASE("a run that goes on, one that was interrupted and one that diverged say so") {
  Desk desk;
  const pid_t child = desk.start({"train", "tiny.yaml", "--run-dir", "r", "--set", "train.steps=1000000"});
  const auto begun = [&] {
    return fs::exists(desk / "r/log.jsonl") && contains(desk.read("r/log.jsonl"), "\"step\":30,");
  };
  for (int i = 0; i < 10'000 && !begun(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  const Json going = facts(desk, {"r"})["runs"][0];
  CHECK(going["state"] == "training");
  CHECK(going["says"].get<std::string>().starts_with(fmt::format("still training (process {}): step ", child)));
  ::kill(child, SIGINT);
  CHECK(desk.finish(child).exit == 130);
  const Json cut = facts(desk, {"r"})["runs"][0];
  CHECK(cut["state"] == "stopped");
  CHECK(cut["says"].get<std::string>().starts_with("stopped by a signal, and saved, after step "));
  const Finished diverged =
      desk.run({"train", "tiny.yaml", "--run-dir", "d", "--set", "train.optimizer.adamw.lr=1e30"});
  CHECK(diverged.exit == 5);
  const Json json = facts(desk, {"d"})["runs"][0];
  CHECK(json["state"] == "diverged");
  CHECK(contains(json["says"].get<std::string>(), "not finite"));
  CHECK(fault_of_page(desk.read("d/report.html")) == "");
}

TEST_CASE("several runs stand in one page beside each other, with what differs between them") {
  Desk desk;
  train_into(desk, "runs/a", {"--set", "train.steps=8"});
  train_into(desk, "runs/b", {"--set", "train.steps=8", "-p", "width=8", "--seed", "2"});
  const Json json = facts(desk, {"runs/a", "runs/b"});
  CHECK(json["page"] == "runs/report.html");
  CHECK(json["differences"] == Json({{"params.width", {"16", "8"}}, {"train.seed", {"1", "2"}}}));
  const std::string page = desk.read("runs/report.html");
  CHECK(fault_of_page(page) == "");
  CHECK(contains(page, "Validation loss</figcaption>"));
  CHECK(count(page, "class='name'") >= 10);  // both in each of the figures
  CHECK(contains(page, "<td>params.width</td><td class='number'>16</td><td class='number'>8</td>"));
  CHECK(contains(page, "<span class='gone'>- "));
  // Two of one name are told apart by their paths.
  train_into(desk, "other/a", {"--set", "train.steps=8"});
  const Json same = facts(desk, {"runs/a", "other/a", "--out", "two.html"});
  CHECK(same["differences"].empty());
  CHECK(contains(desk.read("two.html"), "other/a has the description of runs/a."));
  Words many = {"report"};
  for (int i = 0; i < 15; ++i) many.push_back("runs/a");
  const Finished f = desk.run(many);
  CHECK(f.exit == 2);
  CHECK(contains(f.err, "14 runs"));
  CHECK(contains(desk.run({"report", "runs/a", "runs/a/"}).err, "a run is given twice"));
}

TEST_CASE("what is no run is told with exit 4, and a run whose data or description no longer read is still reported") {
  Desk desk;
  fs::create_directories(desk / "empty");
  for (const auto& [path, message] : {std::pair{"gone", "gone: there is no such run"},
                                      {"empty", "empty: is not the folder of a run (it has no description.yaml)"},
                                      {"t.txt", "t.txt: is not the folder of a run (it has no description.yaml)"}}) {
    const Finished f = desk.run({"report", path});
    CHECK(f.exit == 4);
    CHECK(contains(f.err, message));
    CHECK(f.out.empty());
  }
  train_into(desk, "r");
  const double flops = facts(desk, {"r"})["runs"][0]["predicted"]["flops_per_step"];
  fs::remove(desk / "t.txt");
  const Json gone = facts(desk, {"r"})["runs"][0];
  CHECK(gone["predicted"]["flops_per_step"] == flops);
  CHECK(contains(gone["notes"].at(0).get<std::string>(), "Its data cannot be read now: "));
  desk.write("r/description.yaml", desk.read("r/description.yaml") + "nonsense: 1\n");
  const Finished f = desk.run({"report", "r"});
  CHECK(f.exit == 0);
  CHECK(contains(f.err, "nonsense"));
  const std::string page = desk.read("r/report.html");
  CHECK(fault_of_page(page) == "");
  CHECK(contains(page, "does not accept its description"));
  CHECK(contains(page, "Loss</figcaption>"));
}

TEST_CASE("a report proves the model's properties when asked to") {
  Desk desk;
  train_into(desk, "r");
  const Json json = facts(desk, {"r", "--verify"})["runs"][0]["verified"];
  CHECK(json["holds"] == true);
  CHECK(json["properties"].size() > 8);
  CHECK(contains(desk.read("r/report.html"), "<td>holds</td><td>gradients</td>"));
}
