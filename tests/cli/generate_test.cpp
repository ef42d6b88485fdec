// `weft generate` for real work: which weights, prompts from anywhere, many texts, states in files, flat memory.
#include <doctest/doctest.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "tests/cli/program.h"
#include "train/checkpoint.h"

using namespace weft;
using namespace weft::cli;
using Json = nlohmann::json;

namespace {

// f64: rounding that depends on how rows are grouped is too small to change a draw.
std::string described(const std::string& model) {
  return "schema: 1\nmodel: [" + model +
         "]\ndata: {text: {path: t.txt}}\n"
         "train: {steps: 4, batch: 2, context: 16, save_every: 2, dtype: f64}\neval: {every: 2}\n"
         "generate: {tokens: 40, temperature: 1}\n";
}
const std::string kRetnet = described("{use: std/retnet, with: {D: 16, H: 2, layers: 2}}");
const std::string kTransformer = described("{use: std/transformer, with: {D: 16, H: 2, layers: 2}}");

struct Trained : Desk {
  explicit Trained(const std::string& description = kRetnet) {
    write("m.yaml", description);
    const Finished f = Desk::run({"train", "m.yaml", "--run-dir", "r"});
    CAPTURE(f.err);
    REQUIRE(f.exit == 0);
  }
  Finished generate(Words words) {
    words.insert(words.begin(), {"generate", "r"});
    return Desk::run(words);
  }
  std::string text(const Words& words) {
    const Finished f = generate(words);
    CAPTURE(f.err);
    CHECK(f.exit == 0);
    return f.out;
  }
  Json json(Words words) {
    words.push_back("--json");
    return Json::parse(text(words));
  }
};

}  // namespace

TEST_CASE("--checkpoint chooses the weights: best, last, a step, a file; what is not there is told with what is") {
  Trained desk;
  const std::string best = desk.text({}), last = desk.text({"--checkpoint", "last"});
  CHECK(desk.text({"--checkpoint", "best"}) == best);
  CHECK(desk.text({"--checkpoint", "4"}) == last);
  const std::string two = desk.text({"--checkpoint", "2"});
  // A few steps more seldom change what is drawn, but they do change how likely it was.
  CHECK(desk.json({"--checkpoint", "2", "--logprobs"})["logprobs"] !=
        desk.json({"--checkpoint", "last", "--logprobs"})["logprobs"]);
  CHECK(desk.text({"--checkpoint", "r/checkpoints/step_0000002"}) == two);
  CHECK(desk.text({"--checkpoint", "r/checkpoints/step_0000002/state.safetensors"}) == two);
  const Finished f = desk.generate({"--checkpoint", "3"});
  CHECK(f.exit == 4);
  CHECK(contains(f.err,
                 "r: has no checkpoint `3`, and there is no such file; it has best (step 4), 4, 2 and last (step 4)"));
  const Finished file = desk.run({"generate", "r/checkpoints/best.safetensors", "--checkpoint", "last"});
  CHECK(file.exit == 4);
  CHECK(contains(file.err, "is a file; --checkpoint last chooses in the folder of a run"));
  const auto loss = [&](const char* which) {
    return Json::parse(desk.run({"eval", "r", "--checkpoint", which, "--json"}).out)["nats"].get<double>();
  };
  CHECK(loss("2") != loss("last"));
  CHECK(loss("4") == loss("last"));
  CHECK(desk.run({"eval", "r", "--checkpoint", "7"}).exit == 4);
}

TEST_CASE("a prompt comes from an argument, a file or standard input, as it is, line feeds included") {
  Trained desk;
  const std::string prompt = "the cat\nsat";
  desk.write("p.txt", prompt);
  desk.input = prompt;
  const Json json = desk.json({"--prompt", prompt});
  CHECK(json["prompt"] == prompt);
  CHECK(desk.text({"--prompt-file", "p.txt"}) == json["text"]);
  CHECK(desk.text({"--prompt", "-"}) == json["text"]);
  CHECK(desk.text({}) == desk.text({"--prompt", "\n"}));  // standard input is read when asked for, not otherwise
  desk.input.clear();
  desk.write("wrong.txt", "a cat\nQ");
  desk.write("empty.txt", "");
  const std::vector<std::tuple<Words, int, std::string>> rows = {
      {{"--prompt", "-"}, 4, "standard input: is empty"},
      {{"--prompt-file", "empty.txt"}, 4, "empty.txt: is empty"},
      {{"--prompt-file", "gone.txt"}, 4, "gone.txt"},
      {{"--prompt-file", "wrong.txt"}, 4, "wrong.txt: character 7 is 'Q' (U+0051), which is not among the 12"},
      {{"--prompt", "a", "--prompt-file", "p.txt"}, 2, "--prompt"},
  };
  for (const auto& [words, code, part] : rows) {
    const Finished f = desk.generate(words);
    CAPTURE(f.err);
    CHECK(f.exit == code);
    CHECK(f.out.empty());
    CHECK(contains(f.err, part));
  }
}

