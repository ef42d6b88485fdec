// What the machine must not change: threads, precision, and what was predicted of a run.
#include <fmt/format.h>

#include "engine/observer.h"
#include "verify/property.h"

namespace weft::verify {

Finding prove_threads(const Subject& s, const std::vector<i64>& lengths) {
  const How how{.form = "auto", .gradients = true};
  Worst worst(0);
  RunSettings settings;
  settings.training = true;
  settings.key = Key{5};
  for (const i64 n : lengths) {
    const Tensors inputs = s.inputs(how, 3, n);
    Subject::Results wanted;
    for (const int threads : {1, 2, 3}) {
      RuntimeOptions options = s.claim().runtime;
      options.threads = threads;
      const Subject::Results found = s.run(how, Runtime(options), DType::f32, s.weights(), inputs, settings);
      if (threads == 1) wanted = found;
      for (const auto& [name, t] : wanted) {
        const Difference d = same_bits(t, found.at(name)) ? Difference{} : difference(name, t, found.at(name));
        worst.add(d.error, n, d.where.empty() ? "" : fmt::format("{} ({} threads, T = {})", d.where, threads, n));
      }
    }
  }
  return worst.finding("1, 2 and 3 threads give the same bits, gradients too");
}

namespace {

/// Every weight changed by the rounding of f32, up or down.
std::vector<Tensor> nudged(const std::vector<Tensor>& weights) {
  std::vector<Tensor> moved;
  for (std::size_t w = 0; w < weights.size(); ++w) {
    moved.push_back(weights[w].copy());
    const std::span<double> values = moved.back().mutable_values<double>();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] *= 1 + (bits(Key{w}, i) & 1 ? 0x1p-24 : -0x1p-24);
  }
  return moved;
}

}  // namespace

// Where the function itself makes much of a rounding of its weights, f32 cannot do better: features whose sum, a
// divisor, all but vanishes. That is measured in f64; 5.2e-4 for `fast_weights -p rule=activated`, where f32 is 9.4e-4
// off.
Finding prove_precision(const Subject& s, const std::vector<i64>& lengths) {
  constexpr double kRoundings = 10;  // some hundred, of either sign
  // The gradient of a bias of keys is zero, by a softmax: of terms as large as others 7e-6 are left.
  constexpr double kCancelled = 1e-2;
  Worst worst(kSingle);
  std::string note;
  std::vector<Tensor> rounded;
  for (const Tensor& w : s.weights()) rounded.push_back(w.converted(DType::f32).converted(DType::f64));
  std::vector<How> forms = {{.form = "auto", .gradients = true}};
  for (const std::string& form : forms_of(s)) forms.push_back({.form = form, .gradients = true});
  for (const i64 n : lengths) {
    for (const How& how : forms) {
      Tensors inputs = s.inputs(how, Subject::kRows, n);
      for (auto& [name, t] : inputs) {
        if (t.dtype() != DType::i32) t = t.converted(DType::f32).converted(DType::f64);
      }
      const auto exact = [&](const std::vector<Tensor>& weights) {
        return s.run(how, s.runtime(), DType::f64, weights, inputs);
      };
      const auto wanted = exact(rounded), found = s.run(how, s.runtime(), DType::f32, rounded, inputs);
      Worst here(kSingle), moved(kSingle);
      here.compare(wanted, found, n, fmt::format("f32, {}, T = {}", how.form, n), kCancelled);
      const Finding missed = here.finding("");
      if (missed.verdict == Finding::Verdict::absent) continue;
      if (here.failed()) moved.compare(wanted, exact(nudged(rounded)), n, "", kCancelled);
      const double own = moved.finding("").worst;  // the function's
      const bool excused = here.failed() && missed.worst <= kRoundings * own;
      if (excused) note = fmt::format("; {:.1e} where rounding the weights alone makes {:.1e}", missed.worst, own);
      worst.add(excused ? 0 : missed.worst, n, excused ? "" : missed.where);
    }
  }
  return worst.finding("outputs and gradients on the path that training uses" + note);
}

namespace {
struct Counter final : Observer {
  double operations = 0;
  void computed(const Graph&, const Node&, double, double flops, double) override { operations += flops; }
};
}  // namespace

// Operations are those of the ops' rows, counted for each node that ran, and must be the predicted ones. Bytes are
// measured in the pool; predicted are the values of the graph alone, without what an op needs meanwhile: up to 36 %, of
// a Fourier transform over T; 6 % for the models that have none.
Finding prove_cost(const Subject& s, const std::vector<i64>& lengths) {
  constexpr double kMemory = 0.4, kSlack = 64 * 1024;
  const How how{.form = "auto", .gradients = true};
  const dsl::Function& f = s.function(how);
  Worst worst(kMemory);
  for (const i64 n : lengths) {
    const Tensors inputs = s.inputs(how, Subject::kRows, n);
    const Bindings sizes = {{"B", Subject::kRows}, {"T", n}};
    const Run run(f.graph(), f.outputs());
    const Runtime runtime(s.claim().runtime);
    Counter counter;
    s.run(how, runtime, DType::f64, s.weights(), inputs, {}, &counter);
    double given = 0;
    for (const Value& v : f.graph().values()) {
      if (v.node < 0) given += static_cast<double>(byte_count(bind(v.dims, sizes), DType::f64));
    }
    const double predicted = static_cast<double>(run.peak_bytes(sizes, DType::f64));
    const double measured = static_cast<double>(runtime.pool()->peak_bytes()) + given;
    const double flops = run.flops(sizes), miscounted = std::abs(counter.operations - flops) / std::max(1.0, flops);
    // Two sums in one order; anything else is another number of nodes.
    if (miscounted > 1e-12)
      worst.add(HUGE_VAL, n, fmt::format("{:.6g} operations, {:.6g} predicted (T = {})", counter.operations, flops, n));
    worst.add(std::max(0.0, std::abs(measured - predicted) - kSlack) / measured, n,
              fmt::format("{:.6g} bytes measured, {:.6g} predicted (T = {})", measured, predicted, n));
  }
  return worst.finding("operations and memory of a step are what `check` says");
}

}  // namespace weft::verify
