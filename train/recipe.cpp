#include "train/recipe.h"

#include <algorithm>

#include "dsl/wildcard.h"

namespace weft::train {
namespace {

using dsl::matches;

constexpr const char* kRestMatch = "optimizer.muon.adamw.match";

// The number of the first group that matches; that of all groups when none does.
std::size_t group_of(const std::vector<Group>& groups, const std::string& name) {
  const auto found = std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return matches(g.match, name); });
  return static_cast<std::size_t>(found - groups.begin());
}

bool any_matches(const std::vector<std::string>& patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& p) { return matches(p, name); });
}

AdamWOptions adamw_of(const dsl::Settings& train, const std::string& path) {
  const std::vector<double> betas = train.reals(path + ".betas");
  return {train.real(path + ".lr"), betas.at(0), betas.at(1), train.real(path + ".eps"),
          train.real(path + ".weight_decay")};
}

// What Muon can turn.
bool is_matrix(const dsl::Weight& weight) { return weight.shape.size() == 2; }

void unmatched(const dsl::Span& span, const std::string& pattern, const std::vector<dsl::Weight>& weights,
               dsl::Diagnostics& diagnostics) {
  const auto count =
      std::count_if(weights.begin(), weights.end(), [&](const auto& w) { return matches(pattern, w.name); });
  dsl::Diagnostic& d = diagnostics.error(
      "E0507", span,
      count == 0 ? fmt::format("`{}` matches no weight", pattern)
                 : fmt::format("every weight that `{}` matches belongs to a group before it", pattern));
  if (count > 0) d.help("put the group with fewer weights first: the first that matches counts");
  else if (!weights.empty()) {
    std::vector<std::string> names;
    for (const dsl::Weight& w : weights) names.push_back(w.name);
    const std::string guess = dsl::corrected_pattern(pattern, names);
    d.note(fmt::format("weights have names such as `{}`", names.front()))
        .help(guess.empty() ? "`*` stands for any characters; ./weft check -v lists the names"
                            : fmt::format("did you mean `{}`?", guess));
  }
}

bool matches_any(const std::string& pattern, const std::vector<dsl::Weight>& weights) {
  return std::any_of(weights.begin(), weights.end(), [&](const dsl::Weight& w) { return matches(pattern, w.name); });
}

// Patterns in a list; `at` is its path.
void check_patterns(const std::string& at, const dsl::Settings& train, const std::vector<dsl::Weight>& weights,
                    dsl::Diagnostics& diagnostics) {
  for (i64 i = 0; i < train.size(at); ++i) {
    const std::string path = fmt::format("{}.{}", at, i);
    if (!matches_any(train.text(path), weights)) unmatched(train.span(path), train.text(path), weights, diagnostics);
  }
}

}  // namespace

std::vector<Rule> rules_of(const Recipe& recipe, const std::vector<dsl::Weight>& weights) {
  std::vector<Rule> rules;
  for (const dsl::Weight& weight : weights) {
    if (!weight.trained) {
      rules.push_back(Fixed{});
      continue;
    }
    const bool rest = std::holds_alternative<MuonOptions>(recipe.rule) &&
                      (!is_matrix(weight) || any_matches(recipe.rest_match, weight.name));
    Rule rule = rest ? Rule(recipe.rest) : recipe.rule;
    const std::size_t number = group_of(recipe.groups, weight.name);
    const Group group = number < recipe.groups.size() ? recipe.groups[number] : Group{};
    const double decay = group.weight_decay.value_or(weight.decays ? 1 : 0);
    const auto scale = [&](auto& o) { o.lr *= group.lr, o.weight_decay *= decay; };
    std::visit(scale, rule);
    rules.push_back(rule);
  }
  return rules;
}

Recipe recipe_of(const dsl::Settings& train) {
  Recipe recipe;
  const std::string kind = train.chosen("optimizer"), path = "optimizer." + kind;
  if (kind == "adamw") recipe.rule = adamw_of(train, path);
  if (kind == "sgd") {
    recipe.rule = SgdOptions{train.real(path + ".lr"), train.real(path + ".momentum"),
                             train.boolean(path + ".nesterov"), train.real(path + ".weight_decay")};
  }
  if (kind == "muon") {
    recipe.rule =
        MuonOptions{train.real(path + ".lr"), train.real(path + ".momentum"), train.boolean(path + ".nesterov"),
                    train.real(path + ".weight_decay"), train.boolean(path + ".match_rms_adamw")};
    recipe.rest = adamw_of(train, path + ".adamw");
    recipe.rest_match.clear();
    for (i64 i = 0; i < train.size(kRestMatch); ++i)
      recipe.rest_match.push_back(train.text(fmt::format("{}.{}", kRestMatch, i)));
  }
  for (i64 i = 0; i < train.size("groups"); ++i) {
    const std::string at = fmt::format("groups.{}.", i);
    Group group{train.text(at + "match"), train.real(at + "lr"), {}};
    if (train.has(at + "weight_decay")) group.weight_decay = train.real(at + "weight_decay");
    recipe.groups.push_back(std::move(group));
  }
  return recipe;
}

void check_recipe(const dsl::Settings& train, const dsl::Settings& eval, const std::vector<dsl::Weight>& weights,
                  dsl::Diagnostics& diagnostics) {
  const Recipe recipe = recipe_of(train);
  std::vector<bool> followed(recipe.groups.size() + 1);
  for (const dsl::Weight& weight : weights) followed[group_of(recipe.groups, weight.name)] = true;
  for (std::size_t i = 0; i < recipe.groups.size(); ++i) {
    if (!followed[i])
      unmatched(train.span(fmt::format("groups.{}.match", i)), recipe.groups[i].match, weights, diagnostics);
  }
  if (train.whole("patience") > 0 && eval.whole("every") == 0) {
    diagnostics
        .error("E0503", train.span("patience"), "`patience` counts validations, and `eval.every` is 0: one at the end")
        .help("give `eval: {every: 250}` or another number of steps");
  }
  if (train.word("precision") == "bf16" && train.word("dtype") != "f32") {
    diagnostics.error("E0508", train.span("precision"), "products in bf16 round f32 numbers, and `dtype` is f64")
        .help("leave out one of the two");
  }
  // A model without an embedding does not break the defaults.
  if (train.given(kRestMatch)) check_patterns(kRestMatch, train, weights, diagnostics);
  check_patterns("freeze", train, weights, diagnostics);
  if (train.size("freeze") > 0 && std::none_of(weights.begin(), weights.end(), [](const auto& w) { return w.trained; }))
    diagnostics.error("E0507", train.span("freeze"), "every weight is frozen: there is nothing to train")
        .help("leave out the pattern of those that are to change; ./weft check -v lists all");
}

}  // namespace weft::train
