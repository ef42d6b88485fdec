// Which weight follows which rule: the optimizer of a description, and its groups of weights by name.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "dsl/model.h"
#include "dsl/options.h"
#include "train/optimizer.h"

namespace weft::train {

/// Weights whose names match, as `train.groups` gives them.
struct Group {
  std::string match;                   // `*` stands for any characters
  double lr = 1;                       // a factor
  std::optional<double> weight_decay;  // a factor; unless given, 1 where the weight says that it decays, else 0
};

struct Recipe {
  Rule rule = AdamWOptions{};
  // Under Muon: what is no matrix, and matrices with these names - the tables at both ends of a model.
  AdamWOptions rest;
  std::vector<std::string> rest_match = {"*.embed.*", "*.logits.*"};
  std::vector<Group> groups;  // the first that matches counts
};

/// The rule of every weight, its learning rate and weight decay those of its group; what is not trained is fixed.
std::vector<Rule> rules_of(const Recipe& recipe, const std::vector<dsl::Weight>& weights);

/// From the sections `optimizer` and `groups` of `train`.
Recipe recipe_of(const dsl::Settings& train);

/// Reports what the tables of options cannot know: patterns that no weight follows, nothing left to train, patience
/// without validations.
void check_recipe(const dsl::Settings& train, const dsl::Settings& eval, const std::vector<dsl::Weight>& weights,
                  dsl::Diagnostics& diagnostics);

}  // namespace weft::train
