#include "tests/ops/suite/trial.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace weft::tests {
namespace {

bool is_mask(const Input& input) { return input.name == std::string("mask") || input.name == std::string("condition"); }

Tensor drawn(const Shape& shape, const Sample& s, const Input& input, Key key) {
  if (shape == Shape{-1}) return {};
  const std::size_t n = static_cast<std::size_t>(element_count(shape));
  if (input.is(Input::index)) {
    std::vector<i32> tokens(n);
    for (std::size_t i = 0; i < n; ++i) tokens[i] = static_cast<i32>(bits(key, i) % static_cast<u64>(s.classes));
    return Tensor::of_indices(tokens, shape);
  }
  std::vector<double> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = s.low + (s.high - s.low) * uniform(key, i);
  for (double& v : values) v = is_mask(input) ? v > 0 : v;
  return Tensor::from(values, shape, DType::f64);
}

const Input& declared(const Op& op, std::size_t i) { return op.inputs[std::min(i, op.inputs.size() - 1)]; }

}  // namespace

const Runtime& runtime() {
  static const Runtime serial({.products = "blas", .parallel = "serial", .threads = 0});
  return serial;
}

Application application(const Op& op, const Sample& s) {
  Application a{&op, op.complete(s.attributes), {}, {}};
  a.settings.key = Key{11};
  a.settings.training = op.random;
  for (std::size_t i = 0; i < s.shapes.size(); ++i) {
    a.inputs.push_back(drawn(s.shapes[i], s, declared(op, i), Key{3}.fold(i)));
  }
  return a;
}

Application softened(Application a) {
  for (std::size_t i = 0; i < a.op->attributes.size(); ++i) {
    if (a.op->attributes[i].name == "hard") a.attributes[i] = false;
  }
  return a;
}

Application mapped(const Application& a, const std::function<double(double)>& f) {
  Application b = a;
  for (std::size_t i = 0; i < b.inputs.size(); ++i) {
    if (!b.inputs[i] || b.inputs[i].dtype() == DType::i32 || is_mask(a.declared(i))) continue;
    b.inputs[i] = a.inputs[i].copy();
    for (double& x : b.inputs[i].mutable_values<double>()) x = f(x);
  }
  return b;
}

std::vector<Dims> shapes_of(const Op& op, const Sample& s, const std::vector<Dims>& inputs) {
  Graph graph(Graph::Gradients::no);
  std::vector<Var> vars;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Kind kind = declared(op, i).is(Input::index) ? Kind::index : Kind::real;
    vars.push_back(s.shapes[i] == Shape{-1} ? Var() : graph.input("x", inputs[i], kind));
  }
  std::vector<Dims> shapes;
  for (const Var& y : graph.append(op, op.complete(s.attributes), vars)) shapes.push_back(y.dims());
  return shapes;
}

std::optional<Sample> accepted(const Op& op, const Sample& s) {
  std::vector<Dims> dims;
  for (const Shape& shape : s.shapes) dims.push_back(shape == Shape{-1} ? Dims{} : to_dims(shape));
  try {
    shapes_of(op, s, dims);
  } catch (const Error&) {
    return {};
  }
  return s;
}

std::optional<Sample> resized(const Op& op, const Sample& s, const std::function<i64(i64)>& size) {
  Sample other = s;
  for (Shape& shape : other.shapes) {
    for (i64& n : shape) n = n < 0 ? n : size(n);
  }
  if (accepted(op, other)) return other;
  for (auto& [name, value] : other.attributes) {
    if (Dim* d = std::get_if<Dim>(&value)) *d = Dim(size(d->value()));
    if (Dims* dims = std::get_if<Dims>(&value)) {
      for (Dim& d : *dims) d = Dim(size(d.value()));
    }
  }
  return accepted(op, other);
}

