// Checkpoints: everything that training needs to go on as if it had never stopped, in one
// safetensors file.
//
//   checkpoints/step_0001200/state.safetensors   weights by their names; what the optimizer remembers,
//                                                as adamw.first.<name>, adamw.second.<name>,
//                                                sgd.momentum.<name>, muon.momentum.<name>; with
//                                                carry_state the states, as carried.<part>.<number>
//   checkpoints/best.safetensors                 the weights with the lowest validation loss so far
//   checkpoints/good_0000400.safetensors         with train.keep_best above 1: the next ones, by their step
//
// There is no pointer file: what is there is found by looking. Files hold no time, host or
// arguments, so two runs of one description and seed write the same bytes.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "dsl/model.h"
#include "train/optimizer.h"
#include "train/progress.h"

namespace weft::train {

struct Checkpoint {
  Progress progress;
  std::vector<Tensor> weights;             // in the order of the model's weights
  std::vector<Memory> memory = {};         // of the optimizer
  std::vector<dsl::Carried> carried = {};  // the states of each part of a step; their position follows from it
};

/// The files a checkpoint of `step` and the best weights are kept in.
std::filesystem::path checkpoint_file(const std::filesystem::path& checkpoints, i64 step);
std::filesystem::path best_file(const std::filesystem::path& checkpoints);
/// Bytes of one checkpoint, about.
u64 checkpoint_bytes(const std::vector<Tensor>& weights);

/// Removes all but the newest `keep` checkpoints.
void remove_old_checkpoints(const std::filesystem::path& checkpoints, i64 keep);
/// Writes, reads back and checks; then removes all but the newest `keep`.
void save_checkpoint(const std::filesystem::path& checkpoints, const std::vector<dsl::Weight>& names,
                     const Checkpoint& checkpoint, i64 keep = 2);
/// Keeps the weights of a validation (`now` tells its loss as best_loss, its step as best_step) if they are among the
/// `keep` best so far, and removes what no longer is. `best`: they are the first of them.
void keep_best(const std::filesystem::path& checkpoints, const std::vector<dsl::Weight>& names,
               const std::vector<Tensor>& weights, const Progress& now, bool best, i64 keep);
void save_weights(const std::filesystem::path& file, const std::vector<dsl::Weight>& names,
                  const std::vector<Tensor>& weights, const Progress& progress);

/// Steps that have a checkpoint file, newest first, whether it is damaged or not.
std::vector<i64> list_checkpoints(const std::filesystem::path& checkpoints);

/// The newest checkpoint. When it is damaged: an error (exit 4) that names the one before it and
/// `--last-good`; with `last_good` the newest that is whole.
Checkpoint load_newest(const std::filesystem::path& run, const std::vector<dsl::Weight>& names, bool last_good);

/// Weights, also of another program; the memory of an optimizer is left out.
struct WeightFile {
  std::filesystem::path file;
  Metadata metadata;
  std::vector<NamedTensor> tensors;
};
/// All files of weights in a run, the one to take first: the best, others that a validation found good, then the
/// checkpoints from the newest on. An error of kind `data` when there is none.
std::vector<std::filesystem::path> weight_files(const std::filesystem::path& run);
/// The file of weights in a run: `best` by validation loss, those of the `last` checkpoint or of that of a step, or a
/// path; without a choice the best, where there is one, else the last. What is no folder stands for itself. An error of
/// kind `data` lists what there is.
std::filesystem::path weight_file(const std::filesystem::path& run_or_file, const std::string& choice = "");
/// Reads that file. When it is damaged and was not chosen by name: an error (exit 4) that names the one after it and
/// `--last-good`; with `last_good` the first that is whole. `passed_over`, when given, gets what was said of those
/// before.
WeightFile read_weights(const std::filesystem::path& run_or_file, const std::string& choice = "",
                        bool last_good = false, std::string* passed_over = nullptr);
/// The tensors in the order of the model's weights; every missing or unknown name and wrong shape
/// is listed at once.
std::vector<Tensor> matched(const WeightFile& saved, const std::vector<dsl::Weight>& names);

/// Weights of ours, to evaluate or generate with.
struct SavedWeights : WeightFile {
  Progress progress;
};
SavedWeights load_weights(const std::filesystem::path& run_or_file, const std::string& choice = "",
                          bool last_good = false, std::string* passed_over = nullptr);

}  // namespace weft::train
