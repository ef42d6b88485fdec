#include "engine/gradcheck.h"

#include <algorithm>
#include <cmath>

namespace weft {
namespace {

double projection_at(const Runtime& runtime, const Application& a) {
  return projection(evaluate(runtime, DType::f64, a, {.gradients = false}).outputs);
}

Application moved(const Application& a, std::size_t input, i64 element, double by) {
  Application b = a;
  Tensor t = a.inputs[input].copy();
  t.mutable_values<double>()[static_cast<std::size_t>(element)] += by;
  b.inputs[input] = std::move(t);
  return b;
}

// The branch of every element of a pointwise op.
std::vector<int> branches(const Application& a) {
  Shape shape;
  for (const Tensor& t : a.inputs) shape = bind(broadcast(to_dims(shape), to_dims(t.shape()), "branches"), {});
  std::vector<int> all;
  std::vector<double> x(a.inputs.size());
  for (i64 e = 0; e < element_count(shape); ++e) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const Shape& s = a.inputs[i].shape();
      i64 rest = e, at = 0, step = 1;
      for (std::size_t d = 1; d <= shape.size(); ++d) {
        const i64 index = rest % shape[shape.size() - d];
        rest /= shape[shape.size() - d];
        if (d > s.size()) continue;
        at += s[s.size() - d] == 1 ? 0 : index * step;
        step *= s[s.size() - d];
      }
      x[i] = a.inputs[i].at(at);
    }
    all.push_back(a.op->branch(a.attributes, x));
  }
  return all;
}

// d projection / d element; nothing when a kink is nearer than any step.
std::optional<double> difference(const Runtime& runtime, const Application& a, std::size_t input, i64 element,
                                 GradientCheck& result) {
  double h = 1e-3 * std::max(1.0, std::abs(a.inputs[input].at(element)));
  if (a.op->branch) {
    for (int tries = 0; branches(moved(a, input, element, h)) != branches(moved(a, input, element, -h)); ++tries) {
      if (tries == 8) return {};  // below h = 1.5e-8 rounding alone is worth more than 1e-8 of the value
      h /= 4;
      ++result.refined;
    }
  }
  const auto central = [&](double step) {
    return (projection_at(runtime, moved(a, input, element, step)) -
            projection_at(runtime, moved(a, input, element, -step))) /
           (2 * step);
  };
  return (4 * central(h / 2) - central(h)) / 3;
}

// Notes the error of one probe; NaN counts as the worst of all.
void note(GradientCheck& result, const std::string& where, double found, double expected) {
  ++result.probes;
  const double error = std::abs(found - expected) / std::max(1.0, std::abs(expected));
  if (error <= result.worst) return;
  result.worst = std::isnan(error) ? HUGE_VAL : error;
  result.where = fmt::format("{}: gradient {:.10g}, difference {:.10g}", where, found, expected);
}

}  // namespace

bool Application::takes_gradient(std::size_t i) const {
  return inputs[i] && !declared(i).is(Input::index) && !declared(i).is(Input::fixed);
}

Tensor random_cotangent(const Shape& shape, std::size_t output) {
  const Key key = Key{7}.fold("cotangent").fold(output);
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 2 * uniform(key, i) - 1;
  return Tensor::from(values, shape, DType::f64);
}

double inner_product(const Tensor& a, const Tensor& b) {
  double total = 0;
  for (i64 i = 0; i < a.size(); ++i) total += a.at(i) * b.at(i);
  return total;
}

double projection(const std::vector<Tensor>& outputs) {
  double total = 0;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].dtype() != DType::i32) total += inner_product(outputs[i], random_cotangent(outputs[i].shape(), i));
  }
  return total;
}

Applied::Applied(const Runtime& runtime, DType dtype, const Application& a, const Ask& ask)
    : tape(runtime, dtype, ask.gradients ? Graph::Gradients::yes : Graph::Gradients::no, a.settings) {
  for (std::size_t i = 0; i < a.inputs.size(); ++i) {
    if (!a.inputs[i]) inputs.emplace_back();
    else if (ask.same && ask.same->second == i) inputs.push_back(inputs[ask.same->first]);
    else inputs.push_back(ask.wanted >> i & 1 ? tape.leaf(a.inputs[i]) : tape.constant(a.inputs[i]));
  }
  outputs = tape.append(*a.op, a.attributes, inputs);
}

