#include "verify/property.h"

#include "verify/recurrence.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace weft::verify {
namespace {

bool draws(const Graph& graph) {
  for (const Node& node : graph.nodes()) {
    if (node.op->random) return true;
    for (const AttributeValue& a : node.attributes) {
      const auto* inner = std::get_if<std::shared_ptr<const Graph>>(&a);
      if (inner && *inner && draws(**inner)) return true;
    }
  }
  return false;
}

}  // namespace

double largest(const Tensor& t) {
  double size = 0;
  for (i64 i = 0; i < t.size(); ++i) size = std::max(size, std::abs(t.at(i)));
  return size;
}

Difference difference(const std::string& name, const Tensor& wanted, const Tensor& found, double least) {
  if (wanted.shape() != found.shape())
    return {HUGE_VAL, fmt::format("{} is {} and should be {}", name, text(found.shape()), text(wanted.shape()))};
  const double size = std::max({largest(wanted), largest(found), least, 1e-30});
  double worst = 0;
  i64 at = 0;
  for (i64 i = 0; i < wanted.size(); ++i) {
    const double a = wanted.at(i), b = found.at(i);
    const double error = std::isfinite(a) && std::isfinite(b) ? std::abs(a - b) / size : HUGE_VAL;
    if (error > worst) worst = error, at = i;
  }
  if (worst == 0) return {};
  std::string place;
  i64 rest = at;
  for (std::size_t d = wanted.shape().size(); d-- > 0;) {
    const i64 n = wanted.shape()[d];
    place = fmt::format("{}{}{}", rest % n, place.empty() ? "" : ", ", place);
    rest /= n;
  }
  return {worst, fmt::format("{}[{}] is {:.6g} and should be {:.6g}", name, place, found.at(at), wanted.at(at))};
}

void Worst::add(double error, i64 length, const std::string& where) {
  ++count_;
  const bool worse = !(error <= finding_.worst);
  const bool fails = !(error <= tolerance_);
  if (fails && !failed()) finding_.verdict = Finding::Verdict::fails;
  if (worse) finding_.worst = error, finding_.where = where, finding_.length = length;
}

// What vanishes but for rounding has no size of its own: it is held against the largest of its kind.
void Worst::compare(const Subject::Results& wanted, const Subject::Results& found, i64 length,
                    const std::string& context, double cancelled) {
  const auto is_gradient = [](const std::string& name) { return name.starts_with("grad."); };
  double values = 0, gradients = 0;
  for (const auto& [name, t] : wanted)
    (is_gradient(name) ? gradients : values) = std::max(largest(t), is_gradient(name) ? gradients : values);
  for (const auto& [name, t] : wanted) {
    const auto other = found.find(name);
    if (other == found.end()) continue;
    const Difference d = difference(name, t, other->second, is_gradient(name) ? cancelled * gradients : 1e-4 * values);
    add(d.error, length, d.where.empty() ? "" : fmt::format("{} ({})", d.where, context));
  }
}

Finding Worst::finding(std::string about) const {
  Finding f = finding_;
  f.about = count_ ? std::move(about) : "nothing to compare";
  if (!count_) f.verdict = Finding::Verdict::absent;
  return f;
}

bool draws(const Subject& s) { return draws(s.function({}).graph()); }

std::vector<std::string> forms_of(const Subject& s) {
  std::vector<std::string> forms;
  for (const std::string form : {"recurrent", "chunkwise", "parallel"}) {
    const auto& all = s.recurrences();
    const auto has = [&](const auto& r) {
      return std::any_of(r->derived.begin(), r->derived.end(), [&](const auto& d) { return d.form == form; });
    };
    if (std::any_of(all.begin(), all.end(), has)) forms.push_back(form);
  }
  return forms;
}

std::string underived(const Subject& s, const std::string& form) {
  const auto& all = s.function({.form = form}).underived();
  return all.empty() ? "" : fmt::format("{} ({})", all[0].reason, place_text(all[0].where));
}

Tensor slice(const Tensor& t, std::size_t axis, i64 begin, i64 end) {
  Shape shape = t.shape();
  i64 before = 1, after = 1;
  for (std::size_t d = 0; d < axis; ++d) before *= shape[d];
  for (std::size_t d = axis + 1; d < shape.size(); ++d) after *= shape[d];
  const i64 n = shape[axis];
  shape[axis] = end - begin;
  std::vector<double> values;
  for (i64 i = 0; i < before; ++i) {
    for (i64 j = begin * after; j < end * after; ++j) values.push_back(t.at(i * n * after + j));
  }
  return t.dtype() == DType::i32 ? Tensor::of_indices(std::vector<i32>(values.begin(), values.end()), shape)
                                 : Tensor::from(values, shape, t.dtype());
}

Tensor joined(const std::vector<Tensor>& parts, std::size_t axis) {
  Shape shape = parts[0].shape();
  i64 before = 1, after = 1;
  for (std::size_t d = 0; d < axis; ++d) before *= shape[d];
  for (std::size_t d = axis + 1; d < shape.size(); ++d) after *= shape[d];
  shape[axis] = 0;
  for (const Tensor& p : parts) shape[axis] += p.shape()[axis];
  std::vector<double> values;
  for (i64 i = 0; i < before; ++i) {
    for (const Tensor& p : parts) {
      const i64 width = p.shape()[axis] * after;
      for (i64 j = 0; j < width; ++j) values.push_back(p.at(i * width + j));
    }
  }
  return parts[0].dtype() == DType::i32 ? Tensor::of_indices(std::vector<i32>(values.begin(), values.end()), shape)
                                        : Tensor::from(values, shape, parts[0].dtype());
}

Tensors part(const Subject& s, const How& how, const Tensors& inputs, i64 begin, i64 end) {
  Tensors some = inputs;
  for (const dsl::Port& p : s.function(how).ports()) {
    const auto found = some.find(p.name);
    const auto time = std::find_if(p.dims.begin(), p.dims.end(), dsl::is_time);
    if (found == some.end() || time == p.dims.end()) continue;
    found->second = slice(found->second, static_cast<std::size_t>(time - p.dims.begin()), begin, end);
  }
  return some;
}

}  // namespace weft::verify
