// Properties of gradients.
#include <cmath>

#include "tests/ops/suite/trial.h"

namespace weft::tests {
namespace {

Tensor random_like(const Tensor& t, u64 seed, double scale = 1) {
  std::vector<double> values(static_cast<std::size_t>(t.size()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = scale * (2 * uniform(Key{seed}, i) - 1);
  return Tensor::from(values, t.shape(), DType::f64);
}

// a x + b y
Tensor combined(double a, const Tensor& x, double b, const Tensor& y) {
  std::vector<double> values;
  for (i64 i = 0; i < x.size(); ++i) values.push_back(a * x.at(i) + b * y.at(i));
  return Tensor::from(values, x.shape(), DType::f64);
}

std::vector<Tensor> combined(double a, const std::vector<Tensor>& x, double b, const std::vector<Tensor>& y) {
  std::vector<Tensor> all;
  for (std::size_t i = 0; i < x.size(); ++i) all.push_back(x[i] ? combined(a, x[i], b, y[i]) : Tensor());
  return all;
}

std::vector<Tensor> outputs(Application a, std::size_t input, const Tensor& x) {
  a.inputs[input] = x;
  return evaluate(runtime(), DType::f64, a, {.gradients = false}).outputs;
}

double size_of(const std::vector<Tensor>& values) {
  double largest = 0;
  for (const Tensor& t : values) {
    for (i64 i = 0; i < t.size(); ++i) largest = t.at(i) == t.at(i) ? std::max(largest, std::abs(t.at(i))) : HUGE_VAL;
  }
  return largest;
}

Tensor expanded(const Tensor& t, const Shape& shape) {
  std::vector<double> values;
  for (i64 e = 0; e < element_count(shape); ++e) {
    i64 rest = e, at = 0, step = 1;
    for (std::size_t d = 1; d <= t.shape().size(); ++d) {
      const i64 own = t.shape()[t.shape().size() - d], size = shape[shape.size() - d];
      at += own == 1 ? 0 : rest % size * step;
      rest /= size;
      step *= own;
    }
    values.push_back(t.at(at));
  }
  return Tensor::from(values, shape, DType::f64);
}

// The sample with the leading dimensions of its inputs written out: of all, and of each alone, as far as the op takes
// it.
std::vector<Sample> written_out(const Op& op, const Sample& s) {
  Dims lead;
  const auto core = [&](std::size_t i) {
    const Input& input = op.inputs[std::min(i, op.inputs.size() - 1)];
    return std::min<std::ptrdiff_t>(input.core, std::ssize(s.shapes[i]));
  };
  for (std::size_t i = 0; i < s.shapes.size(); ++i) {
    if (s.shapes[i] == Shape{-1}) continue;
    const Shape own(s.shapes[i].begin(), s.shapes[i].end() - core(i));
    try {
      lead = broadcast(lead, to_dims(own), op.name);
    } catch (const Error&) {
      return {};
    }
  }
  Sample full = s;
  std::vector<Sample> all;
  for (std::size_t i = 0; i < s.shapes.size(); ++i) {
    if (s.shapes[i] == Shape{-1}) continue;
    Shape shape = bind(lead, {});
    shape.insert(shape.end(), s.shapes[i].end() - core(i), s.shapes[i].end());
    full.shapes[i] = shape;
    Sample one = s;
    one.shapes[i] = shape;
    if (one.shapes != s.shapes && accepted(op, one)) all.push_back(one);
  }
  if (full.shapes != s.shapes && accepted(op, full)) all.push_back(full);
  return all;
}

}  // namespace

Verdict gradients_match_differences(const Op& op) {
  Report report(op);
  if (!differentiable(op)) return report.verdict;
  return report.each_sample([&](const Sample& s) {
    const Application a = softened(application(op, s));
    const GradientCheck g = check_gradients(runtime(), a);
    bool wanted = false;
    for (std::size_t i = 0; i < a.inputs.size(); ++i) wanted = wanted || (a.takes_gradient(i) && a.inputs[i].size());
    report.require(!wanted || g.probes > 0, "no element could be probed");
    report.measure(g.worst, 1e-7, g.where);
  });
}

Verdict gradients_hold_at_larger_sizes(const Op& op) {
  Report report(op);
  if (!differentiable(op)) return report.verdict;
  return report.each_sample([&](const Sample& s) {
    const auto large = enlarged(op, s);
    if (!large) return;
    const GradientCheck g = check_directions(runtime(), softened(application(op, *large)));
    if (g.probes) report.measure(g.worst, 1e-7, g.where);
  });
}

// Where f is affine in an input, f(u) - f(0) is its derivative applied to u, and <f(u) - f(0), c> = <u, gradient>
// exactly: tighter by five digits than differences, and at sizes that these would not reach.
Verdict a_linear_input_has_the_exact_adjoint(const Op& op) {
  Report report(op);
  if (!differentiable(op)) return report.verdict;
  return report.each_sample([&](const Sample& s) {
    const Application a = softened(application(op, enlarged(op, s).value_or(s)));
    const auto gradients = evaluate(runtime(), DType::f64, a).gradients;
    for (std::size_t i = 0; i < a.inputs.size(); ++i) {
      if (!a.takes_gradient(i) || a.inputs[i].size() == 0) continue;
      const Tensor u = random_like(a.inputs[i], 21), w = random_like(a.inputs[i], 22);
      std::vector<Tensor> zero;
      try {
        zero = outputs(a, i, combined(0, u, 0, u));
      } catch (const Error&) {
        continue;  // it refuses zeros, as a divisor does: not affine
      }
      const auto at_u = outputs(a, i, u);
      const auto both = combined(1, outputs(a, i, combined(1, u, 1, w)), 1, zero);
      const double scale = size_of(at_u) + size_of(zero);
      const double bend = size_of(combined(1, both, -1, combined(1, at_u, 1, outputs(a, i, w))));
      if (!(bend <= 1e-12 * scale) || std::isinf(scale)) continue;  // not affine
      const double left = projection(combined(1, at_u, -1, zero));
      const double right = gradients[i] ? inner_product(u, gradients[i]) : 0;
      const double terms = size_of(gradients) * static_cast<double>(u.size());  // rounding grows with what is summed
      report.measure(std::abs(left - right) / std::max({1.0, std::abs(left), terms * 1e-2}), 1e-12,
                     fmt::format("input {}: <f(u), c> is {:.15g}, <u, gradient> is {:.15g}", i, left, right));
    }
  });
}

Verdict backward_is_linear_in_the_cotangent(const Op& op) {
  Report report(op);
  if (!differentiable(op)) return report.verdict;
  return report.each_sample([&](const Sample& s) {
    const Application a = application(op, s);
    std::vector<Tensor> c, d, zero;
    for (const Tensor& y : evaluate(runtime(), DType::f64, a, {.gradients = false}).outputs) {
      c.push_back(random_like(y, 31));
      d.push_back(random_like(y, 32));
      zero.push_back(Tensor::zeros(y.shape(), DType::f64));
    }
    const auto at = [&](const std::vector<Tensor>& cotangents) {
      return evaluate(runtime(), DType::f64, a, {.cotangents = cotangents}).gradients;
    };
    report.close_values(combined(2, at(c), -3, at(d)), at(combined(2, c, -3, d)), 1e-12,
                        "between backward(2 c - 3 d) and its parts");
    report.require(size_of(at(zero)) == 0, "a cotangent of zeros gives a gradient that is not zero");
  });
}

Verdict a_gradient_does_not_depend_on_the_others(const Op& op) {
  Report report(op);
  if (!differentiable(op)) return report.verdict;
  return report.each_sample([&](const Sample& s) {
    const Application a = application(op, s);
    unsigned all = 0;
    for (std::size_t i = 0; i < a.inputs.size(); ++i) all |= a.takes_gradient(i) ? 1u << i : 0u;
    const Evaluation expected = evaluate(runtime(), DType::f64, a);
    for (unsigned wanted = 0; wanted < all; ++wanted) {
      if ((wanted & all) != wanted) continue;
      const Evaluation found = evaluate(runtime(), DType::f64, a, {.wanted = wanted});
      for (std::size_t i = 0; i < a.inputs.size(); ++i) {
        const bool right = wanted >> i & 1 ? same(found.gradients[i], expected.gradients[i]) : !found.gradients[i];
        report.require(right, "the gradient of input {} is another when only those in {:#b} are wanted", i, wanted);
      }
      report.same_values(expected.outputs, found.outputs, "when some gradients are not wanted");
    }
  });
}

Verdict the_same_input_twice_adds_its_gradients(const Op& op) {
  Report report(op);
  if (!differentiable(op)) return report.verdict;
  return report.each_sample([&](const Sample& s) {
    Application a = application(op, s);
    for (std::size_t i = 0; i < a.inputs.size(); ++i) {
      for (std::size_t j = i + 1; j < a.inputs.size(); ++j) {
        if (!a.takes_gradient(i) || !a.takes_gradient(j) || a.inputs[i].shape() != a.inputs[j].shape()) continue;
        Application b = a;
        b.inputs[j] = a.inputs[i].copy();
        const auto apart = evaluate(runtime(), DType::f64, b).gradients;
        if (!apart[i] || !apart[j]) continue;
        Applied one(runtime(), DType::f64, b, {.same = {{i, j}}});
        const Tensor sum = one.gradients(std::vector{one.inputs[i]})[0];
        report.measure(distance(combined(1, apart[i], 1, apart[j]), sum), 1e-12,
                       fmt::format("inputs {} and {} as one", i, j));
      }
    }
  });
}

Verdict broadcasting_is_expand_and_sum(const Op& op) {
  Report report(op);
  const auto compare = [&](const Sample& s, const Sample& full) {
    const Application a = application(op, s);
    Application b = a;
    for (std::size_t i = 0; i < a.inputs.size(); ++i) {
      if (a.inputs[i]) b.inputs[i] = expanded(a.inputs[i], full.shapes[i]);
    }
    const Ask ask{.gradients = differentiable(op)};
    const Evaluation x = evaluate(runtime(), DType::f64, a, ask), y = evaluate(runtime(), DType::f64, b, ask);
    report.close_values(x.outputs, y.outputs, 1e-14, "from that of inputs written out");
    for (std::size_t i = 0; i < x.gradients.size(); ++i) {
      if (!x.gradients[i] || !y.gradients[i]) continue;
      // The adjoint of writing out is summing: they have the same product with every tensor, so with a random one.
      const Tensor r = random_like(x.gradients[i], 41);
      const double here = inner_product(x.gradients[i], r);
      const double there = inner_product(y.gradients[i], expanded(r, full.shapes[i]));
      report.measure(std::abs(here - there) / std::max(1.0, std::abs(there)), 1e-12,
                     fmt::format("the gradient of input {}", i));
    }
  };
  const auto compare_all = [&](const Sample& s) {
    for (const Sample& full : written_out(op, s)) compare(s, full);
  };
  report.each_sample(compare_all);
  if (op.family != Op::Family::pointwise || op.inputs.size() < 2) return report.verdict;
  for (std::size_t i = 0; i < op.inputs.size(); ++i) {  // whatever its samples are, each input may be the smaller one
    for (const Shape& small : {Shape{3}, Shape{2, 1}, Shape{}}) {
      Sample s = op.samples()[0];
      s.shapes.assign(op.inputs.size(), Shape{2, 3});
      s.shapes[i] = small;
      report.require(accepted(op, s).has_value(), "{} does not broadcast to [2, 3] as input {}", text(to_dims(small)),
                     i);
      compare_all(s);
    }
  }
  return report.verdict;
}

}  // namespace weft::tests
