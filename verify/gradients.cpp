// Gradients of weights, inputs and initial states against differences.
#include <fmt/format.h>

#include <cmath>

#include "verify/property.h"

namespace weft::verify {
namespace {

// Differences see a function without the jumps that its gradient does not know: what has no gradient keeps the value of
// the base point, and a hard choice moves with the soft one that stands for it in the gradient.
class Held {
 public:
  // Nodes come in the same order in every run, also inside the steps of a scan.
  Intervention record() {
    return [this](const Node& node, std::vector<Tensor>& made) {
      if (held(node) || node.op->straight_through) base_.push_back(made);
    };
  }
  Intervention replay() {
    next_ = 0;
    return [this](const Node& node, std::vector<Tensor>& made) {
      const bool still = held(node);
      if (!still && !node.op->straight_through) return;
      const std::vector<Tensor>& base = base_.at(next_++);
      if (still) made = base;
      else made[0] = moved(base[0], base[1], made[1]);
    };
  }

 private:
  static bool held(const Node& node) {
    bool any = false;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const Input& in = node.op->inputs[std::min(i, node.op->inputs.size() - 1)];
      if (node.inputs[i] < 0 || in.is(Input::index)) continue;
      if (!in.is(Input::fixed)) return false;
      any = true;
    }
    return any;
  }
  static Tensor moved(const Tensor& choice, const Tensor& soft, const Tensor& now) {
    std::vector<double> values(static_cast<std::size_t>(choice.size()));
    for (i64 i = 0; i < choice.size(); ++i) values[static_cast<std::size_t>(i)] = choice.at(i) + now.at(i) - soft.at(i);
    return Tensor::from(values, choice.shape(), choice.dtype());
  }

  std::vector<std::vector<Tensor>> base_;
  std::size_t next_ = 0;
};

// One tensor of the point at which gradients are taken.
struct Coordinate {
  std::string name;
  bool weight = false;
  std::size_t index = 0;  // of a weight
};

class Differences {
 public:
  Differences(const Subject& s, i64 length, bool training)
      : s_(s),
        weights_(s.weights()),
        inputs_(s.inputs(kGradient, Subject::kRows, length)),
        serial_({.products = "auto", .parallel = "serial", .threads = 1}) {
    settings_.training = training;
    settings_.key = Key{3};
    gradients_ = s.run(kGradient, serial_, DType::f64, weights_, inputs_, settings_);
    const Intervention record = held_.record();
    value(record);
    for (const auto& [name, g] : gradients_) {
      if (name.starts_with("grad.")) largest_ = std::max(largest_, norm(g));
    }
  }

  std::vector<Coordinate> coordinates() const {
    std::vector<Coordinate> all;
    const auto& slots = s_.function(kGradient).slots();
    for (std::size_t i = 0; i < slots.size(); ++i) {
      if (slots[i].weight.trained) all.push_back({slots[i].weight.name, true, i});
    }
    for (const auto& [name, t] : inputs_) {
      const bool real = t.dtype() != DType::i32 && gradients_.contains("grad." + name);
      if (real && !counts(name)) all.push_back({name});
    }
    return all;
  }

  // Whether it is a whole number, which has no gradient.
  bool counts(const std::string& name) const {
    const auto& ports = s_.function(kGradient).ports();
    return std::any_of(ports.begin(), ports.end(), [&](const dsl::Port& p) { return p.name == name && p.counts; });
  }

  // Along a direction of random signs a wrong element cannot hide. Steps over a kink show in two differences that do
  // not agree: then smaller steps and another direction.
  std::optional<Difference> along(const Coordinate& c) {
    for (u64 attempt = 0; attempt < 4; ++attempt) {
      const Tensor& x = c.weight ? weights_[c.index] : inputs_.at(c.name);
      std::vector<double> signs(static_cast<std::size_t>(x.size()));
      for (std::size_t i = 0; i < signs.size(); ++i) signs[i] = bits(Key{attempt}.fold(c.name), i) % 2 ? 1.0 : -1.0;
      if (const auto d = probe(c, signs)) return d;
    }
    return {};
  }
  // The element that is worst among the largest and some others, for people.
  std::string element(const Coordinate& c) {
    const Tensor& g = gradients_.at("grad." + c.name);
    const i64 stride = std::max<i64>(1, g.size() / 24);
    Difference worst;
    i64 at = -1;
    for (i64 i = 0; i < g.size(); i += stride) {
      std::vector<double> one(static_cast<std::size_t>(g.size()));
      one[static_cast<std::size_t>(i)] = 1;
      const auto d = probe(c, one);
      if (d && d->error > worst.error) worst = *d, at = i;
    }
    return at < 0 ? "" : fmt::format(", element {}: {}", at, worst.where);
  }

