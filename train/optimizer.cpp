#include "train/optimizer.h"

#include <array>
#include <cmath>
#include <limits>

#include "engine/loops.h"
#include "train/orthogonal.h"
#include "train/pieces.h"

namespace weft::train {
namespace {

// A number of a wild recipe beyond the range of f32 is infinite there, and the run is stopped for it; a plain cast
// would leave it undefined.
template <class T> T narrowed(double x) {
  constexpr T infinity = std::numeric_limits<T>::infinity();
  if (std::abs(x) > static_cast<double>(std::numeric_limits<T>::max())) return x > 0 ? infinity : -infinity;
  return static_cast<T>(x);
}

/// What the weights of one step share: the factors of gradients and learning rates, and the number of the step.
struct Common {
  Isa isa;
  double scale, factor, step;
};

/// One piece of one weight.
template <class T> struct Part {
  i64 begin, end;
  const T *gradient, *weight;
  std::array<T*, 2> memory;
  T* to;
};

// m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  w' = w (1 - lr wd) - lr m^ / (sqrt(v^) + eps)
// with m^ = m / (1 - b1^t) and v^ = v / (1 - b2^t).
template <class T> void update(const Common& u, const AdamWOptions& o, const Part<T>& p) {
  const double lr = o.lr * u.factor;
  const T scale = narrowed<T>(u.scale), b1 = static_cast<T>(o.beta1), b2 = static_cast<T>(o.beta2);
  const T c1 = static_cast<T>(1 - o.beta1), c2 = static_cast<T>(1 - o.beta2), eps = static_cast<T>(o.eps);
  const T rate = narrowed<T>(lr / (1 - std::pow(o.beta1, u.step)));
  const T second = narrowed<T>(1 / (1 - std::pow(o.beta2, u.step))), keep = narrowed<T>(1 - lr * o.weight_decay);
  const auto [begin, end, gradient, weight, memory, to] = p;
  T *m = memory[0], *v = memory[1];
  loop(u.isa, begin, end, [=](i64 i) {
    const T g = gradient[i] * scale;
    m[i] = b1 * m[i] + c1 * g;
    v[i] = b2 * v[i] + c2 * g * g;
    to[i] = weight[i] * keep - rate * m[i] / (std::sqrt(v[i] * second) + eps);
  });
}

// g' = g + wd w,  m = mu m + g',  w' = w - lr m; with Nesterov w' = w - lr (g' + mu m).
template <class T> void update(const Common& u, const SgdOptions& o, const Part<T>& p) {
  const T scale = narrowed<T>(u.scale), mu = static_cast<T>(o.momentum), decay = narrowed<T>(o.weight_decay);
  const T rate = narrowed<T>(o.lr * u.factor);
  const T of_g = o.nesterov ? T(1) : T(0), of_m = o.nesterov ? mu : T(1);
  const auto [begin, end, gradient, weight, memory, to] = p;
  T* m = memory[0];
  loop(u.isa, begin, end, [=](i64 i) {
    const T g = gradient[i] * scale + decay * weight[i];
    m[i] = mu * m[i] + g;
    to[i] = weight[i] - rate * (of_g * g + of_m * m[i]);
  });
}

// The elementwise part: m = mu m + (1 - mu) g, and in place of the new weight what is to be orthogonalised, m or with
// Nesterov mu m + (1 - mu) g.
template <class T> void update(const Common& u, const MuonOptions& o, const Part<T>& p) {
  const T scale = narrowed<T>(u.scale), mu = static_cast<T>(o.momentum), share = static_cast<T>(1 - o.momentum);
  const T of_g = o.nesterov ? share : T(0), of_m = o.nesterov ? mu : T(1);
  const auto [begin, end, gradient, weight, memory, to] = p;
  T* m = memory[0];
  loop(u.isa, begin, end, [=](i64 i) {
    const T g = gradient[i] * scale;
    m[i] = mu * m[i] + share * g;
    to[i] = of_m * m[i] + of_g * g;
  });
}

template <class T> void update(const Common&, const Fixed&, const Part<T>&) {}

bool moves(const Rule& rule) { return !std::holds_alternative<Fixed>(rule); }

// w' = w (1 - lr wd) - lr size O; O is the orthogonalised `direction`.
Tensor moved(const Runtime& runtime, const MuonOptions& o, double factor, const Tensor& weight,
             const Tensor& direction) {
  const auto rows = static_cast<double>(weight.shape()[0]), columns = static_cast<double>(weight.shape()[1]);
  const double size =
      o.match_rms_adamw ? 0.2 * std::sqrt(std::max(rows, columns)) : std::sqrt(std::max(1.0, rows / columns));
  const double lr = o.lr * factor;
  const Tensor orthogonal = orthogonalised(runtime, direction);
  Tensor next = Tensor::uninitialised(weight.shape(), weight.dtype(), runtime.pool());
  with_type(weight.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T rate = narrowed<T>(lr * size), keep = narrowed<T>(1 - lr * o.weight_decay);
    const T *w = weight.values<T>().data(), *x = orthogonal.values<T>().data();
    T* to = next.mutable_values<T>().data();
    runtime.parallel().ranges(weight.size(), kPiece, [&](i64 begin, i64 end) {
      loop(runtime.isa(), begin, end, [=](i64 i) { to[i] = w[i] * keep - rate * x[i]; });
    });
  });
  return next;
}

}  // namespace

