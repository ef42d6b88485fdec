#include "dsl/model.h"

#include <algorithm>

#include "dsl/lower.h"
#include "engine/observer.h"

namespace weft::dsl {
namespace {

Run::Feeds feeds_of(const Lowering& l, const std::vector<Tensor>& weights, const Tensor& tokens,
                    const Tensor& targets = {}) {
  const auto& slots = l.program.weights;
  check(weights.size() == slots.size(), "the model has {} weights, and {} were given", slots.size(), weights.size());
  Run::Feeds feeds = {{l.tokens, tokens}};
  if (targets) feeds.emplace_back(l.targets, targets);
  for (std::size_t i = 0; i < slots.size(); ++i) feeds.emplace_back(slots[i].var, weights[i]);
  return feeds;
}

DType dtype_of(const std::vector<Tensor>& weights) { return weights.empty() ? DType::f32 : weights[0].dtype(); }

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

// [B, T, V] -> [B, V], the last position.
Tensor last_position(const Tensor& logits) {
  const i64 B = logits.shape()[0], T = logits.shape()[1], V = logits.shape()[2];
  std::vector<double> values;
  const Tensor wide = logits.converted(DType::f64);
  const auto all = wide.values<double>();
  for (i64 b = 0; b < B; ++b) {
    const auto row = all.subspan(static_cast<std::size_t>((b * T + T - 1) * V), static_cast<std::size_t>(V));
    values.insert(values.end(), row.begin(), row.end());
  }
  return Tensor::from(values, {B, V}, logits.dtype());
}

void check_tokens(const Tensor& tokens) {
  check(tokens.dtype() == DType::i32 && tokens.shape().size() == 2 && tokens.shape()[1] > 0,
        "a stream takes tokens [B, n] with n of at least 1, not {}", text(tokens.shape()));
}

// All that is kept are the states.
class StateStream final : public Stream {
 public:
  StateStream(std::shared_ptr<const Lowered> lowered, Runtime& runtime, std::vector<Tensor> weights)
      : lowered_(std::move(lowered)), runtime_(runtime), weights_(std::move(weights)) {}

  Tensor feed(const Tensor& tokens) override {
    check_tokens(tokens);
    const Lowering& l = lowered_->stream();
    auto feeds = feeds_of(l, weights_, tokens);
    if (states_.empty()) start(feeds, tokens.shape()[0]);
    const auto& slots = l.program.states;
    for (std::size_t i = 0; i < slots.size(); ++i) feeds.emplace_back(slots[i].in, states_[i]);
    RunSettings settings;
    settings.offsets = {position_};
    auto results = lowered_->stream_run()(runtime_, dtype_of(weights_), feeds, settings);
    for (std::size_t i = 0; i < slots.size(); ++i) states_[i] = std::move(results[i + 1]);
    position_ += tokens.shape()[1];
    return last_position(results[0]);
  }
  i64 position() const override { return position_; }
  std::size_t state_bytes() const override {
    std::size_t bytes = 0;
    for (const Tensor& s : states_) bytes += static_cast<std::size_t>(element_count(s.shape())) * byte_size(s.dtype());
    return bytes;
  }
  bool constant_work() const override { return true; }

 private:
  void start(const Run::Feeds& feeds, i64 rows) {
    const auto& slots = lowered_->stream().program.states;
    const DType dtype = dtype_of(weights_);
    const auto started = lowered_->start_run()(runtime_, dtype, feeds);
    std::size_t next = 0;
    for (const StreamState& s : slots) {
      states_.push_back(s.start ? started[next++] : Tensor::zeros(bind(s.in.dims(), {{"B", rows}, {"P", 0}}), dtype));
    }
  }

  std::shared_ptr<const Lowered> lowered_;
  Runtime& runtime_;
  std::vector<Tensor> weights_, states_;
  i64 position_ = 0;
};

// Without a streaming form the whole prefix is computed again for every token.
class PrefixStream final : public Stream {
 public:
  PrefixStream(std::shared_ptr<const Lowered> lowered, Runtime& runtime, std::vector<Tensor> weights)
      : lowered_(std::move(lowered)), runtime_(runtime), weights_(std::move(weights)) {}

  Tensor feed(const Tensor& tokens) override {
    check_tokens(tokens);
    prefix_ = joined(prefix_, tokens);
    const auto feeds = feeds_of(lowered_->evaluate(), weights_, prefix_);
    return last_position(lowered_->logits_run()(runtime_, dtype_of(weights_), feeds)[0]);
  }
  i64 position() const override { return prefix_ ? prefix_.shape()[1] : 0; }
  std::size_t state_bytes() const override {
    return prefix_ ? static_cast<std::size_t>(element_count(prefix_.shape())) * sizeof(i32) : 0;
  }
  bool constant_work() const override { return false; }

 private:
  static Tensor joined(const Tensor& before, const Tensor& tokens) {
    if (!before) return tokens;
    const i64 B = tokens.shape()[0], n = before.shape()[1], m = tokens.shape()[1];
    check(before.shape()[0] == B, "a stream of {} rows cannot take {}", before.shape()[0], B);
    std::vector<i32> all;
    const auto a = before.values<i32>(), b = tokens.values<i32>();
    for (i64 r = 0; r < B; ++r) {
      all.insert(all.end(), a.begin() + r * n, a.begin() + (r + 1) * n);
      all.insert(all.end(), b.begin() + r * m, b.begin() + (r + 1) * m);
    }
    return Tensor::of_indices(all, {B, n + m});
  }

  std::shared_ptr<const Lowered> lowered_;
  Runtime& runtime_;
  std::vector<Tensor> weights_;
  Tensor prefix_;
};

}  // namespace

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

std::unique_ptr<Stream> Model::stream(Runtime& runtime, std::vector<Tensor> weights) const {
  if (!streams()) return std::make_unique<PrefixStream>(lowered_, runtime, std::move(weights));
  return std::make_unique<StateStream>(lowered_, runtime, std::move(weights));
}

}  // namespace weft::dsl