std::vector<Tensor> Applied::gradients(std::span<const Var> wrt, const std::vector<Tensor>& cotangents) {
  std::vector<Var> reached, arriving;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].needs_gradient()) continue;
    reached.push_back(outputs[i]);
    arriving.push_back(
        tape.constant(cotangents.empty() ? random_cotangent(tape.value(outputs[i]).shape(), i) : cotangents[i]));
  }
  std::vector<Tensor> found;
  for (const Var& g : tape.backward(reached, arriving, wrt)) found.push_back(g ? tape.value(g) : Tensor());
  return found;
}

Evaluation evaluate(const Runtime& runtime, DType dtype, const Application& a, const Ask& ask) {
  Applied applied(runtime, dtype, a, ask);
  Evaluation e;
  for (const Var& y : applied.outputs) e.outputs.push_back(applied.tape.value(y));
  if (!ask.gradients) return e;
  e.gradients.resize(a.inputs.size());
  std::vector<std::size_t> places;
  std::vector<Var> wrt;
  for (std::size_t i = 0; i < a.inputs.size(); ++i) {
    if (!a.takes_gradient(i) || !(ask.wanted >> i & 1)) continue;
    places.push_back(i);
    wrt.push_back(applied.inputs[i]);
  }
  auto found = applied.gradients(wrt, ask.cotangents);
  for (std::size_t n = 0; n < places.size(); ++n) e.gradients[places[n]] = std::move(found[n]);
  return e;
}

GradientCheck check_gradients(const Runtime& runtime, const Application& a) {
  GradientCheck result;
  const auto gradients = evaluate(runtime, DType::f64, a).gradients;
  for (std::size_t i = 0; i < a.inputs.size(); ++i) {
    for (i64 e = 0; a.takes_gradient(i) && e < a.inputs[i].size(); ++e) {
      const auto expected = difference(runtime, a, i, e, result);
      if (!expected) {
        ++result.skipped;
        continue;
      }
      note(result, fmt::format("input {}, element {}", i, e), gradients[i] ? gradients[i].at(e) : 0, *expected);
    }
  }
  return result;
}

GradientCheck check_directions(const Runtime& runtime, const Application& a) {
  GradientCheck result;
  const auto gradients = evaluate(runtime, DType::f64, a).gradients;
  for (std::size_t i = 0; i < a.inputs.size(); ++i) {
    if (!a.takes_gradient(i) || a.inputs[i].size() == 0) continue;
    std::vector<double> sign(static_cast<std::size_t>(a.inputs[i].size()));
    for (std::size_t e = 0; e < sign.size(); ++e) sign[e] = bits(Key{13}.fold(i), e) & 1 ? 1 : -1;
    const Tensor u = Tensor::from(sign, a.inputs[i].shape(), DType::f64);
    const double found = gradients[i] ? inner_product(gradients[i], u) : 0;
    const auto at = [&](double h) {
      Application b = a;
      b.inputs[i] = a.inputs[i].copy();
      const auto x = b.inputs[i].mutable_values<double>();
      for (std::size_t e = 0; e < sign.size(); ++e) x[e] += h * sign[e];
      return projection_at(runtime, b);
    };
    const auto central = [&](double h) { return (at(h) - at(-h)) / (2 * h); };
    // Among many elements some lie near a kink. A wrong gradient is wrong with every step, so the best one counts.
    double best = HUGE_VAL;
    for (double h = 1e-3; h > 1e-6 && !(std::abs(found - best) < 1e-8 * std::max(1.0, std::abs(best))); h /= 10) {
      const double expected = (4 * central(h / 2) - central(h)) / 3;
      if (!(std::abs(found - best) <= std::abs(found - expected))) best = expected;
    }
    note(result, fmt::format("input {}, along random signs", i), found, best);
  }
  return result;
}

}  // namespace weft