std::string_view name(const Rule& rule) { return std::array{"adamw", "sgd", "muon", "fixed"}[rule.index()]; }

double learning_rate(const Rule& rule) {
  return std::visit([](const auto& o) { return o.lr; }, rule);
}

std::span<const std::string_view> kinds(const Rule& rule) {
  static constexpr std::string_view kAdamW[] = {"adamw.first", "adamw.second"}, kSgd[] = {"sgd.momentum"},
                                    kMuon[] = {"muon.momentum"};
  if (std::holds_alternative<AdamWOptions>(rule)) return kAdamW;
  if (std::holds_alternative<SgdOptions>(rule)) return kSgd;
  if (std::holds_alternative<MuonOptions>(rule)) return kMuon;
  return {};
}

Optimizer::Optimizer(std::vector<Rule> rules, const std::vector<Tensor>& weights) : rules_(std::move(rules)) {
  check(rules_.size() == weights.size(), "optimizer: {} rules for {} weights", rules_.size(), weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    first_.push_back(memory_.size());
    for (const std::string_view kind : kinds(rules_[i]))
      memory_.push_back({kind, i, Tensor::zeros(weights[i].shape(), weights[i].dtype())});
  }
}

void Optimizer::step(const Runtime& runtime, std::vector<Tensor>& weights, const std::vector<Tensor>& gradients,
                     double scale, double factor) {
  check(weights.size() == rules_.size(), "optimizer: {} weights for {} rules", weights.size(), rules_.size());
  check_alike(weights, gradients, "gradients");
  for (const Memory& m : memory_) check_alike({weights[m.weight]}, {m.value}, "the memory");
  const Common common{runtime.isa(), scale, factor, static_cast<double>(++steps_)};
  std::vector<Tensor> next;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Tensor& w = weights[i];
    next.push_back(moves(rules_[i]) ? Tensor::uninitialised(w.shape(), w.dtype(), runtime.pool()) : w);
  }
  const std::vector<Piece> pieces = pieces_of(weights, kPiece);
  runtime.parallel().ranges(static_cast<i64>(pieces.size()), 1, [&](i64 begin, i64 end) {
    for (i64 p = begin; p < end; ++p) {
      const auto [i, from, to] = pieces[static_cast<std::size_t>(p)];
      if (!moves(rules_[i])) continue;
      with_type(weights[i].dtype(), [&](auto zero) {
        using T = decltype(zero);
        Part<T> part{from,
                     to,
                     gradients[i].values<T>().data(),
                     weights[i].values<T>().data(),
                     {},
                     next[i].mutable_values<T>().data()};
        for (std::size_t k = 0; k < kinds(rules_[i]).size(); ++k)
          part.memory[k] = memory_[first_[i] + k].value.mutable_values<T>().data();
        std::visit([&](const auto& options) { update(common, options, part); }, rules_[i]);
      });
    }
  });
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (const auto* muon = std::get_if<MuonOptions>(&rules_[i]))
      next[i] = moved(runtime, *muon, factor, weights[i], next[i]);
  }
  weights = std::move(next);
}

void Optimizer::restore(i64 steps, std::vector<Memory> memory) {
  check(memory.size() == memory_.size(), "optimizer: {} tensors to go on from, not {}", memory.size(), memory_.size());
  for (std::size_t i = 0; i < memory.size(); ++i) {
    check(memory[i].kind == memory_[i].kind && memory[i].weight == memory_[i].weight,
          "optimizer: `{}` of weight {} where `{}` of weight {} belongs", memory[i].kind, memory[i].weight,
          memory_[i].kind, memory_[i].weight);
    check_alike({memory_[i].value}, {memory[i].value}, "the memory");
  }
  steps_ = steps;
  memory_ = std::move(memory);
}

}  // namespace weft::train
