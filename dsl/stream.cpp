// The streams behind a model, and what they keep as tensors by name.
#include <algorithm>
#include <chrono>
#include <cstring>

#include "dsl/faster.h"
#include "dsl/lower.h"
#include "dsl/model.h"
#include "engine/layouts.h"

namespace weft::dsl {
namespace {

// [B, T, V] -> [B, V], the last position.
Tensor last_position(const Tensor& logits) {
  const i64 B = logits.shape()[0], T = logits.shape()[1], V = logits.shape()[2];
  if (T == 1) return logits.reshaped({B, V});
  Tensor last = Tensor::zeros({B, V}, logits.dtype());
  const std::size_t bytes = last.bytes() / static_cast<std::size_t>(std::max<i64>(1, B));
  for (i64 b = 0; b < B && bytes > 0; ++b) {
    std::memcpy(last.mutable_raw() + static_cast<std::size_t>(b) * bytes,
                logits.raw() + static_cast<std::size_t>(b * T + T - 1) * bytes, bytes);
  }
  return last;
}

void check_tokens(const Tensor& tokens, const std::vector<i64>& positions) {
  check(tokens.dtype() == DType::i32 && tokens.shape().size() == 2 && tokens.shape()[1] > 0,
        "a stream takes tokens [B, n] with n of at least 1, not {}", text(tokens.shape()));
  check(positions.empty() || std::ssize(positions) == tokens.shape()[0], "a stream of {} rows cannot take {}",
        positions.size(), tokens.shape()[0]);
}

void advance(std::vector<i64>& positions, const Tensor& tokens) {
  positions.resize(static_cast<std::size_t>(tokens.shape()[0]));
  for (i64& p : positions) p += tokens.shape()[1];
}

bool same(const std::vector<i64>& positions) {
  return std::adjacent_find(positions.begin(), positions.end(), std::not_equal_to<>()) == positions.end();
}

// What grows with the position has it in front, and rows behind it.
bool rows_follow(const StreamState& s) { return !is_batch(s.in.dims()[0]); }

// [m, n, ...] -> [n, m, ...]
Tensor swapped(const Tensor& t) {
  Shape shape = t.shape();
  const i64 m = shape[0], n = shape[1];
  std::swap(shape[0], shape[1]);
  if (m <= 1 || n <= 1) return t.reshaped(std::move(shape));
  Tensor other = Tensor::zeros(std::move(shape), t.dtype());
  const auto bytes = static_cast<i64>(t.bytes()) / (m * n);
  std::byte* to = other.mutable_raw();
  for (i64 i = 0; i < m; ++i) {
    for (i64 j = 0; j < n; ++j) std::copy_n(t.raw() + (i * n + j) * bytes, bytes, to + (j * m + i) * bytes);
  }
  return other;
}

bool grows(const StreamState& s) {
  const Dims& dims = s.in.dims();
  return std::any_of(dims.begin(), dims.end(), [](const Dim& d) { return !d.known() && !is_batch(d); });
}

// A value of positions that has no row of its own, as `position()`, is one for all rows.
bool shares_positions(const Graph& graph) {
  const auto& nodes = graph.nodes();
  return std::any_of(nodes.begin(), nodes.end(), [](const Node& n) {
    return n.op->along_with(n.attributes) == Along::streams && n.place.time_axis >= 0 && n.place.row_axis < 0;
  });
}

template <class... Args> [[noreturn]] void misfit(fmt::format_string<Args...> message, Args&&... args) {
  throw Error("the state does not fit the model: " + fmt::format(message, std::forward<Args>(args)...), Failure::data);
}

// The tensors of `kept` in the order of the slots, which they must fit.
std::vector<Tensor> fitted(const Kept& kept, const std::vector<StreamState>& slots, const Graph& graph, DType dtype) {
  if (kept.states.size() != slots.size()) misfit("it has {} tensors, the model {}", kept.states.size(), slots.size());
  std::vector<Tensor> states;
  for (const StreamState& slot : slots) {
    const std::string& name = graph.value(slot.in.id()).name;
    const auto found = kept.states.find(name);
    if (found == kept.states.end()) misfit("it has no `{}`", name);
    const Tensor& t = found->second;
    Dims dims = slot.in.dims();
    if (rows_follow(slot)) std::swap(dims[0], dims[1]);
    bool fits = t.dtype() == dtype && t.shape().size() == dims.size();
    for (std::size_t d = 0; fits && d < dims.size(); ++d) {
      const i64 n = t.shape()[d];
      fits = dims[d].known() ? same_size(dims[d], Dim(n)) : !is_batch(dims[d]) || n == kept.rows();
    }
    if (!fits)
      misfit("`{}` is {} {}, the model keeps {} {}", name, weft::name(t.dtype()), text(t.shape()), weft::name(dtype),
             text(dims));
    states.push_back(rows_follow(slot) ? swapped(t) : t);
  }
  return states;
}

// All that is kept are the states, beside the weights and their layouts.
class StateStream final : public Stream {
 public:
  StateStream(std::shared_ptr<const Lowered> lowered, Runtime& runtime, const std::vector<Tensor>& weights)
      : lowered_(std::move(lowered)),
        runtime_(runtime),
        dtype_(dtype_of(weights)),
        layouts_(weights),
        feeds_(feeds_of(lowered_->stream(), weights, {})),
        fixed_(std::ssize(feeds_)) {}

