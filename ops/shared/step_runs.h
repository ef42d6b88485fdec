// What the backward of a loop over time runs: the states after a step, with what its backward would compute again; the
// gradients that go from step to step; and those of constants, once for the steps of a chunk, where rows do not see
// each other.
#pragma once
#include "ops/shared/inner_graph.h"

namespace weft::ops {

struct StepRuns {
  std::vector<Var> kept;                                 // values of a step that its backward is given
  std::vector<Var> cut{};                                // those that gradients of constants are made of
  std::vector<std::size_t> of_inputs{}, of_constants{};  // whose gradients are made a step, and a chunk, at a time
  Run forward, backward;                                 // states, then `kept`; gradients, then `cut`
  std::optional<Run> of_chunk{};

  /// The first `count` inputs and results of `step` are states, the first `varying` inputs one a row; `k` wants
  /// gradients of some of its inputs.
  template <class T> StepRuns(const Graph& step, std::size_t count, std::size_t varying, const Kernel<T>& k)
      : StepRuns(step, count, varying, [&](std::size_t i) { return k.wants(i); }) {}

 private:
  using Wants = std::function<bool(std::size_t)>;
  StepRuns(const Graph& step, std::size_t count, std::size_t varying, const Wants& wants)
      : kept(worth_keeping(step)),
        forward(step, joined({step.results.begin(), step.results.begin() + static_cast<std::ptrdiff_t>(count)}, kept),
                {.stay = true}),
        backward(step, gradients(step, count, varying, wants), {.stay = true}, kept) {
    if (!of_constants.empty()) of_chunk.emplace(step, of(step, of_constants), RunMemory{}, cut);
  }
  // Of each step: those of states, sequences, and constants that a chunk cannot make at once.
  std::vector<Var> gradients(const Graph& step, std::size_t count, std::size_t varying, const Wants& wants) {
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      if (step.gradients[i] && (wants(i) || i < count)) (i < varying ? of_inputs : of_constants).push_back(i);
    }
    const std::vector<Var> constants(step.inputs.begin() + static_cast<std::ptrdiff_t>(varying), step.inputs.end());
    const auto behind = rows_apart(step, varying) ? rows_behind(step, of(step, of_constants), constants) : std::nullopt;
    if (behind) {
      cut = *behind;
    } else {
      of_inputs.insert(of_inputs.end(), of_constants.begin(), of_constants.end());
      of_constants.clear();
    }
    return joined(of(step, of_inputs), cut);
  }
  static std::vector<Var> of(const Graph& step, const std::vector<std::size_t>& inputs) {
    std::vector<Var> all;
    for (const std::size_t i : inputs) all.push_back(step.gradients[i]);
    return all;
  }
};

}  // namespace weft::ops