TEST_CASE("a text ends before a text to stop at, and says why it ended") {
  Trained desk;
  const std::string whole = desk.text({"--tokens", "200"});
  const std::string stop = whole.substr(50, 3);
  const std::string before = whole.substr(0, whole.find(stop));
  CHECK(desk.text({"--tokens", "200", "--stop", "QQ", "--stop", stop}) == before);
  CHECK(desk.text({"--tokens", "200", "--set", "generate.stop=['" + stop + "']"}) == before);
  const Json stopped = desk.json({"--tokens", "200", "--stop", stop});
  CHECK(stopped["text"] == before);
  CHECK(stopped["stopped"] == "stop");
  CHECK(stopped["stop"] == stop);
  CHECK(stopped["tokens"] == before.size() + 3);
  CHECK(desk.json({"--tokens", "20", "--stop", "QQ"})["stopped"] == "tokens");
  CHECK(desk.generate({"--stop", ""}).exit == 2);
}

TEST_CASE("a repetition penalty, on the command line or in the description, makes seen tokens rarer") {
  Trained desk;
  const Words likeliest = {"--temperature", "0", "--tokens", "12", "--prompt", "a"};
  const auto different = [&](const Words& more) {
    Words words = likeliest;
    words.insert(words.end(), more.begin(), more.end());
    const std::string text = desk.text(words);
    return std::set<char>(text.begin(), text.end()).size();
  };
  const std::size_t plain = different({});
  CHECK(different({"--repetition-penalty", "1"}) == plain);
  CHECK(different({"--repetition-penalty", "1e6"}) > plain);
  CHECK(different({"--set", "generate.repetition_penalty=1e6"}) > plain);
  CHECK(desk.generate({"--repetition-penalty", "0"}).exit == 2);
}

TEST_CASE("--n draws texts apart; each is the same however many there are, the first that of a single one") {
  Trained desk;
  const Json four = desk.json({"--n", "4", "--prompt", "the "}), two = desk.json({"--n", "2", "--prompt", "the "});
  CHECK(four["texts"].size() == 4);
  CHECK(four["texts"][0]["text"] == desk.text({"--prompt", "the "}));
  CHECK(four["texts"][1] == two["texts"][1]);
  CHECK(four["texts"][3]["sample"] == 3);
  std::set<std::string> all;
  for (const Json& t : four["texts"]) all.insert(t["text"].get<std::string>());
  CHECK(all.size() == 4);
  const std::string text = desk.text({"--n", "2", "--prompt", "the "});
  CHECK(text == "--- sample 0\n" + two["texts"][0]["text"].get<std::string>() + "\n--- sample 1\n" +
                    two["texts"][1]["text"].get<std::string>() + "\n");
  CHECK(desk.generate({"--n", "0"}).exit == 2);
}

TEST_CASE("log probabilities are the model's own: whatever is drawn from, they add up to the loss of the text") {
  Trained desk;
  const Json json = desk.json({"--prompt", "the ", "--tokens", "12", "--logprobs", "--temperature", "3", "--top-k", "5",
                               "--repetition-penalty", "1.5"});
  std::string text;
  double sum = 0;
  for (const Json& t : json["logprobs"]) text += t["text"], sum += t["logprob"].get<double>();
  CHECK(text == json["text"]);
  CHECK(json["logprobs"].size() == 12);
  const auto nats = [&](const std::string& of) {
    desk.write("score.txt", of);
    const Json j = Json::parse(desk.run({"eval", "r", "--text", "score.txt", "--json"}).out);
    return j["nats"].get<double>() * j["targets"].get<double>();
  };
  // f64; the windows of 16 hold all of it: tokens one by one and at once differ by rounding.
  CHECK(nats("the " + text) - nats("the ") == doctest::Approx(-sum).epsilon(1e-10));
  CHECK(contains(desk.generate({"--logprobs"}).err, "--logprobs is part of the document that --json prints"));
}

TEST_CASE("a state in a file goes on with the bytes of one run, in a model with states and in one with a cache") {
  for (const std::string& description : {kRetnet, kTransformer}) {
    Trained desk(description);
    const std::string whole = desk.text({"--prompt", "the cat on ", "--repetition-penalty", "1.3"});
    const Finished saved = desk.generate({"--prompt", "the cat on ", "--tokens", "0", "--save-state", "s"});
    CHECK(saved.exit == 0);
    CHECK(saved.out.empty());
    CHECK(desk.text({"--load-state", "s", "--repetition-penalty", "1.3"}) == whole);
    CHECK(desk.json({"--load-state", "s", "--n", "2", "--repetition-penalty", "1.3"})["texts"][0]["text"] == whole);
    // What is read after it is read from there: f64, in other parts.
    CHECK(desk.text({"--load-state", "s", "--prompt", "a mat"}) == desk.text({"--prompt", "the cat on a mat"}));
    desk.write("p.jsonl", "{\"prompt\": \"a mat\"}\n{\"prompt\": \"the hat \"}\n");
    const Json both = desk.json({"--load-state", "s", "--prompts", "p.jsonl"});
    CHECK(both["texts"][1]["text"] == desk.text({"--prompt", "the cat on the hat "}));
  }
}

