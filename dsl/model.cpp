#include "dsl/model.h"

#include <algorithm>

#include "dsl/lower.h"
#include "engine/observer.h"

namespace weft::dsl {
namespace {

double scalar(const Tensor& t) {
  return t.dtype() == DType::f64 ? t.values<double>()[0] : static_cast<double>(t.values<float>()[0]);
}

// Targets that have the highest score of their row, scores [..., C]; of equal ones the first counts.
template <class T> i64 hits(std::span<const T> scores, std::span<const i32> targets) {
  const std::size_t classes = targets.empty() ? 0 : scores.size() / targets.size();
  i64 hits = 0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const auto row = scores.subspan(i * classes, classes);
    hits += targets[i] >= 0 && std::max_element(row.begin(), row.end()) - row.begin() == targets[i];
  }
  return hits;
}

// The states where the rows stand; at position 0 what they hold does not matter.
void feed_carried(const Program& program, const Carried& carried, i64 rows, DType dtype, Run::Feeds& feeds,
                  RunSettings& settings) {
  const bool anew = carried.position == 0;
  check(anew || carried.states.size() == program.states.size(), "the model carries {} states, and {} were given",
        program.states.size(), carried.states.size());
  if (program.begins) feeds.emplace_back(program.begins, Tensor::full({rows}, anew ? 1 : 0, dtype));
  for (std::size_t i = 0; i < program.states.size(); ++i) {
    const Var& in = program.states[i].in;
    feeds.emplace_back(in, anew ? Tensor::zeros(bind(in.dims(), {{"B", rows}}), dtype) : carried.states[i]);
  }
  settings.offsets = {carried.position};
}

}  // namespace

Run::Feeds feeds_of(const Lowering& l, const std::vector<Tensor>& weights, const Tensor& tokens,
                    const Tensor& targets) {
  const auto& slots = l.program.weights;
  check(weights.size() == slots.size(), "the model has {} weights, and {} were given", slots.size(), weights.size());
  Run::Feeds feeds = {{l.tokens, tokens}};
  if (targets) feeds.emplace_back(l.targets, targets);
  for (std::size_t i = 0; i < slots.size(); ++i) feeds.emplace_back(slots[i].var, weights[i]);
  return feeds;
}

DType dtype_of(const std::vector<Tensor>& weights) { return weights.empty() ? DType::f32 : weights[0].dtype(); }

i64 counted(const Tensor& targets) {
  const auto t = targets.values<i32>();
  return std::count_if(t.begin(), t.end(), [](i32 x) { return x >= 0; });
}

Model::Model(std::shared_ptr<const Lowered> lowered) : lowered_(std::move(lowered)) {}

const std::vector<Weight>& Model::weights() const { return lowered_->weights(); }

i64 Model::weight_count() const {
  i64 count = 0;
  for (const Weight& w : weights()) count += element_count(w.shape);
  return count;
}

i64 Model::vocab() const { return *lowered_->train().program.vocab; }

std::optional<i64> Model::classes() const { return lowered_->train().program.classes; }

bool Model::carries() const { return lowered_->train().program.mode == Mode::carry; }

bool Model::streams() const { return !classes() && !lowered_->stream().program.repeats; }

std::vector<Tensor> Model::initial_weights(u64 seed, DType dtype) const {
  return draw_weights(lowered_->train().program.weights, seed, dtype);
}

void Model::redraw(u64 seed, i64 step, std::vector<Tensor>& weights) const {
  const auto& slots = lowered_->train().program.weights;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const Weight& w = slots[i].weight;
    if (w.redraw == 0 || step <= 1 || (step - 1) % w.redraw != 0) continue;
    const Key key = Key{seed}.fold("weights").fold(w.name).fold(static_cast<u64>(step));
    weights[i] = slots[i].initialiser.draw(w.shape, weights[i].dtype(), key);
  }
}

StepCost Model::cost(i64 batch, i64 context, DType dtype) const {
  StepCost c;
  const Bindings sizes = {{"B", batch}, {"T", context}};
  c.flops = lowered_->train_run().flops(sizes);
  c.peak_bytes = lowered_->train_run().peak_bytes(sizes, dtype);
  c.weight_bytes = static_cast<std::size_t>(weight_count()) * byte_size(dtype);
  const Program& stream = lowered_->stream().program;
  if (!streams()) return c;
  std::size_t elements = 0;
  for (const StreamState& s : stream.states) {
    for (const Dim& d : s.in.dims()) {
      if (!d.known() && !same_size(d, Dim::symbol("B"))) return c;  // positions before
    }
    elements += static_cast<std::size_t>(element_count(bind(s.in.dims(), {{"B", 1}})));
  }
  c.state_bytes = elements * byte_size(dtype);
  return c;
}

LossSum Model::loss(Runtime& runtime, const std::vector<Tensor>& weights, const Batch& batch) const {
  const i64 count = counted(batch.targets);
  const auto feeds = feeds_of(lowered_->evaluate(), weights, batch.tokens, batch.targets);
  const auto made = lowered_->loss_run()(runtime, dtype_of(weights), feeds);
  const auto targets = batch.targets.values<i32>();
  const Tensor& scores = made[1];
  return {
      scalar(made[0]) * static_cast<double>(count), count,
      scores.dtype() == DType::f64 ? hits(scores.values<double>(), targets) : hits(scores.values<float>(), targets)};
}

LossSum Model::gradients(Runtime& runtime, const std::vector<Tensor>& weights, const Batch& batch, TrainingStep step,
                         std::vector<Tensor>& gradients, Observer* observer, Carried* carried) const {
  const Lowering& l = lowered_->train();
  Carried anew;
  if (!carried) carried = &anew;
  const i64 count = counted(batch.targets);
  RunSettings settings;
  settings.key = step.key;
  settings.step = step.number;
  settings.training = true;
  if (observer) settings.intervention = observer->inside();
  auto feeds = feeds_of(l, weights, batch.tokens, batch.targets);
  if (carries()) feed_carried(l.program, *carried, batch.tokens.shape()[0], dtype_of(weights), feeds, settings);
  auto results = lowered_->train_run()(runtime, dtype_of(weights), feeds, settings, observer);
  gradients.clear();
  std::size_t next = 1;
  for (std::size_t i = 0; i < l.gradients.size(); ++i) {
    if (l.gradients[i]) gradients.push_back(std::move(results[next++]));
    else gradients.push_back(Tensor::zeros(l.program.weights[i].weight.shape, dtype_of(weights)));
  }
  if (carries()) {
    carried->states.assign(std::make_move_iterator(results.begin() + static_cast<std::ptrdiff_t>(next)),
                           std::make_move_iterator(results.end()));
    carried->position += batch.tokens.shape()[1];
  }
  return {scalar(results[0]) * static_cast<double>(count), count};
}

}  // namespace weft::dsl
