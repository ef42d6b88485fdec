// How weights follow gradients: AdamW, SGD with momentum and Muon, each weight by a rule of its own.
//
// Everything is bitwise the same for any number of threads: elements do not depend on each other, and the products of
// Muon are made of tiles that follow from shapes alone.
#pragma once
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/runtime.h"
#include "engine/tensor.h"

namespace weft::train {

/// Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, with bias correction.
struct AdamWOptions {
  double lr = 3e-3;
  double beta1 = 0.9, beta2 = 0.99;
  double eps = 1e-8;
  double weight_decay = 0.1;
};

/// Momentum without dampening: m = mu m + g, w -= lr m. Weight decay is part of the gradient, g + wd w.
struct SgdOptions {
  double lr = 0.1;
  double momentum = 0.9;
  bool nesterov = false;  // steps along g + mu m
  double weight_decay = 0;
};

/// Jordan et al. 2024, for matrices: a step along the orthogonalised momentum.
struct MuonOptions {
  double lr = 0.02;
  double momentum = 0.95;
  bool nesterov = true;
  double weight_decay = 0.01;
  bool match_rms_adamw = false;  // steps as large as AdamW's (Liu et al. 2025), so that its learning rates serve
};

/// Of a weight that is not trained, a buffer or a frozen one: it stays, and nothing is remembered of it.
struct Fixed {
  double lr = 0, weight_decay = 0;  // as all rules have them
};

/// The rule of one weight.
using Rule = std::variant<AdamWOptions, SgdOptions, MuonOptions, Fixed>;
/// "adamw", "sgd" or "muon", the key in a description, or "fixed".
std::string_view name(const Rule& rule);
double learning_rate(const Rule& rule);
/// What the rule remembers of a weight, in tensors like it: "adamw.first", "adamw.second", "sgd.momentum", ...
std::span<const std::string_view> kinds(const Rule& rule);

/// One tensor that an optimizer remembers.
struct Memory {
  std::string_view kind;
  std::size_t weight = 0;
  Tensor value;
};

class Optimizer {
 public:
  /// A rule for each of `weights`; everything remembered is zero.
  Optimizer(std::vector<Rule> rules, const std::vector<Tensor>& weights);
  /// One update with the gradients times `scale` (clipping) and learning rates times `factor` (schedule). Weights are
  /// replaced, not overwritten: a tensor that someone else holds keeps its values.
  void step(const Runtime& runtime, std::vector<Tensor>& weights, const std::vector<Tensor>& gradients, double scale,
            double factor);

  i64 steps() const { return steps_; }
  /// By weight, and for each in the order of its kinds.
  const std::vector<Memory>& memory() const { return memory_; }
  /// Goes on from a checkpoint; the tensors must not be shared.
  void restore(i64 steps, std::vector<Memory> memory);

 private:
  std::vector<Rule> rules_;
  std::vector<Memory> memory_;
  std::vector<std::size_t> first_;  // of a weight, its place in memory_
  i64 steps_ = 0;
};

}  // namespace weft::train
