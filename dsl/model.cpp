#include "dsl/model.h"

#include <algorithm>
#include <thread>

#include "dsl/lanes.h"
#include "dsl/lower.h"
#include "engine/layouts.h"
#include "engine/observer.h"

namespace weft::dsl {
namespace {

// Tokens of a lane for which its own layouts of the weights cost less than 1 % of its products: 5 % of a step where
// they are 512.
constexpr i64 kLongLane = 2048;

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

std::vector<Lane> lanes_of(const Lowered& lowered, const Batch& batch) {
  return dsl::lanes_of(batch.tokens.shape()[0], batch.tokens.shape()[1], lowered.loops());
}

Batch rows(const Batch& batch, const Lane& lane) {
  return {batch.tokens.rows(lane.begin, lane.end), batch.targets.rows(lane.begin, lane.end)};
}

bool shares_layouts(const Lane& lane, i64 length) { return lane.rows() * length < kLongLane; }

// For lanes so short that laying out the weights anew in each would be felt.
std::optional<Layouts> shared_layouts(const std::vector<Tensor>& weights, const std::vector<Lane>& lanes,
                                      const Batch& batch) {
  if (lanes.size() == 1 || !shares_layouts(lanes[0], batch.tokens.shape()[1])) return {};
  return std::optional<Layouts>(std::in_place, weights);
}

LossSum added(const std::vector<LossSum>& sums) {
  LossSum all;
  for (const LossSum& s : sums) all += s;
  return all;
}

// The states where these rows stand; at position 0 what they hold does not matter.
void feed_carried(const Program& program, const Carried* carried, const Lane& lane, DType dtype, Run::Feeds& feeds,
                  RunSettings& settings) {
  const bool anew = !carried || carried->position == 0;
  check(anew || carried->states.size() == program.states.size(), "the model carries {} states, and {} were given",
        program.states.size(), carried ? carried->states.size() : 0);
  if (program.begins) feeds.emplace_back(program.begins, Tensor::full({lane.rows()}, anew ? 1 : 0, dtype));
  for (std::size_t i = 0; i < program.states.size(); ++i) {
    const Var& in = program.states[i].in;
    feeds.emplace_back(in, anew ? Tensor::zeros(bind(in.dims(), {{"B", lane.rows()}}), dtype)
                                : carried->states[i].rows(lane.begin, lane.end));
  }
  settings.offsets = {carried ? carried->position : 0};
}

// Lanes that are computed hold their values; their gradients go into the sum while they are made, for they keep pace.
std::size_t peak_bytes(const Lowered& lowered, i64 batch, i64 context, DType dtype, int threads, std::size_t weights) {
  const auto lanes = dsl::lanes_of(batch, context, lowered.loops());
  i64 rows = 0;
  for (const Lane& lane : lanes) rows = std::max(rows, lane.rows());
  const std::size_t one =
      lowered.train_runs(1, lanes[0].rows() * context)[0]->peak_bytes({{"B", rows}, {"T", context}}, dtype);
  if (lanes.size() == 1) return one;
  if (threads == 0) threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const auto held = static_cast<std::size_t>(std::min<i64>(std::ssize(lanes), threads));
  const std::size_t layouts = shares_layouts(lanes[0], context) ? 2 * weights : 0;  // for both directions
  return weights + held * (one - weights) + weights + layouts;
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

StepCost Model::cost(i64 batch, i64 context, DType dtype, int threads) const {
  StepCost c;
  c.flops = lowered_->train_runs(1, context)[0]->flops({{"B", batch}, {"T", context}});
  c.weight_bytes = static_cast<std::size_t>(weight_count()) * byte_size(dtype);
  c.peak_bytes = peak_bytes(*lowered_, batch, context, dtype, threads, c.weight_bytes);
  c.folds = lowered_->folds();
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
  const auto lanes = lanes_of(*lowered_, batch);
  const auto& runs = lowered_->loss_runs(at_once(runtime, lanes.size()));
  std::vector<LossSum> sums(lanes.size());
  each_lane(runtime, lanes.size(), false, [&](std::size_t i, std::size_t place, const Runtime& on) {
    const Batch part = rows(batch, lanes[i]);
    const auto feeds = feeds_of(lowered_->evaluate(), weights, part.tokens, part.targets);
    RunSettings settings;
    settings.first_row = lanes[i].begin;
    const auto made = (*runs[place])(on, dtype_of(weights), feeds, settings);
    const auto targets = part.targets.values<i32>();
    const Tensor& scores = made[1];
    const i64 count = counted(part.targets);
    sums[i] = {
        scalar(made[0]) * static_cast<double>(count), count,
        scores.dtype() == DType::f64 ? hits(scores.values<double>(), targets) : hits(scores.values<float>(), targets)};
  });
  return added(sums);
}

LossSum Model::gradients(Runtime& runtime, const std::vector<Tensor>& weights, const Batch& batch, TrainingStep step,
                         std::vector<Tensor>& gradients, Observer* observer, Carried* carried) const {
  const Lowering& l = lowered_->train();
  const auto lanes = lanes_of(*lowered_, batch);
  const auto& runs = lowered_->train_runs(at_once(runtime, lanes.size()), lanes[0].rows() * batch.tokens.shape()[1]);
  const double all = static_cast<double>(std::max<i64>(1, counted(batch.targets)));
  std::vector<LossSum> sums(lanes.size());
  std::vector<std::vector<Tensor>> states(lanes.size());
  const auto gradient_count = static_cast<std::size_t>(
      std::count_if(l.gradients.begin(), l.gradients.end(), [](const Var& g) { return bool(g); }));
  LaneSums totals(runtime.isa(), gradient_count);
  const std::optional<Layouts> layouts = shared_layouts(weights, lanes, batch);
  each_lane(runtime, lanes.size(), observer != nullptr, [&](std::size_t i, std::size_t place, const Runtime& on) {
    const Batch part = rows(batch, lanes[i]);
    const double count = static_cast<double>(counted(part.targets));
    RunSettings settings;
    settings.key = step.key;
    settings.step = step.number;
    settings.precision = step.precision;
    settings.training = true;
    settings.layouts = layouts ? &*layouts : nullptr;
    settings.first_row = lanes[i].begin;
    if (observer) settings.intervention = observer->inside();
    if (observer && lanes.size() > 1) observer->begins(lanes[i].begin, lanes[i].rows());
    auto feeds = feeds_of(l, weights, part.tokens, part.targets);
    feeds.emplace_back(l.share, Tensor::full({}, count / all, dtype_of(weights)));
    if (carries()) feed_carried(l.program, carried, lanes[i], dtype_of(weights), feeds, settings);
    const Taker add = [&](std::size_t output, Tensor& made) {
      if (made && output >= 1 && output <= gradient_count) totals.add(output - 1, i, std::move(made));
    };
    auto results = (*runs[place])(on, dtype_of(weights), feeds, settings, observer, add);
    for (std::size_t o = 1; o <= gradient_count; ++o) add(o, results[o]);  // one that two weights share is left
    sums[i] = {scalar(results[0]) * count, counted(part.targets)};
    states[i].assign(std::make_move_iterator(results.end() - std::ssize(l.program.states)),
                     std::make_move_iterator(results.end()));
  });
  gradients.clear();
  std::vector<Tensor> made = totals.take();
  for (std::size_t i = 0, next = 0; i < l.gradients.size(); ++i) {
    if (l.gradients[i]) gradients.push_back(std::move(made[next++]));
    else gradients.push_back(Tensor::zeros(l.program.weights[i].weight.shape, dtype_of(weights)));
  }
  if (carries() && carried) {
    carried->states.clear();
    for (std::size_t s = 0; s < l.program.states.size(); ++s) {
      std::vector<Tensor> parts;
      for (const auto& of_lane : states) parts.push_back(of_lane[s]);
      carried->states.push_back(stacked(parts));
    }
    carried->position += batch.tokens.shape()[1];
  }
  return added(sums);
}

}  // namespace weft::dsl
