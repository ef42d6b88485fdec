// What training needs of a model, and no more: a described model has it, and so has a dozen lines
// in a test.
#pragma once
#include <memory>
#include <vector>

#include "dsl/model.h"
#include "engine/not_finite.h"

namespace weft::train {

class Learner {
 public:
  virtual ~Learner() = default;
  virtual const std::vector<dsl::Weight>& weights() const = 0;
  virtual i64 vocab() const = 0;
  virtual std::optional<i64> classes() const { return {}; }
  virtual std::vector<Tensor> initial_weights(u64 seed, DType dtype) const = 0;
  /// Called before every step: draws anew what the model wants drawn anew (see `Model::redraw`).
  virtual void redraw(u64, i64, std::vector<Tensor>&) const {}
  /// Evaluation mode.
  virtual dsl::LossSum loss(Runtime& runtime, const std::vector<Tensor>& weights, const dsl::Batch& batch) const = 0;
  /// Training mode; gradients of the mean loss, one per weight. `carried` is what the step before left where states are
  /// carried, and is replaced.
  virtual dsl::LossSum gradients(Runtime& runtime, const std::vector<Tensor>& weights, const dsl::Batch& batch,
                                 dsl::TrainingStep step, std::vector<Tensor>& gradients,
                                 dsl::Carried& carried) const = 0;
  /// The same computation once more, looking at every value: what the first one that is not finite is and where it was
  /// made; empty when there is none, or for a learner that cannot tell.
  virtual std::string not_finite(Runtime&, const std::vector<Tensor>& /*weights*/, const dsl::Batch&, dsl::TrainingStep,
                                 dsl::Carried) const {
    return {};
  }
  virtual std::unique_ptr<dsl::Stream> stream(Runtime& runtime, std::vector<Tensor> weights) const = 0;
};

/// A model of the language as a learner; `model` must outlive it.
class ModelLearner final : public Learner {
 public:
  explicit ModelLearner(const dsl::Model& model) : model_(model) {}
  const std::vector<dsl::Weight>& weights() const override { return model_.weights(); }
  i64 vocab() const override { return model_.vocab(); }
  std::optional<i64> classes() const override { return model_.classes(); }
  std::vector<Tensor> initial_weights(u64 seed, DType dtype) const override {
    return model_.initial_weights(seed, dtype);
  }
  void redraw(u64 seed, i64 step, std::vector<Tensor>& weights) const override { model_.redraw(seed, step, weights); }
  dsl::LossSum loss(Runtime& runtime, const std::vector<Tensor>& weights, const dsl::Batch& batch) const override {
    return model_.loss(runtime, weights, batch);
  }
  dsl::LossSum gradients(Runtime& runtime, const std::vector<Tensor>& weights, const dsl::Batch& batch,
                         dsl::TrainingStep step, std::vector<Tensor>& gradients, dsl::Carried& carried) const override {
    return model_.gradients(runtime, weights, batch, step, gradients, nullptr, &carried);
  }
  std::string not_finite(Runtime& runtime, const std::vector<Tensor>& weights, const dsl::Batch& batch,
                         dsl::TrainingStep step, dsl::Carried carried) const override {
    NotFinite found;
    std::vector<Tensor> gradients;
    model_.gradients(runtime, weights, batch, step, gradients, &found, &carried);
    return found.text();
  }
  std::unique_ptr<dsl::Stream> stream(Runtime& runtime, std::vector<Tensor> weights) const override {
    return model_.stream(runtime, std::move(weights));
  }

 private:
  const dsl::Model& model_;
};

}  // namespace weft::train
