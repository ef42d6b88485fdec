// What the backward of a loop over time runs: the states after a step, and gradients of its inputs as far as someone
// wants them. Those of the states go from step to step. The others do not: where rows do not see each other, the steps
// of a chunk are the rows of one batch, and the gradient of a weight is one product for all of them.
#pragma once
#include <algorithm>
#include <optional>

#include "ops/shared/inner_graph.h"

namespace weft::ops {

/// Whether every value of a step is one a row, of this row alone, at whatever position; or the same for all rows. The
/// first `varying` inputs, states and entries of sequences, are one a row.
inline bool rows_apart(const Graph& step, std::size_t varying) {
  for (std::size_t i = 0; i < step.inputs.size(); ++i) {
    if (has_rows(step.inputs[i]) != (i < varying)) return false;
  }
  for (const Var& r : step.results) {
    if (!has_rows(r)) return false;
  }
  const auto rows = [&](i32 id) { return id >= 0 && has_rows(step.value(id).dims); };
  return std::all_of(step.nodes().begin(), step.nodes().end(), [&](const Node& n) {
    if (n.phase == Phase::backward) return true;
    const bool any = std::any_of(n.inputs.begin(), n.inputs.end(), rows);
    return !n.op->random && n.op->along_with(n.attributes) == Along::pointwise &&
           std::all_of(n.outputs.begin(), n.outputs.end(), [&](i32 id) { return id < 0 || rows(id) == any; });
  });
}

struct StepRuns {
  std::vector<std::size_t> alone{}, together{};  // inputs whose gradients are made a step, and a chunk, at a time
  Run states, of_step;
  std::optional<Run> of_chunk{};

  /// The first `count` inputs and results of `step` are states; `k` wants gradients of some of its inputs.
  template <class T> StepRuns(const Graph& step, std::size_t count, std::size_t varying, const Kernel<T>& k)
      : StepRuns(step, count, rows_apart(step, varying), [&](std::size_t i) { return k.wants(i); }) {}

 private:
  using Wants = std::function<bool(std::size_t)>;
  StepRuns(const Graph& step, std::size_t count, bool apart, const Wants& wants)
      : states(step, {step.results.begin(), step.results.begin() + static_cast<std::ptrdiff_t>(count)}, {.stay = true}),
        of_step(step, wanted(step, count, apart, false, wants, alone), {.stay = true}) {
    auto others = wanted(step, count, apart, true, wants, together);
    if (!others.empty()) of_chunk.emplace(step, std::move(others));
  }
  static std::vector<Var> wanted(const Graph& step, std::size_t count, bool apart, bool chunk, const Wants& wants,
                                 std::vector<std::size_t>& inputs) {
    std::vector<Var> all;
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      const bool state = i < count, mine = chunk == (apart && !state);
      if (!mine || !step.gradients[i] || !(wants(i) || state)) continue;
      inputs.push_back(i);
      all.push_back(step.gradients[i]);
    }
    return all;
  }
};

}  // namespace weft::ops
