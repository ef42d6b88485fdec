#include "train/recipe.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "dsl/description.h"
#include "tests/train/temporary.h"
#include "train/options.h"

using namespace weft;
using namespace weft::train;

namespace {

const std::vector<dsl::Weight> kWeights = {{"model.0.embed.table", {12, 4}},
                                           {"model.1.linear.W", {4, 4}},
                                           {"model.1.linear.b", {4}, false},
                                           {"model.2.noise.B", {4, 4}, false, false, 3}};

// What is wrong with `train`, as people read it.
std::string said(const std::string& train, Recipe* recipe = nullptr,
                 const std::vector<dsl::Weight>& weights = kWeights) {
  dsl::Diagnostics d;
  const auto section = [&](const char* name, const std::string& yaml) {
    const dsl::Yaml tree = dsl::read_yaml(dsl::make_source("n.yaml", yaml), d);
    return dsl::read_options(option_table(name), &tree, {}, {}, d, option_tables());
  };
  const dsl::Settings settings = section("train", train), eval = section("eval", "every: 0\n");
  if (!d.has_errors()) check_recipe(settings, eval, weights, d);
  if (!d.has_errors() && recipe) *recipe = recipe_of(settings);
  return d.render(false);
}

}  // namespace

TEST_CASE("the first group that matches gives factors of the learning rate and of the decay") {
  Recipe r;
  CHECK(
      said(
          "optimizer: {adamw: {lr: 2, weight_decay: 4}}\n"
          "groups: [{match: '*.embed.*', lr: 0.1, weight_decay: 0}, {match: '*.b', weight_decay: 0.5}, {match: '*', lr: 3, weight_decay: 1}]\n",
          &r) == "");
  std::vector<std::pair<double, double>> got;
  const auto rules = rules_of(r, kWeights);
  for (std::size_t i = 0; i < 3; ++i)
    got.emplace_back(learning_rate(rules[i]), std::get<AdamWOptions>(rules[i]).weight_decay);
  // A bias decays when its group says so; a buffer does not move.
  CHECK(got == std::vector<std::pair<double, double>>{{0.2, 0}, {6, 4}, {2, 2}});
  CHECK(name(rules[3]) == "fixed");
}

TEST_CASE("Muon turns matrices; tables at both ends, and vectors follow AdamW") {
  Recipe r;
  CHECK(said("optimizer: {muon: {lr: 0.5, adamw: {lr: 7}}}\ngroups: {match: 'model.1.*', lr: 2}\n", &r) == "");
  std::vector<std::string> got;
  for (const Rule& rule : rules_of(r, kWeights)) got.push_back(fmt::format("{} {}", name(rule), learning_rate(rule)));
  CHECK(got == std::vector<std::string>{"adamw 7", "muon 1", "adamw 14", "fixed 0"});
  CHECK(said("optimizer: {muon: {adamw: {match: []}}}\n", &r) == "");
  CHECK(name(rules_of(r, kWeights)[0]) == "muon");
}

TEST_CASE("a pattern that no weight follows is told at its place") {
  const std::string none = said("groups: [{match: '*.embd.*'}]\n");
  CHECK(contains(none, "error[E0507]: `*.embd.*` matches no weight\n --> n.yaml:1:18\n"));
  CHECK(contains(none, "weights have names such as `model.0.embed.table`"));
  CHECK(contains(none, "did you mean `*.embed.*`?"));
  const std::string late = said("groups:\n- {match: '*'}\n- {match: '*.embed.*'}\n");
  CHECK(contains(late, "every weight that `*.embed.*` matches belongs to a group before it\n --> n.yaml:3:11\n"));
  CHECK(contains(said("optimizer: {muon: {adamw: {match: [\"*.head.*\"]}}}\n"), "`*.head.*` matches no weight"));
  CHECK(said("optimizer: muon\n") == "");  // the default patterns need not match
  CHECK(contains(said("groups: [{lr: 2}]\n"), "`match` must be given"));
}

TEST_CASE("a pattern of `freeze` that matches nothing, and one that leaves nothing, are told at their place") {
  const std::string none = said("freeze: ['*.b', '*.linaer.*']\n");
  CHECK(contains(none, "error[E0507]: `*.linaer.*` matches no weight\n --> n.yaml:1:17\n"));
  CHECK(contains(none, "did you mean `*.linear.*`?"));
  CHECK(said("freeze: '*.linear.*'\n") == "");
  std::vector<dsl::Weight> frozen = kWeights;
  for (dsl::Weight& w : frozen) w.trained = false;
  const std::string all = said("freeze: ['*']\n", nullptr, frozen);
  CHECK(contains(all, "error[E0507]: every weight is frozen: there is nothing to train\n --> n.yaml:1:9\n"));
}

TEST_CASE("products in bf16 of f64 numbers are told at their place") {
  CHECK(contains(said("dtype: f64\nprecision: bf16\n"),
                 "error[E0508]: products in bf16 round f32 numbers, and `dtype` is f64\n --> n.yaml:2:12\n"));
  CHECK(said("dtype: f32\nprecision: bf16\n") == "");
}

TEST_CASE("patience without validations is told at its place") {
  CHECK(contains(said("patience: 3\n"), "error[E0503]: `patience` counts validations, and `eval.every` is 0"));
}

TEST_CASE("the sections of every description are legal") {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(WEFT_SOURCE "/tests/models/descriptions")) {
    if (entry.path().extension() != ".yaml") continue;
    CAPTURE(entry.path().filename().string());
    dsl::Diagnostics d;
    dsl::Surroundings surroundings;
    surroundings.sections = option_tables();
    const dsl::Description description(dsl::read_source(entry.path().string(), d), {}, surroundings, d);
    for (const char* section : {"data", "train", "eval", "generate"}) {
      dsl::Diagnostics own;
      description.section(section, own);
      CAPTURE(own.render(false));
      CHECK(own.empty());
    }
    ++count;
  }
  CHECK(count >= 40);
}
