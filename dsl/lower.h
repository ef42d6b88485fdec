// A description as graphs: one per mode, with the runs that interpret them.
#pragma once
#include <memory>

#include "dsl/program.h"
#include "engine/run.h"

namespace weft::dsl {

/// The graph of one mode. Weights are fed in the order of `program.weights`.
struct Lowering {
  Lowering(Mode mode, Diagnostics& diagnostics) : program(mode, diagnostics) {}
  Program program;
  Var tokens, targets, logits, loss;  // targets [B, T], or [B] for the classes of sequences
  Var share;                          // train: of these rows in the mean loss of a batch
  std::vector<Var> gradients;         // train: of share * loss, one a weight
};

/// What is lowered, and with which choices.
struct Blueprint {
  const Module* module;  // the description
  DataSizes sizes;
  std::string form = "auto";
  bool carries = false;             // `train.carry_state`
  std::vector<std::string> freeze;  // `train.freeze`
  std::function<const Module*(const Item&, const Module&)> load;
};

/// The composition of the file on tokens [B, T]; binds `program.vocab` and `program.classes`. Throws Failed.
Var lower_model(Program& program, const Blueprint& plan, const Var& tokens);
/// An input for what the model is to tell: dims of its scores but for the last.
Var target_input(Program& program, const Var& logits);

/// Null when something was reported.
std::unique_ptr<Lowering> lower(const Blueprint& plan, Mode mode, Diagnostics& diagnostics);

/// What a run of it is fed: its weights in their order, tokens, and targets where there are some.
Run::Feeds feeds_of(const Lowering& lowering, const std::vector<Tensor>& weights, const Tensor& tokens,
                    const Tensor& targets = {});
DType dtype_of(const std::vector<Tensor>& weights);

class Lowered {
 public:
  Lowered(std::unique_ptr<Lowering> train, std::unique_ptr<Lowering> evaluate, std::unique_ptr<Lowering> stream);

  const Lowering& train() const { return *train_; }
  const Lowering& evaluate() const { return *evaluate_; }
  const Lowering& stream() const { return *stream_; }
  const std::vector<Weight>& weights() const { return weights_; }
  // A run keeps plans between calls, which no caller can see; lanes that are computed at the same time have one each.
  using Runs = std::vector<std::unique_ptr<Run>>;
  /// For lanes of so many tokens: what is cheap is computed again in those where memory is short.
  const Runs& train_runs(std::size_t count, i64 tokens) const;
  const Runs& loss_runs(std::size_t count) const;
  /// Whether a recurrence is computed position by position.
  bool loops() const { return loops_; }
  /// Whether there are trees over the tokens.
  bool folds() const { return folds_; }
  Run& logits_run() const { return *logits_run_; }
  Run& stream_run() const { return *stream_run_; }
  Run& start_run() const { return *start_run_; }

 private:
  std::unique_ptr<Lowering> train_, evaluate_, stream_;
  std::vector<Weight> weights_;
  bool loops_, folds_;
  mutable Runs train_runs_, long_train_runs_, loss_runs_;
  std::unique_ptr<Run> logits_run_, stream_run_, start_run_;
};

}  // namespace weft::dsl