  Tensor feed(const Tensor& tokens) override {
    check_tokens(tokens, positions_);
    feeds_.erase(feeds_.begin() + fixed_, feeds_.end());
    feeds_.front().second = tokens;
    if (positions_.empty()) start(tokens.shape()[0]);
    for (std::size_t i = 0; i < slots().size(); ++i) feeds_.emplace_back(slots()[i].in, states_[i]);
    RunSettings settings;
    settings.offsets = positions_.empty() ? std::vector<i64>{0} : positions_;
    settings.layouts = &layouts_;
    if (same(settings.offsets)) settings.offsets.resize(1);
    auto results = tokens.shape()[1] == 1 ? step(settings) : lowered_->stream_run()(runtime_, dtype_, feeds_, settings);
    for (std::size_t i = 0; i < states_.size(); ++i) states_[i] = std::move(results[i + 1]);
    advance(positions_, tokens);
    return last_position(results[0]);
  }
  i64 position() const override { return positions_.empty() ? 0 : positions_[0]; }
  Kept kept() const override {
    Kept kept{{}, positions_};
    for (std::size_t i = 0; i < states_.size(); ++i) {
      const StreamState& slot = slots()[i];
      kept.states[graph().value(slot.in.id()).name] = rows_follow(slot) ? swapped(states_[i]) : states_[i];
    }
    return kept;
  }
  void go_on(const Kept& kept) override {
    states_ = kept.rows() == 0 ? std::vector<Tensor>() : fitted(kept, slots(), graph(), dtype_);
    positions_ = kept.positions;
  }
  bool rows_apart() const override {
    return std::none_of(slots().begin(), slots().end(), grows) && !shares_positions(graph());
  }
  std::size_t state_bytes() const override {
    std::size_t bytes = 0;
    for (const Tensor& s : states_) bytes += s.bytes();
    return bytes;
  }
  bool constant_work() const override { return true; }

 private:
  // A single token: by all threads, or by this one alone where that is faster.
  std::vector<Tensor> step(const RunSettings& settings) {
    if (ways_.empty()) ways_ = {runtime_.awake(), runtime_.alone()};
    using Clock = std::chrono::steady_clock;
    const auto begun = Clock::now();
    auto results = lowered_->stream_run()(ways_[static_cast<std::size_t>(faster_.way())], dtype_, feeds_, settings);
    faster_.took(std::chrono::duration<double>(Clock::now() - begun).count());
    return results;
  }
  const std::vector<StreamState>& slots() const { return lowered_->stream().program.states; }
  const Graph& graph() const { return lowered_->stream().program.graph; }
  void start(i64 rows) {
    const auto started = lowered_->start_run()(runtime_, dtype_, feeds_);
    std::size_t next = 0;
    for (const StreamState& s : slots()) {
      states_.push_back(s.start ? started[next++] : Tensor::zeros(bind(s.in.dims(), {{"B", rows}, {"P", 0}}), dtype_));
    }
  }

