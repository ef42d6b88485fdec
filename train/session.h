// One process at work on one run: the loop behind `train` and `resume`.
#pragma once
#include <chrono>

#include "train/checkpoint.h"
#include "train/interrupt.h"
#include "train/norms.h"
#include "train/run_log.h"
#include "train/trainer.h"

namespace weft::train {

class Session {
 public:
  /// `state` is consumed: the weights to go on from and what the optimizer remembers.
  Session(Runtime& runtime, const Learner& learner, const Data& data, const Job& job, const RunDir& run,
          Checkpoint state, Terminal& terminal);
  /// Writes the checkpoint of the current step.
  void save();
  Outcome run();

 private:
  bool due(i64 every) const;
  bool ended() const;
  std::vector<dsl::Batch> batches(i64 step) const;
  dsl::TrainingStep part_of(i64 step, std::size_t part) const;
  dsl::LossSum gradients(i64 step, std::vector<Tensor>& total);
  void take_step();
  void update(i64 step, double loss, const std::vector<Tensor>& gradient, double norm,
              std::chrono::steady_clock::time_point begun);
  std::string banner() const;
  std::string not_finite(i64 step, double loss, const Norm& gradients, const std::vector<dsl::Carried>& carried) const;
  bool is_spike(i64 step, double loss);
  void leave_out(i64 step, const std::string& what);
  void require_finite_weights();
  [[noreturn]] void diverged(i64 step, const std::string& what);
  void evaluate_and_sample();
  void save_best();
  bool validate();
  bool write_sample();
  i64 tokens() const;
  Outcome interrupted();
  Outcome finished();

  Runtime& runtime_;
  const Learner& learner_;
  const Data& data_;
  const Job& job_;
  const RunDir& run_;
  Progress progress_;
  std::vector<Tensor> weights_;
  Optimizer optimizer_;
  std::vector<dsl::Carried> carried_;  // one a part of `accumulate`
  LossWindow losses_;
  i64 saved_ = -1;  // the step of the newest checkpoint that is up to date
  std::optional<double> validation_;
  dsl::LossSum validated_;  // what it is made of
  Interrupt interrupt_;
  RunLog log_;
  StepLine line_;
};

/// A word as a shell takes it: in quotes where it must be.
std::string shell_word(const std::string& word);

/// Whether the validation loss has not fallen for `train.patience` validations; false without one.
bool out_of_patience(const Progress& progress, const Job& job);

/// Why a run ended before its last step, as a line; empty when it did not.
std::string early_end(const Progress& progress, const Job& job);

/// Lines after a finished run: what to do with it.
std::string next_commands(const fs::path& run, const Data& data, const Job& job, const Progress& progress);

}  // namespace weft::train
