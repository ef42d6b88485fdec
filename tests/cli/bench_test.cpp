#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

#include <nlohmann/json.hpp>

#include "dsl/model.h"
#include "tests/cli/program.h"
#include "train/safetensors.h"

using namespace weft;
using namespace weft::cli;
using nlohmann::json;

namespace {

json answer(Desk& desk, Words words) {
  const Finished f = desk.run(words);
  INFO(f.err);
  REQUIRE(f.exit == 0);
  return json::parse(f.out);
}

}  // namespace

TEST_CASE("a profile names every op with its direction and explains a step of training") {
  Desk desk;
  const json j = answer(desk, {"bench", "tiny.yaml", "--profile", "--steps", "3", "--json"});
  CHECK(j["explained"].get<double>() >= 0.95);
  double share = 0;
  std::vector<std::string> lines;
  for (const json& line : j["lines"]) {
    share += line["share"].get<double>();
    lines.push_back(line["what"].get<std::string>() + " " + line["direction"].get<std::string>());
  }
  CHECK(share == doctest::Approx(1));
  for (const char* line : {"contract forward", "contract backward", "embedding backward", "cross_entropy forward",
                           "(optimizer) ", "(gradient norm) ", "(data) ", "(rest) "}) {
    CAPTURE(line);
    CHECK(std::find(lines.begin(), lines.end(), line) != lines.end());
  }
  const std::string text = desk.run({"bench", "tiny.yaml", "--profile", "--steps", "1", "--by", "place"}).out;
  CHECK(contains(text, "std/layers:"));  // the equation of `embed`
}

TEST_CASE("a trace has the nodes of one step, one after the other within the time of the model") {
  Desk desk;
  const json told = answer(desk, {"bench", "tiny.yaml", "--trace", "step.json", "--json"});
  CHECK(told["trace"] == "step.json");
  const json events = json::parse(desk.read("step.json"))["traceEvents"];
  double begin = 0, end = 0;
  std::map<i64, double> last;  // by row
  std::map<std::string, i64> directions;
  for (const json& e : events) {
    if (e["ph"] == "X" && e["name"] == "model") begin = e["ts"], end = begin + e["dur"].get<double>();
  }
  REQUIRE(end > begin);
  for (const json& e : events) {
    if (e["ph"] != "X" || e["cat"] == "step") continue;
    ++directions[e["cat"]];
    const double at = e["ts"], after = at + e["dur"].get<double>();
    CHECK(at >= std::max(begin, last[e["tid"]]) - 1);  // microseconds
    CHECK(after <= end + 1);
    last[e["tid"]] = after;
  }
  CHECK(directions["forward"] > 3);
  CHECK(directions["backward"] > 3);
  CHECK(directions["forward"] + directions["backward"] == told["nodes"]);
  CHECK(contains(desk.run({"bench", "tiny.yaml", "--trace", "step.json"}).out, "chrome://tracing"));
  CHECK(desk.run({"bench", "tiny.yaml", "--trace", "none/step.json"}).exit == 4);
  CHECK(desk.run({"bench", "tiny.yaml", "--trace", "step.json", "--profile"}).exit == 2);
  CHECK(desk.run({"bench", "tiny.yaml", "--by", "place"}).exit == 2);
}

TEST_CASE("bench measures training, generation and memory") {
  Desk desk;
  const json j = answer(desk, {"bench", "tiny.yaml", "--steps", "3", "--position", "5", "--position", "9", "--json"});
  CHECK(j["steps"] == 3);
  CHECK(j["tokens_per_second"].get<double>() > 0);
  CHECK(j["step_ms"]["low"].get<double>() <= j["step_ms"]["high"].get<double>());
  CHECK(j["memory_above_start"].get<double>() > 0);
  REQUIRE(j["generation"].size() == 2);
  CHECK(j["generation"][1]["position"] == 9);
  CHECK(j["generation"][1]["us_per_token"]["median"].get<double>() > 0);
  CHECK(contains(desk.run({"bench", "tiny.yaml", "--steps", "1", "--clock", "cpu"}).out, "tokens/s"));
}

