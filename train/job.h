// What is to be trained, and how: the options of `train` and `eval`, with their defaults.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "train/recipe.h"
#include "train/sample.h"
#include "train/schedule.h"
#include "train/spikes.h"

namespace weft::train {

struct TrainOptions {
  i64 steps = 1000;
  i64 batch = 16;             // windows per update
  i64 accumulate = 1;         // parts in which a step computes `batch` windows each; their gradients add up
  i64 context = 128;          // tokens of a window
  bool carry_state = false;   // rows read stripes of the text, window after window, and keep their states
  std::string form = "auto";  // of all recurrences: auto | recurrent | chunkwise | parallel
  u64 seed = 1;
  Recipe optimizer;
  Schedule schedule;
  double clip = 1;       // largest norm of all gradients together; 0: no limit
  i64 patience = 0;      // validations without a lower loss after which the run ends; 0: none
  i64 log_every = 10;    // steps between two lines where the output is no terminal
  i64 save_every = 500;  // steps between two checkpoints; 0: at the end alone
  i64 keep_last = 2;     // newest checkpoints that are kept
  i64 keep_best = 1;     // weights of the lowest validation losses that are kept
  NonFinite nonfinite;
  Spikes spikes;
  DType dtype = DType::f32;
  Precision precision = Precision::f32;  // of the products in training steps
};

/// Weights to start from instead of drawn ones: `train.from`.
struct FromOptions {
  std::filesystem::path path;                     // a safetensors file, or the folder of a run
  std::optional<std::filesystem::path> map = {};  // weights of the model as expressions of those of the file
  bool draws_missing = false;                     // what the file does not have is drawn
};

struct EvalOptions {
  i64 every = 250;  // steps between two passes over the validation text; 0: at the end alone
};

struct Job {
  std::string name;         // of the description, for the folder of the run
  std::string description;  // the resolved text
  std::string program;      // that trains it, and the machine: for the log
  TrainOptions train;
  EvalOptions eval;
  GenerateOptions generate;
};

}  // namespace weft::train
