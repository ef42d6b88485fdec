// A graph that is an attribute of an op, run on a batch of the op's own making: the nodes of a level, the positions of
// a sequence. What stands for one row of the op's batch is repeated for all that belong to that row.
#pragma once
#include <optional>

#include "engine/kernel.h"
#include "ops/shared/split_backward.h"

namespace weft::ops {

/// Entries of a table [slots, entry...] by slot; zeros for slot -1.
template <class T>
Tensor gathered(const Kernel<T>& k, const T* table, const Shape& entry, const std::vector<i64>& slots) {
  Shape shape = entry;
  shape.insert(shape.begin(), std::ssize(slots));
  Tensor made = k.scratch(std::move(shape));
  const i64 size = element_count(entry);
  T* to = made.template mutable_values<T>().data();
  k.ranges(std::ssize(slots), std::max<i64>(1, kGrain / std::max<i64>(1, size)), [&](i64 begin, i64 end) {
    for (i64 i = begin; i < end; ++i) {
      const i64 slot = slots[static_cast<std::size_t>(i)];
      if (slot < 0) std::fill_n(to + i * size, size, T(0));
      else std::copy_n(table + slot * size, size, to + i * size);
    }
  });
  return made;
}

/// table[slots[i]] += entries[i], in order: a slot may come twice, and slot -1 is nowhere.
template <class T> void add_entries(T* table, const Tensor& entries, const std::vector<i64>& slots) {
  if (slots.empty()) return;
  const T* from = entries.values<T>().data();
  const i64 size = entries.size() / std::ssize(slots);
  for (const i64 slot : slots) {
    for (i64 j = 0; slot >= 0 && j < size; ++j) table[slot * size + j] += from[j];
    from += size;
  }
}

/// The shape of one entry of a value [B, ...] of such a graph: its sizes without the batch.
inline Dims entry_dims(const Var& v) { return {v.dims().begin() + 1, v.dims().end()}; }

/// The rows of the op's batch: its first input has one number for each.
inline const Dim& batch_of(const InputDims& in) {
  in.require(in[0].size() == 1, fmt::format("its first input is one number a row, not {}", text(in[0])));
  return in[0][0];
}

/// Whether the constants of `graph`, its inputs from `own` on, are those of an op from `at` on.
inline void require_constants(const Graph& graph, std::size_t own, const InputDims& in, std::size_t at) {
  in.require(graph.inputs.size() + at == in.size() + own,
             fmt::format("its graph takes {} constants, not {}", graph.inputs.size() - own, in.size() - at));
  for (std::size_t i = own; i < graph.inputs.size(); ++i) {
    const Dims& given = in[i - own + at];
    Dims dims = graph.inputs[i].dims();
    if (has_rows(graph.inputs[i])) dims[0] = batch_of(in);
    in.require(same_size(dims, given), fmt::format("a constant must be {} (it is {})", text(dims), text(given)));
  }
}

/// Which row of the op's batch each entry belongs to, and its place (node, position): random ops count by both.
struct Entries {
  std::vector<i64> rows, places;
  Key key;
};

/// An entry for each row and place.
inline Dims placed(const Dim& rows, const Dim& places, const Dims& entry) {
  Dims dims = {rows, places};
  dims.insert(dims.end(), entry.begin(), entry.end());
  return dims;
}

/// Numbers that such a graph holds at most, run on `rows` entries: forward, or with all its gradients.
inline double inner_numbers(const Graph& graph, i64 rows, bool backward, Bindings sizes = {}) {
  sizes["B"] = rows;
  const Run run(graph, backward ? existing(graph.gradients) : graph.results);
  return static_cast<double>(run.peak_bytes(sizes, DType::f32)) / 4;
}

/// The runs of such a graph, which a kernel keeps from call to call.
struct InnerRuns {
  InnerRuns(const Graph& graph, bool keep)
      : kept(keep ? worth_keeping(graph) : std::vector<Var>()), forward(graph, joined(graph.results, kept)) {}
  std::vector<Var> kept;                     // values that the backward is given
  Run forward;                               // results, then what is kept
  std::optional<Run> backward{}, in_end{};   // of a call, of all calls together
  std::vector<std::size_t> flows{}, sums{};  // the inputs whose gradients they compute
  std::vector<Var> cut{};                    // what calls leave for the end
};

template <class T> class InnerGraph {
 public:
  /// The first `own` inputs of `graph` are given with every call; the others are inputs of the op, from `at` on. The
  /// forward also gives the values `kept()`, which the backward takes; none unless `keep`.
  InnerGraph(Kernel<T>& k, const Graph& graph, std::size_t own, std::size_t at, bool keep = false)
      : k_(k),
        graph_(graph),
        own_(own),
        at_(at),
        runs_(*k.once([&] { return std::make_unique<InnerRuns>(graph, keep); })) {}
  const std::vector<Var>& kept() const { return runs_.kept; }

  std::vector<Tensor> forward(const std::vector<Tensor>& own, const Entries& entries) {
    return run(runs_.forward, feeds(own, entries), entries);
  }

  /// Gradients of the inputs given with the call, empty where none flows. Those of the constants are added to the op's,
  /// if not `finish` does it: with `together`, where the calls of this backward are rows that do not see each other.
  std::vector<Tensor> backward(const std::vector<Tensor>& own, const std::vector<Tensor>& cotangents,
                               const Entries& entries, const std::vector<Tensor>& kept = {}, bool together = false) {
    if (!runs_.backward) start_backward(together);
    Run::Feeds all = feeds(own, entries);
    for (std::size_t r = 0; r < cotangents.size(); ++r) all.emplace_back(graph_.cotangents[r], cotangents[r]);
    for (std::size_t i = 0; i < kept.size(); ++i) all.emplace_back(runs_.kept[i], kept[i]);
    auto made = run(*runs_.backward, all, entries);
    std::vector<Tensor> gradients(own_);
    for (std::size_t f = 0; f < runs_.flows.size(); ++f) {
      const std::size_t i = runs_.flows[f];
      if (i < own_) gradients[i] = made[f];
      else if (has_rows(graph_.inputs[i])) add_entries(k_.gradient(i - own_ + at_).data(), made[f], entries.rows);
      else add_entries(k_.gradient(i - own_ + at_).data(), made[f], {0});
    }
    made.erase(made.begin(), made.begin() + std::ssize(runs_.flows));
    if (!made.empty()) left_.push_back(std::move(made));
    return gradients;
  }

  /// Adds the gradients of constants that calls left for the end.
  void finish() {
    if (left_.empty()) return;
    Run::Feeds all = constants({});
    for (std::size_t i = 0; i < runs_.cut.size(); ++i) all.emplace_back(runs_.cut[i], of_all_calls(i));
    left_.clear();
    const auto made = run(*runs_.in_end, all, {});
    for (std::size_t f = 0; f < made.size(); ++f)
      add_entries(k_.gradient(runs_.sums[f] - own_ + at_).data(), made[f], {0});
  }

  /// Called once in a backward, before anything is added.
  void clear_constants() {
    for (std::size_t i = at_; i < k_.input_count(); ++i) {
      const auto gradient = k_.gradient(i);
      std::fill(gradient.begin(), gradient.end(), T(0));
    }
  }

 private:
  void start_backward(bool together) {
    check(graph_.gradients.size() == graph_.inputs.size(), "{}: its graph was not differentiated", k_.call().op.name);
    std::vector<Var> flowing, sums;
    for (std::size_t i = 0; i < graph_.inputs.size(); ++i) {
      if (!graph_.gradients[i] || !(i < own_ || k_.wants(i - own_ + at_))) continue;
      (i < own_ ? runs_.flows : runs_.sums).push_back(i);
      (i < own_ ? flowing : sums).push_back(graph_.gradients[i]);
    }
    const std::vector<Var> others(graph_.inputs.begin() + static_cast<std::ptrdiff_t>(own_), graph_.inputs.end());
    const auto cut = together ? rows_behind(graph_, sums, others) : std::nullopt;
    if (cut && !sums.empty()) {
      runs_.cut = *cut;
      runs_.in_end.emplace(graph_, std::move(sums), RunMemory{}, runs_.cut);
      flowing.insert(flowing.end(), runs_.cut.begin(), runs_.cut.end());
    } else {
      runs_.flows.insert(runs_.flows.end(), runs_.sums.begin(), runs_.sums.end());
      flowing.insert(flowing.end(), sums.begin(), sums.end());
    }
    runs_.backward.emplace(graph_, std::move(flowing), RunMemory{}, runs_.kept);
  }
  // Value `i` of those that calls left, as one batch.
  Tensor of_all_calls(std::size_t i) {
    Shape shape = left_[0][i].shape();
    shape[0] = 0;
    for (const auto& call : left_) shape[0] += call[i].shape()[0];
    Tensor all = k_.scratch(std::move(shape));
    T* to = all.template mutable_values<T>().data();
    for (auto& call : left_) {
      to = std::copy_n(call[i].template values<T>().data(), call[i].size(), to);
      call[i] = Tensor();
    }
    return all;
  }
  std::vector<Tensor> run(Run& run, const Run::Feeds& feeds, const Entries& entries) const {
    return run(k_.runtime(), dtype_of<T>(), feeds, settings(entries));
  }
  Run::Feeds feeds(const std::vector<Tensor>& own, const Entries& entries) const {
    Run::Feeds all = constants(entries);
    for (std::size_t i = 0; i < own_; ++i) all.emplace_back(graph_.inputs[i], own[i]);
    return all;
  }
  Run::Feeds constants(const Entries& entries) const {
    Run::Feeds all;
    for (std::size_t i = own_; i < graph_.inputs.size(); ++i) {
      const Tensor& given = *k_.call().inputs[i - own_ + at_];
      const Shape& shape = given.shape();
      all.emplace_back(graph_.inputs[i], !has_rows(graph_.inputs[i])
                                             ? given
                                             : gathered(k_, given.values<T>().data(),
                                                        Shape(shape.begin() + 1, shape.end()), entries.rows));
    }
    return all;
  }
  RunSettings settings(const Entries& entries) const {
    RunSettings s = k_.settings();
    s.key = entries.key;
    s.offsets = entries.places;
    s.rows.clear();
    for (const i64 r : entries.rows) {
      s.rows.push_back(k_.settings().rows.empty() ? k_.settings().first_row + r
                                                  : k_.settings().rows[static_cast<std::size_t>(r)]);
    }
    return s;
  }

  Kernel<T>& k_;
  const Graph& graph_;
  std::size_t own_, at_;
  InnerRuns& runs_;
  std::vector<std::vector<Tensor>> left_{};  // by call: values of `runs_.cut`
};

}  // namespace weft::ops
