#include "engine/gradcheck.h"

#include <cmath>

namespace weft {
namespace {

Tensor cotangent_of(const Shape& shape, std::size_t output) {
  const Key key = Key{7}.fold("cotangent").fold(output);
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 2 * uniform(key, i) - 1;
  return Tensor::from(values, shape, DType::f64);
}

const Input& declared(const Op& op, std::size_t i) { return op.inputs[std::min(i, op.inputs.size() - 1)]; }

bool is_differentiable(const Application& a, std::size_t i) {
  const Input& input = declared(*a.op, i);
  return a.inputs[i] && !input.is(Input::index) && !input.is(Input::fixed);
}

// sum_i <y_i, c_i>
double projection(const Runtime& runtime, const Application& a) {
  const auto outputs = outputs_and_gradients(runtime, DType::f64, a, nullptr);
  double total = 0;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].dtype() == DType::i32) continue;
    const Tensor c = cotangent_of(outputs[i].shape(), i);
    for (i64 e = 0; e < c.size(); ++e) total += c.at(e) * outputs[i].at(e);
  }
  return total;
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
std::optional<double> difference(const Runtime& runtime, const Application& a, std::size_t input, i64 element, GradientCheck& result) {
  double h = 1e-3 * std::max(1.0, std::abs(a.inputs[input].at(element)));
  if (a.op->branch) {
    for (int tries = 0; branches(moved(a, input, element, h)) != branches(moved(a, input, element, -h)); ++tries) {
      if (tries == 8) return {};  // below h = 1.5e-8 rounding alone is worth more than 1e-8 of the value
      h /= 4;
      ++result.refined;
    }
  }
  const auto central = [&](double step) {
    return (projection(runtime, moved(a, input, element, step)) - projection(runtime, moved(a, input, element, -step))) / (2 * step);
  };
  return (4 * central(h / 2) - central(h)) / 3;
}

}  // namespace

std::vector<Tensor> outputs_and_gradients(const Runtime& runtime, DType dtype, const Application& a,
                                          std::vector<Tensor>* gradients) {
  Tape tape(runtime, dtype, gradients ? Graph::Gradients::yes : Graph::Gradients::no, a.settings);
  std::vector<Var> inputs, wrt;
  for (std::size_t i = 0; i < a.inputs.size(); ++i) {
    inputs.push_back(a.inputs[i] ? tape.leaf(a.inputs[i]) : Var());
    if (is_differentiable(a, i)) wrt.push_back(inputs.back());
  }
  const auto outputs = tape.append(*a.op, a.attributes, inputs);
  std::vector<Tensor> values;
  std::vector<Var> reached, cotangents;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    values.push_back(tape.value(outputs[i]));
    if (!outputs[i].needs_gradient()) continue;
    reached.push_back(outputs[i]);
    cotangents.push_back(tape.leaf(cotangent_of(values.back().shape(), i)));
  }
  if (!gradients) return values;
  gradients->clear();
  for (const Var& g : tape.backward(reached, cotangents, wrt)) gradients->push_back(g ? tape.value(g) : Tensor());
  return values;
}

GradientCheck check_gradients(const Runtime& runtime, const Application& a) {
  GradientCheck result;
  std::vector<Tensor> gradients;
  outputs_and_gradients(runtime, DType::f64, a, &gradients);
  std::size_t next = 0;
  for (std::size_t i = 0; i < a.inputs.size(); ++i) {
    if (!is_differentiable(a, i)) continue;
    const Tensor& gradient = gradients[next++];
    for (i64 e = 0; e < a.inputs[i].size(); ++e) {
      const auto expected = difference(runtime, a, i, e, result);
      if (!expected) {
        ++result.skipped;
        continue;
      }
      ++result.probes;
      const double found = gradient ? gradient.at(e) : 0;
      const double error = std::abs(found - *expected) / std::max(1.0, std::abs(*expected));
      if (error <= result.worst) continue;  // NaN is not: it is reported
      result.worst = std::isnan(error) ? HUGE_VAL : error;
      result.where = fmt::format("input {}, element {}: gradient {:.10g}, difference {:.10g}", i, e, found, *expected);
    }
  }
  return result;
}

}  // namespace weft
