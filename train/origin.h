// Weights of another run or program that a run starts from: `train.from`.
//
// They are read once. The run's first checkpoint has what was made of them, so that `resume` needs neither the file nor
// the map; the log has the hash of both.
#pragma once
#include <optional>
#include <string>

#include "dsl/weight_map.h"
#include "train/checkpoint.h"
#include "train/data.h"
#include "train/job.h"
#include "train/trainer.h"

namespace weft::train {

class Origin {
 public:
  /// Reads the weights and the map. Throws `Error` of kind `data`; Failed for a map that does not read (reported).
  Origin(FromOptions options, dsl::Diagnostics& diagnostics);

  /// Data under the tokenizer that the weights were trained with, where they tell it: token 5 must stay what it was. An
  /// error with a fix when a text does not fit it, or the description demands the other kind (`demanded`, if not
  /// empty).
  using Loader = std::function<std::shared_ptr<const Data>(const Tokenizer* known)>;
  std::shared_ptr<const Data> load(const std::string& demanded, const Loader& load) const;

  /// The weights of a model from those of the file, in the type of `drawn`, which stand for the missing ones where that
  /// is allowed. Everything that is missing or of another shape is listed in one error of kind `data`.
  Start start(const std::vector<dsl::Weight>& weights, const std::vector<Tensor>& drawn, const Runtime& runtime,
              const dsl::Surroundings& surroundings, dsl::Diagnostics& diagnostics) const;

 private:
  std::string unused_note(const std::set<std::string>& used) const;

  FromOptions options_;
  WeightFile saved_;
  dsl::WeightMap map_;
  std::string record_;
};

}  // namespace weft::train
