// A described model, ready to run: what `train`, `generate` and the other verbs see of the language.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/key.h"
#include "engine/runtime.h"
#include "engine/tensor.h"

namespace weft {
class Observer;
}

namespace weft::dsl {

/// One weight, in the order of the file. Names are paths: `model.1.residual.body.0.retention.Wq`.
struct Weight {
  std::string name;
  Shape shape;
  bool decays = true;   // weight decay applies: by default from rank 2 up
  bool trained = true;  // a buffer is not, nor what is frozen: its gradient is always zero
  i64 redraw = 0;       // a buffer is drawn anew after so many steps; 0: never
  bool frozen = false;  // by `train.freeze`
};

/// Sizes that come with the data; every def sees them.
struct DataSizes {
  DataSizes() = default;
  DataSizes(std::optional<i64> vocab, std::optional<i64> classes = {}) : vocab(vocab), classes(classes) {}
  DataSizes(i64 vocab) : vocab(vocab) {}
  std::optional<i64> vocab;
  std::optional<i64> classes;  // of a whole sequence: the model tells one and predicts no token
};

/// Tokens [B, T], -1 behind the end of a shorter sequence, and what is to be told: the token that follows each, [B, T],
/// or the class of the sequence, [B]. A target of -1 is not counted.
struct Batch {
  Tensor tokens, targets;
};
/// Targets that count.
i64 counted(const Tensor& targets);

/// Nats summed over the counted targets, and how many of them had the highest score.
struct LossSum {
  double nats = 0;
  i64 count = 0;
  i64 correct = 0;  // in evaluation alone
  LossSum& operator+=(const LossSum& o) {
    nats += o.nats, count += o.count, correct += o.correct;
    return *this;
  }
};

/// Which step of training it is: the key of all that is drawn in it, and its number from 1 on, which annealed
/// attributes go by (0: they have arrived).
struct TrainingStep {
  Key key;
  i64 number;
  Precision precision;  // of products
  TrainingStep(Key key, i64 number = 0, Precision precision = Precision::f32)
      : key(key), number(number), precision(precision) {}
};

/// What a training step hands to the next under `train.carry_state`: the states, [B, ...] each, and the place in the
/// stripe that all rows are at. At position 0 every row starts anew.
struct Carried {
  std::vector<Tensor> states;
  i64 position = 0;
};

/// What one training step of `batch` windows of `context` tokens takes, and one generated token.
struct StepCost {
  double flops = 0;            // forward and backward
  std::size_t peak_bytes = 0;  // of live tensors while it runs on so many threads, weights included
  std::size_t weight_bytes = 0;
  bool folds = false;                      // trees over the tokens: what they hold hangs on the length of every row
  std::optional<std::size_t> state_bytes;  // of a stream; nothing when it grows or there is no streaming form
};

/// What a stream keeps of the tokens it has read: another stream of the same model goes on from it, in more rows or
/// later.
struct Kept {
  std::map<std::string, Tensor> states;  // [rows, ...] each
  std::vector<i64> positions;            // tokens read by each row
  i64 rows() const { return std::ssize(positions); }
};
/// The rows of all, one after the other. What grows with the position has one length for all rows.
Kept joined(std::span<const Kept> parts);
/// Tensors [rows, ...] one behind the other.
Tensor stacked(const std::vector<Tensor>& parts);
Kept row(const Kept& kept, i64 row);

class Lowered;  // the graphs behind a model (dsl/lower.h)

/// Generation, one or more tokens at a time; the state is all that is kept of what came before.
class Stream {
 public:
  virtual ~Stream() = default;
  /// Takes tokens i32 [B, n], n >= 1, gives the logits after the last of them, [B, vocab].
  virtual Tensor feed(const Tensor& tokens) = 0;
  /// Tokens that the first row has read.
  virtual i64 position() const = 0;
  virtual Kept kept() const = 0;
  /// From here on as the stream was that `kept` came from, without rows as a new one; an error of kind `data` when it
  /// does not fit the model.
  virtual void go_on(const Kept& kept) = 0;
  /// Whether rows may have read different numbers of tokens.
  virtual bool rows_apart() const = 0;
  virtual std::size_t state_bytes() const = 0;
  /// False when the model has no streaming form and every step computes the whole prefix again.
  virtual bool constant_work() const = 0;
};

class Model {
 public:
  explicit Model(std::shared_ptr<const Lowered> lowered);

  const std::vector<Weight>& weights() const;
  i64 weight_count() const;  // numbers in all weights
  i64 vocab() const;
  /// Of a model that tells the class of a sequence.
  std::optional<i64> classes() const;
  /// `threads`: 0 are all of the machine.
  StepCost cost(i64 batch, i64 context, DType dtype, int threads = 0) const;
  /// Whether generation needs no more than a state, which may grow.
  bool streams() const;
  /// Freshly drawn weights; the same seed gives the same bits.
  std::vector<Tensor> initial_weights(u64 seed, DType dtype) const;
  /// Draws the buffers anew whose time has come, before step `step` (from 1 on); bits follow from (seed, step) alone.
  void redraw(u64 seed, i64 step, std::vector<Tensor>& weights) const;

  /// Evaluation mode: nothing random, no gradients.
  LossSum loss(Runtime& runtime, const std::vector<Tensor>& weights, const Batch& batch) const;
  /// Whether a training step goes on from the states of the one before (`train.carry_state`).
  bool carries() const;
  /// Training mode: the loss, and the gradients of the mean loss by weight. `carried` is read and replaced when the
  /// model carries; without one every row starts anew.
  LossSum gradients(Runtime& runtime, const std::vector<Tensor>& weights, const Batch& batch, TrainingStep step,
                    std::vector<Tensor>& gradients, Observer* observer = nullptr, Carried* carried = nullptr) const;
  std::unique_ptr<Stream> stream(Runtime& runtime, std::vector<Tensor> weights) const;

 private:
  std::shared_ptr<const Lowered> lowered_;
};

}  // namespace weft::dsl