TEST_CASE("a state of other weights, of another description or of nothing is refused with exit 4") {
  Trained desk;
  desk.generate({"--checkpoint", "2", "--prompt", "the", "--tokens", "0", "--save-state", "s"});
  CHECK(desk.text({"--checkpoint", "2", "--load-state", "s", "--tokens", "5"}).size() == 5);
  const Finished weights = desk.generate({"--load-state", "s"});
  CHECK(weights.exit == 4);
  CHECK(contains(weights.err, "s: is a state of other weights: theirs have the hash "));
  CHECK(contains(weights.err, ", those of r/checkpoints/best.safetensors have "));
  const Finished about = desk.generate({"--checkpoint", "2", "--load-state", "s", "--set", "model.0.with.H=1"});
  CHECK(about.exit == 4);
  CHECK(contains(about.err, "s: is a state of another description: that one has the hash "));
  desk.write("torn", desk.read("s").substr(0, 300));
  CHECK(desk.generate({"--load-state", "torn"}).exit == 4);
  CHECK(contains(desk.generate({"--load-state", "r/checkpoints/best.safetensors"}).err, "is no state that `weft"));
  CHECK(desk.generate({"--load-state", "gone"}).exit == 4);
  desk.write("p.jsonl", "{\"prompt\": \"a mat\"}\n");
  CHECK(contains(desk.generate({"--prompts", "p.jsonl", "--save-state", "t"}).err, "after one prompt"));
}

TEST_CASE("prompts of different length, together, give the texts that they give alone") {
  const std::string places = described("{embed: {width: 8}}, {residual: {body: [f]}}, {logits: {tie: embed}}") +
                             "defs: {f: {in: {x: [T, D]}, out: \"x * (1 + 0.1 * position())\"}}\n";
  const std::string prefix = described("{embed: {width: 8}}, {residual: {body: [f]}}, {logits: {tie: embed}}") +
                             "defs: {f: {in: {x: [T, D]}, out: \"tril(x @ x^T) @ x / 9\"}}\n";
  for (const std::string& description : {kRetnet, kTransformer, places, prefix}) {
    CAPTURE(description);
    Trained desk(description);
    const std::vector<std::string> prompts = {"the cat sat", "a", "on a mat.\nthe", "the hat on", "\n"};
    std::string lines;
    for (const std::string& p : prompts) lines += Json{{"prompt", p}}.dump() + "\n";
    desk.write("p.jsonl", lines);
    const Json all = desk.json({"--prompts", "p.jsonl", "--n", "2", "--stop", "at"});
    CHECK(all["texts"].size() == 10);
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      CHECK(all["texts"][2 * i]["prompt"] == prompts[i]);
      CHECK(all["texts"][2 * i]["text"] == desk.text({"--prompt", prompts[i], "--stop", "at"}));
    }
  }
}

TEST_CASE("a list of prompts that is wrong is told with the line") {
  Trained desk;
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"", "p.jsonl: holds no prompts"},
      {"{\"prompt\": \"a\"}\n{\"promt\": \"a\"}\n", "p.jsonl:2: a line is an object with a text `prompt` alone"},
      {"the cat\n", "p.jsonl:1: a line is an object"},
      {"{\"prompt\": \"a\"}\n\n", "p.jsonl:2: a line is"},
      {"{\"prompt\": \"\"}\n", "p.jsonl:1: is empty"},
      {"{\"prompt\": \"a\"}\n{\"prompt\": \"Q\"}\n", "p.jsonl:2: character 1 is 'Q'"},
  };
  for (const auto& [lines, part] : rows) {
    desk.write("p.jsonl", lines);
    const Finished f = desk.generate({"--prompts", "p.jsonl"});
    CAPTURE(f.err);
    CHECK(f.exit == 4);
    CHECK(contains(f.err, part));
  }
}

TEST_SUITE("slow") {
  TEST_CASE("100,000 tokens take the memory of 5,000") {
    Trained desk;
    const i64 page = ::sysconf(_SC_PAGESIZE);
    const pid_t child = desk.start({"generate", "r", "--tokens", "100000", "--stop", "QQ", "--threads", "1"});
    const auto resident = [&] {
      std::ifstream statm("/proc/" + std::to_string(child) + "/statm");
      i64 size = 0, pages = 0;
      statm >> size >> pages;
      return pages * page;
    };
    const auto written = [&] {
      std::error_code none;
      const auto size = fs::file_size(desk / ".out", none);
      return none ? 0 : size;
    };
    i64 early = 0, late = 0;
    while (written() < 95000) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      const i64 now = resident();
      if (now == 0) break;  // it has ended
      if (written() < 5000) continue;
      if (early == 0) early = now;
      late = now;
    }
    CHECK(desk.finish(child).out.size() == 100000);
    CHECK(early > 0);
    MESSAGE("resident after 5,000 tokens " << early << " bytes, near the end " << late);
    CHECK(late - early < 1 << 20);  // a leak of 11 bytes a token
  }
}