 private:
  static double norm(const Tensor& t) {
    double sum = 0;
    for (i64 i = 0; i < t.size(); ++i) sum += t.at(i) * t.at(i);
    return std::sqrt(sum);
  }

  std::optional<Difference> probe(const Coordinate& c, const std::vector<double>& direction) {
    const Tensor& g = gradients_.at("grad." + c.name);
    double slope = 0;
    for (std::size_t i = 0; i < direction.size(); ++i) slope += direction[i] * g.at(static_cast<i64>(i));
    const double size = std::max({std::abs(slope), norm(g), 1e-3 * largest_, 1e-12});
    double best = HUGE_VAL, difference = 0;
    for (const double h : {1e-3, 1e-4, 1e-5}) {
      const double whole = central(c, direction, h), half = central(c, direction, h / 2);
      const double doubt = std::abs(whole - half) / size;
      if (doubt < best) best = doubt, difference = (4 * half - whole) / 3;
    }
    // With the error of a central difference h^2 f''' / 6 what is left after Richardson is far below its square root.
    if (!(best < 1e-4)) return {};
    return Difference{std::abs(slope - difference) / size,
                      fmt::format("gradient {:.8g}, difference {:.8g}", slope, difference)};
  }

  double central(const Coordinate& c, const std::vector<double>& direction, double h) {
    return (shifted(c, direction, h) - shifted(c, direction, -h)) / (2 * h);
  }
  double shifted(const Coordinate& c, const std::vector<double>& direction, double h) {
    Tensor& x = c.weight ? weights_[c.index] : inputs_.at(c.name);
    const Tensor base = x;
    std::vector<double> values(direction.size());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = base.at(static_cast<i64>(i)) + h * direction[i];
    x = Tensor::from(values, base.shape(), DType::f64);
    const Intervention replay = held_.replay();
    const double y = value(replay);
    x = base;
    return y;
  }

  // sum_i <result_i, cotangent_i>
  double value(const Intervention& intervention) {
    RunSettings settings = settings_;
    settings.intervention = &intervention;
    const auto results = s_.run(kValue, serial_, DType::f64, weights_, inputs_, settings);
    double sum = 0;
    for (const auto& [name, t] : results) {
      const auto c = inputs_.find(name.starts_with("final.") ? "cotangent." + name : "cotangent");
      if (c == inputs_.end()) continue;
      for (i64 i = 0; i < t.size(); ++i) sum += t.at(i) * c->second.at(i);
    }
    return sum;
  }

  static inline const How kGradient{.form = "loop", .gradients = true}, kValue{.form = "loop"};
  const Subject& s_;
  std::vector<Tensor> weights_;
  Tensors inputs_;
  Runtime serial_;
  RunSettings settings_;
  Held held_;
  Subject::Results gradients_;
  double largest_ = 0;
};

}  // namespace

Finding prove_gradients(const Subject& s, const std::vector<i64>& lengths) {
  Worst worst(kGradients);
  int kinks = 0, tensors = 0;
  for (const i64 n : lengths) {
    for (const bool training : draws(s) ? std::vector{true, false} : std::vector{false}) {
      Differences differences(s, n, training);
      for (const Coordinate& c : differences.coordinates()) {
        const auto d = differences.along(c);
        tensors += !training;
        if (!d) {
          ++kinks;
          continue;
        }
        std::string where = fmt::format("{}: {} (T = {}{})", c.name, d->where, n, training ? ", training" : "");
        if (!(d->error <= kGradients)) where += differences.element(c);
        worst.add(d->error, n, where);
      }
    }
  }
  std::string about = fmt::format("{} weights, inputs and initial states", tensors);
  if (kinks) about += fmt::format("; {} left out at kinks", kinks);
  return worst.finding(about);
}

}  // namespace weft::verify