TEST_CASE("what is handed over gives the loss that bench reports: another program can build a twin") {
  Desk desk;
  const json j = answer(desk, {"bench", "tiny.yaml", "--steps", "1", "--hand-over", "start.safetensors", "--json"});
  std::map<std::string, Tensor> given;
  for (const auto& [name, tensor] : train::Safetensors(desk / "start.safetensors").load_all()) given[name] = tensor;
  const Tensor tokens = given.at("tokens"), targets = given.at("targets"), table = given.at("model.0.embed.table");
  REQUIRE(tokens.shape() == Shape{2, 8});
  REQUIRE(targets.shape() == Shape{2, 8});
  // The model of tiny.yaml by hand: the logits of a token are the products of its row of the table with all rows.
  const i64 V = table.shape()[0], D = table.shape()[1];
  double loss = 0;
  for (i64 n = 0; n < tokens.size(); ++n) {
    double sum = 0, target = 0;
    for (i64 v = 0; v < V; ++v) {
      double logit = 0;
      for (i64 d = 0; d < D; ++d) logit += table.at(static_cast<i64>(tokens.at(n)) * D + d) * table.at(v * D + d);
      sum += std::exp(logit);
      if (v == static_cast<i64>(targets.at(n))) target = logit;
    }
    loss += (std::log(sum) - target) / static_cast<double>(tokens.size());
  }
  CHECK(j["first_loss"].get<double>() == doctest::Approx(loss).epsilon(1e-5));  // f32
}

TEST_CASE("a paced bench takes as many steps as each line of its input says") {
  Desk desk;
  desk.input = "2\n3\n";
  std::istringstream lines(desk.run({"bench", "tiny.yaml", "--paced"}).out);
  std::string line;
  REQUIRE(std::getline(lines, line));
  CHECK(json::parse(line)["first_loss"].get<double>() > 0);
  for (const std::size_t n : {2, 3}) {
    REQUIRE(std::getline(lines, line));
    CHECK(json::parse(line)["seconds"].size() == n);
  }
  REQUIRE(std::getline(lines, line));
  CHECK(json::parse(line)["steps"] == 5);
}

TEST_CASE("products in bf16 are refused where they cannot be had, at the place that asks for them") {
  Desk desk;
  const Words words = {"bench", "tiny.yaml", "--steps", "1", "--json"};
  const auto with = [&](const char* products) {
    Words all = words;
    for (const char* word : {"--set", "train.precision=bf16", "--products", products}) all.push_back(word);
    return desk.run(all);
  };
  const Finished blas = with("blas");
  CHECK(blas.exit == 2);
  CHECK(contains(blas.out, "E0508"));
  CHECK(contains(blas.out, has_bf16() ? "OpenBLAS has no products in bf16" : "need a CPU with AVX512-BF16"));
  CHECK(with("auto").exit == (has_bf16() ? 0 : 2));
  const json loops = json::parse(with("loops").out), exact = answer(desk, words);
  CHECK(loops["first_loss"] != exact["first_loss"]);
  CHECK(loops["first_loss"].get<double>() == doctest::Approx(exact["first_loss"].get<double>()).epsilon(1e-3));
}

TEST_CASE("bench backends sets the products of all backends beside the peak of the machine") {
  Desk desk;
  const json j = answer(desk, {"bench", "backends", "--steps", "1", "--json"});
  CHECK(j["peak"].size() >= 1);
  CHECK(j["read_gb_per_second"].get<double>() > 0);
  REQUIRE(j["products"].size() >= 5);
  for (const json& row : j["products"])
    CHECK(row["gflops"].size() == (best_isa() == Isa::baseline ? 4 : has_bf16() ? 8 : 6));
}

TEST_CASE("a description without data cannot be measured, and bench says so") {
  Desk desk;
  desk.write("no_data.yaml", "schema: 1\nparams: {vocab: 5}\nmodel: [{embed: {width: 4}}, {logits: {tie: embed}}]\n");
  const Finished f = desk.run({"bench", "no_data.yaml"});
  CHECK(f.exit == 2);
  CHECK(contains(f.err, "the description has no section `data`"));
}