std::optional<Sample> widened(const Op& op, const Sample& s, i64 lead) {
  Sample wide = s;
  for (std::size_t i = 0; i < wide.shapes.size(); ++i) {
    Shape& shape = wide.shapes[i];
    const bool own = static_cast<int>(shape.size()) <= declared(op, i).core && i > 0;
    if (shape != Shape{-1} && !own) shape.insert(shape.begin(), lead);
  }
  return accepted(op, wide);
}

std::optional<Sample> enlarged(const Op& op, const Sample& s) {
  constexpr i64 kMost = 12000;  // elements: a few blocks of every kind, and still milliseconds
  for (const i64 m : {9, 5, 3}) {
    const auto larger = resized(op, s, [&](i64 n) { return n > 1 ? n * m : n; });
    if (larger && elements(*larger) <= kMost) return larger;
  }
  for (const i64 size : sizes_of(s)) {
    const auto larger = resized(op, s, [&](i64 n) { return n == size ? n * 13 : n; });
    if (larger && elements(*larger) <= kMost) return larger;
  }
  return widened(op, s, 37);
}

std::vector<i64> sizes_of(const Sample& s) {
  std::set<i64> sizes;
  for (const Shape& shape : s.shapes) {
    for (const i64 n : shape) {
      if (n > 1) sizes.insert(n);
    }
  }
  return {sizes.begin(), sizes.end()};
}

i64 elements(const Sample& s) {
  i64 total = 0;
  for (const Shape& shape : s.shapes) total += shape == Shape{-1} ? 0 : element_count(shape);
  return total;
}

bool differentiable(const Op& op) { return op.backward_f64 || op.build; }

std::vector<Tensor> values(const Runtime& r, DType dtype, const Application& a) {
  Evaluation e = evaluate(r, dtype, a, {.gradients = differentiable(*a.op)});
  e.outputs.insert(e.outputs.end(), e.gradients.begin(), e.gradients.end());
  return e.outputs;
}

double distance(const Tensor& a, const Tensor& b) {
  if (!a || !b) return bool(a) == bool(b) ? 0 : HUGE_VAL;
  if (a.shape() != b.shape()) return HUGE_VAL;
  double worst = 0, size = 1e-30;
  for (i64 i = 0; i < a.size(); ++i) {
    if (std::isnan(a.at(i)) != std::isnan(b.at(i))) return HUGE_VAL;
    if (a.at(i) == b.at(i)) continue;
    worst = std::max(worst, std::abs(a.at(i) - b.at(i)));
    size = std::max({size, std::abs(a.at(i)), std::abs(b.at(i))});
  }
  return worst / size;
}

bool same(const Tensor& a, const Tensor& b) { return bool(a) == bool(b) && (!a || same_bits(a, b)); }

Verdict Report::each_sample(const std::function<void(const Sample&)>& body) {
  const auto samples = op.samples();
  for (std::size_t i = 0; i < samples.size(); ++i) {
    place_ = fmt::format("sample {}: ", i);
    try {
      body(samples[i]);
    } catch (const std::exception& e) {
      complain(e.what());
    }
  }
  return verdict;
}

void Report::measure(double error, double limit, const std::string& where) {
  ++verdict.tried;
  if (!(error <= verdict.worst)) {
    verdict.worst = error;
    verdict.where = place_ + where;
  }
  if (!(error < limit)) complain(fmt::format("{} (error {:.1e}, at most {:.0e})", where, error, limit));
}

void Report::same_values(const std::vector<Tensor>& expected, const std::vector<Tensor>& found,
                         const std::string& when) {
  for (std::size_t i = 0; i < expected.size(); ++i)
    require(same(expected[i], found[i]), "value {} has other bits {}", i, when);
}

void Report::close_values(const std::vector<Tensor>& expected, const std::vector<Tensor>& found, double limit,
                          const std::string& when) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    measure(distance(expected[i], found[i]), limit, fmt::format("value {} differs {}", i, when));
  }
}

}  // namespace weft::tests