  std::shared_ptr<const Lowered> lowered_;
  Runtime& runtime_;
  std::vector<Runtime> ways_;  // for single tokens
  Faster faster_;
  DType dtype_;
  Layouts layouts_;
  Run::Feeds feeds_;      // tokens, weights, states
  std::ptrdiff_t fixed_;  // of these, those that are there before a start
  std::vector<Tensor> states_;
  std::vector<i64> positions_;
};

// Without a streaming form the whole prefix is computed again for every token.
class PrefixStream final : public Stream {
 public:
  PrefixStream(std::shared_ptr<const Lowered> lowered, Runtime& runtime, std::vector<Tensor> weights)
      : lowered_(std::move(lowered)), runtime_(runtime), weights_(std::move(weights)) {}

  Tensor feed(const Tensor& tokens) override {
    check_tokens(tokens, positions_);
    prefix_ = joined(prefix_, tokens);
    advance(positions_, tokens);
    const auto feeds = feeds_of(lowered_->evaluate(), weights_, prefix_);
    return last_position(lowered_->logits_run()(runtime_, dtype_of(weights_), feeds)[0]);
  }
  i64 position() const override { return prefix_ ? prefix_.shape()[1] : 0; }
  Kept kept() const override {
    Kept kept{{}, positions_};
    if (prefix_) kept.states[kPrefix] = prefix_;
    return kept;
  }
  void go_on(const Kept& kept) override {
    positions_ = kept.positions, prefix_ = {};
    if (kept.rows() == 0) return;
    const auto found = kept.states.find(kPrefix);
    if (found == kept.states.end() || kept.states.size() > 1)
      misfit("it is of a model that streams, and this one computes the whole prefix for every token");
    const Tensor& prefix = found->second;
    if (prefix.dtype() != DType::i32 || prefix.shape().size() != 2 || prefix.shape()[0] != kept.rows())
      misfit("`{}` is {}, tokens of {} rows are wanted", kPrefix, text(prefix.shape()), kept.rows());
    prefix_ = prefix;
  }
  bool rows_apart() const override { return false; }
  std::size_t state_bytes() const override { return prefix_ ? prefix_.bytes() : 0; }
  bool constant_work() const override { return false; }

 private:
  static constexpr const char* kPrefix = "prefix";
  static Tensor joined(const Tensor& before, const Tensor& tokens) {
    if (!before) return tokens;
    const i64 B = tokens.shape()[0], n = before.shape()[1], m = tokens.shape()[1];
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
  std::vector<i64> positions_;
};

}  // namespace

// Rows are the first dimension: their bytes lie one behind the other.
Tensor stacked(const std::vector<Tensor>& parts) {
  Shape shape = parts.front().shape();
  shape[0] = 0;
  for (const Tensor& t : parts) {
    const bool alike = t.dtype() == parts[0].dtype() &&
                       std::equal(t.shape().begin() + 1, t.shape().end(), shape.begin() + 1, shape.end());
    check(alike, "states of {} and {} have no rows in common", text(parts[0].shape()), text(t.shape()));
    shape[0] += t.shape()[0];
  }
  Tensor all = Tensor::zeros(shape, parts[0].dtype());
  std::byte* to = all.mutable_raw();
  for (const Tensor& t : parts) {
    if (t.bytes() > 0) std::memcpy(to, t.raw(), t.bytes());
    to += t.bytes();
  }
  return all;
}

Kept joined(std::span<const Kept> parts) {
  check(!parts.empty(), "joined: no rows");
  Kept all;
  for (const Kept& part : parts)
    all.positions.insert(all.positions.end(), part.positions.begin(), part.positions.end());
  for (const auto& [name, first] : parts[0].states) {
    std::vector<Tensor> tensors;
    for (const Kept& part : parts) tensors.push_back(part.states.at(name));
    all.states[name] = stacked(tensors);
  }
  return all;
}

Kept row(const Kept& kept, i64 row) {
  check(row >= 0 && row < kept.rows(), "row {} of {}", row, kept.rows());
  Kept one{{}, {kept.positions[static_cast<std::size_t>(row)]}};
  for (const auto& [name, t] : kept.states) {
    Shape shape = t.shape();
    shape[0] = 1;
    one.states[name] = t.entry(row).reshaped(shape);
  }
  return one;
}

std::unique_ptr<Stream> Model::stream(Runtime& runtime, std::vector<Tensor> weights) const {
  if (!streams()) return std::make_unique<PrefixStream>(lowered_, runtime, std::move(weights));
  return std::make_unique<StateStream>(lowered_, runtime, weights);
}

}  // namespace weft::dsl
