#pragma once
// Weights of one model as expressions of those of another: what `weft equal --map` and `train.from` read.
//
//     b: {Wqk: Wq @ Wk^T}       weights of B, from those of A
//     a: {Wk: Wk_shared}        weights of A, from those of B
//     let: {half: 0.5 * Wq}     names for the expressions of both
//
// A key is the whole name of a weight, or its last part for all weights that end so. Names in its expression are
// weights beside it, or elsewhere where only one is called so, or the one at the nearest place: of all that are called
// so, the one whose path begins like that of the weight for longest. A weight without a key is found by its name.

#include <set>

#include "dsl/description.h"

namespace weft::dsl {

using NamedWeights = std::vector<std::pair<std::string, Tensor>>;

struct MappedWeights {
  std::vector<Tensor> weights;                // one for each that was wanted, in its type; empty where none is found
  std::vector<std::string> missing, misfits;  // what is wrong, a line for each weight
  std::set<std::string> by_name;              // weights that were found by their name
  int mapped = 0;                             // the number of the others
  std::set<std::string> used;                 // the names of `source` that served
};

class WeightMap {
 public:
  /// By name alone.
  WeightMap() = default;
  WeightMap(const SourcePtr& source, Diagnostics& diagnostics);

  /// Whether the file has that side.
  bool has(const std::string& side) const { return sides_.contains(side); }
  /// `wanted` from `source` by the side `side`. A key that names no weight is an error, an expression that does not fit
  /// is reported and throws Failed; what is missing and has another shape is listed in the result. `target` is what
  /// messages call the model that has the weights `wanted`.
  MappedWeights weights(const std::string& side, const std::vector<Weight>& wanted, const NamedWeights& source,
                        const std::string& target, const Runtime& runtime, const Surroundings& surroundings,
                        Diagnostics& diagnostics) const;

 private:
  struct Line {
    std::string key;
    ExprPtr value;
  };
  class Mapper;
  std::map<std::string, std::vector<Line>> sides_;  // `let` among them
};

}  // namespace weft::dsl
