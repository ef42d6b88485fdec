// What a checkpoint says beside its tensors, as the metadata of its file.
#pragma once
#include <limits>
#include <string>
#include <vector>

#include "train/safetensors.h"

namespace weft::train {

/// The numbers and texts beside the tensors.
struct Progress {
  i64 step = 0;       // steps done; the windows of the next step follow from it and the seed
  i64 evaluated = 0;  // the last step whose validation loss is known
  double best_loss = std::numeric_limits<double>::infinity();
  i64 best_step = 0;
  u64 seed = 0;
  std::string text_hash;                  // of the data
  std::string tokenizer;                  // JSON; empty where the data are no text
  std::string description;                // the resolved description
  i64 best_count = 0, best_correct = 0;   // targets of the best validation, and those with the highest score
  i64 skipped = 0, skipped_in_a_row = 0;  // updates that were left out: in all, and just before this step
  std::vector<double> losses = {};        // of the last steps, which a new one is held against
};

Metadata metadata_of(const Progress& progress);
/// The reverse; an error of kind `data` where something is missing or no number. What later versions added may be
/// missing.
Progress progress_of(const Metadata& metadata, const std::filesystem::path& file);

}  // namespace weft::train
