// A derived form is never trusted on its algebra alone: both forms of a recurrence are built beside the model, with
// inputs of their own in place of what the model computes, and run on the same random numbers.
#include <fmt/format.h>

#include <cmath>

#include "dsl/shadow.h"
#include "engine/run.h"

namespace weft::dsl {
namespace {

constexpr i64 kPositions = 4;  // a start, an end, and one between two others

// Numbers that a run is fed and keeps as states; as a real, because the product may be beyond 64 bits.
double numbers(Shadow& shadow, const Recurrence& r) {
  double all = 0;
  const auto add = [&](const Dims& dims) {
    double count = 1;
    for (const Dim& d : dims) count *= d.known() ? static_cast<double>(d.value()) : static_cast<double>(kPositions);
    all += count;
  };
  for (const auto& [name, v] : shadow.inputs) add(v.dims());
  for (const WeightSlot& w : shadow.program.weights) add(w.var.dims());
  for (const StateDef& s : r.states) add(state_dims(shadow.builder, s));
  return all;
}

// What `read` gives, on numbers drawn for the names of the inputs from low .. 1.
std::vector<Tensor> run(Shadow& shadow, const Runtime& runtime, const Recurrence& r, double low) {
  Run::Feeds feeds;
  const auto feed = [&](const std::string& name, const Var& v) {
    const Shape shape = bind(v.dims(), {{"B", 1}, {"T", kPositions}});
    if (shadow.program.graph.value(v.id()).kind == Kind::index) {
      feeds.emplace_back(v,
                         Tensor::of_indices(std::vector<i32>(static_cast<std::size_t>(element_count(shape))), shape));
      return;
    }
    std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = low + (1 - low) * uniform(Key{1}.fold(name), i);
    feeds.emplace_back(v, Tensor::from(values, shape, DType::f64));
  };
  for (const auto& [name, v] : shadow.inputs) feed(name, v);
  for (const WeightSlot& w : shadow.program.weights) feed(w.weight.name, w.var);
  return Run(shadow.program.graph, shadow.reads(r))(runtime, DType::f64, feeds);
}

// Relative to the largest element; what is not finite must be so on both sides.
double distance(const Tensor& a, const Tensor& b) {
  if (a.size() != b.size()) return HUGE_VAL;
  double worst = 0, size = 1e-30;
  for (i64 i = 0; i < a.size(); ++i) {
    const double x = a.at(i), y = b.at(i);
    if (!std::isfinite(x) || !std::isfinite(y)) {
      if (std::isfinite(x) != std::isfinite(y)) return HUGE_VAL;
      continue;
    }
    worst = std::max(worst, std::abs(x - y));
    size = std::max({size, std::abs(x), std::abs(y)});
  }
  return worst / size;
}

}  // namespace

void confirm_linear(Builder& builder, const Recurrence& r, const std::vector<StateForm>& forms) {
  if (builder.program().mode != Mode::train || !builder.program().confirmed.insert(identity(builder, r)).second) return;
  Shadow derived(builder, Mode::evaluate), loop(builder, Mode::evaluate);
  lower_linear(derived.builder, r, forms, "auto");
  lower_scan(loop.builder, r);
  // About 100 MB of doubles. What is larger is checked with the rest of the run's memory, not by filling it here; the
  // algebra does not depend on the sizes.
  constexpr double kNumbers = 1 << 23;
  if (numbers(loop, r) > kNumbers) return;
  const Runtime runtime({.products = "loops", .parallel = "serial", .threads = 0});
  for (const double low : {-1.0, 0.1}) {  // with signs, and where logarithms and roots have values
    const auto a = run(derived, runtime, r, low), b = run(loop, runtime, r, low);
    for (std::size_t i = 0; i < a.size(); ++i) {
      // Sums of some thousand terms of 1e-16 each, as everywhere in f64.
      if (const double d = distance(a[i], b[i]); !(d < 1e-9)) {
        throw Error(fmt::format("{}: `{}` was derived wrongly: it differs from the loop by {:.1e}",
                                place_text(r.read[i].value->span), r.read[i].name, d),
                    Failure::internal);
      }
    }
  }
}

}  // namespace weft::dsl
