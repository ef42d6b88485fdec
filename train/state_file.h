// A beginning in a file: a long prompt is read once, and any number of texts go on from it.
//
// safetensors: `state.<name>` is what the stream keeps, by its names; `logits` say what comes next, `seen` are the
// tokens that were read, each once. The metadata tell whose state it is.
#pragma once
#include <filesystem>

#include "train/safetensors.h"
#include "train/writer.h"

namespace weft::train {

/// What a state belongs to.
struct Owner {
  std::string weights;      // a hash of names, shapes and bytes
  std::string description;  // a hash of the description without its sections data, train, eval and generate
  std::string file;         // of the weights, for messages
};
std::string hash_of_weights(const std::vector<dsl::Weight>& names, const std::vector<Tensor>& weights);

void save_state(const std::filesystem::path& file, const Beginning& beginning, const Owner& owner);
/// An error of kind `data` that names both when it is the state of something else.
Beginning load_state(const std::filesystem::path& file, const Owner& owner, i64 vocab);

}  // namespace weft::train
