#include "engine/not_finite.h"

#include <algorithm>
#include <cmath>

#include "engine/op.h"

namespace weft {
namespace {

template <class T> i64 first_in(std::span<const T> values) {
  const auto found = std::find_if(values.begin(), values.end(), [](T x) { return !std::isfinite(x); });
  return found == values.end() ? -1 : found - values.begin();
}

// "nan at [1, 0, 3]"
std::string element_text(const Tensor& tensor, i64 at) {
  Shape place(tensor.shape().size());
  i64 rest = at;
  for (std::size_t d = place.size(); d-- > 0; rest /= tensor.shape()[d]) place[d] = rest % tensor.shape()[d];
  const double value = tensor.at(at);
  return fmt::format("{} at {}", std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf", text(place));
}

double largest(const Tensor& tensor) {
  double most = 0;
  for (i64 i = 0; i < tensor.size(); ++i) most = std::max(most, std::abs(tensor.at(i)));
  return most;
}

}  // namespace

i64 first_not_finite(const Tensor& tensor) {
  if (!tensor || tensor.dtype() == DType::i32) return -1;
  return tensor.dtype() == DType::f64 ? first_in(tensor.values<double>()) : first_in(tensor.values<float>());
}

NotFinite::NotFinite()
    : watch_([this](const Node& node, std::vector<Tensor>& made) {
        for (const Tensor& tensor : made) {
          const i64 at = inner_ ? -1 : first_not_finite(tensor);
          if (at < 0) continue;
          inner_ = &node;
          inner_at_ = element_text(tensor, at);
        }
      }) {}

void NotFinite::begins(i64 first, i64 rows) {
  before_ = text();
  traces_.clear();
  rows_ = fmt::format(" in rows {} to {} of the batch", first, first + rows - 1);
}

int NotFinite::begin(std::string origin) {
  origins_.push_back(std::move(origin));
  return static_cast<int>(origins_.size()) - 1;
}

void NotFinite::made(const Graph& graph, const Node& node, const std::vector<Tensor>& values) {
  traces_.resize(graph.values().size());
  const auto trace = [&](i32 id) -> Trace& { return traces_[static_cast<std::size_t>(id)]; };
  int inherited = -1;
  for (const i32 id : node.inputs) {
    if (id < 0) continue;
    Trace& t = trace(id);
    t.read = true;
    const Value& value = graph.value(id);
    if (!t.checked && value.node < 0) {  // a leaf that is seen for the first time
      const Tensor& tensor = values[static_cast<std::size_t>(id)];
      const i64 at = first_not_finite(tensor);
      if (at >= 0) t.origin = begin(fmt::format("`{}` is {}", value.name, element_text(tensor, at)));
      t.checked = true;
    }
    if (inherited < 0 || (t.origin >= 0 && t.origin < inherited)) inherited = t.origin;
  }
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const i32 id = node.outputs[i];
    if (id < 0 || first_not_finite(values[static_cast<std::size_t>(id)]) < 0) continue;
    if (inherited < 0) inherited = begin(origin_text(graph, node, i, values));
    trace(id).origin = inherited;
  }
  inner_ = nullptr;
}

std::string NotFinite::origin_text(const Graph& graph, const Node& node, std::size_t output,
                                   const std::vector<Tensor>& values) const {
  const i32 id = node.outputs[output];
  const Tensor& tensor = values[static_cast<std::size_t>(id)];
  double most = 0;
  for (const i32 in : node.inputs) {
    if (in >= 0) most = std::max(most, largest(values[static_cast<std::size_t>(in)]));
  }
  std::string what = fmt::format("`{}`", node.op->name);
  if (node.phase == Phase::backward) {
    const auto& inputs = node.op->inputs;
    what = fmt::format("the gradient of `{}` by `{}`", node.op->name,
                       inputs.empty() ? "" : inputs[std::min(output, inputs.size() - 1)].name);
  }
  const std::string where = graph.origin_of(node);
  const std::string dims = weft::text(graph.value(id).dims), shape = weft::text(tensor.shape());
  return fmt::format("{}{} makes {} of {}{}, from values of at most {:.3g}{}", what,
                     where.empty() ? "" : " (" + where + ")", element_text(tensor, first_not_finite(tensor)),
                     dims == shape ? shape : dims + " = " + shape, rows_, most, inner_text(node));
}

// The graph that `inner_` belongs to is an attribute of the node: it knows the place.
std::string NotFinite::inner_text(const Node& node) const {
  for (const AttributeValue& attribute : node.attributes) {
    const auto* step = std::get_if<std::shared_ptr<const Graph>>(&attribute);
    if (!inner_ || !step) continue;
    for (const Node& candidate : (*step)->nodes()) {
      if (&candidate == inner_)
        return fmt::format("; inside it, {} makes {} first", (*step)->describe(*inner_), inner_at_);
    }
  }
  return {};
}

std::string NotFinite::text() const {
  if (!before_.empty()) return before_;
  int first = -1;
  for (const Trace& t : traces_) {
    if (!t.read && t.origin >= 0 && (first < 0 || t.origin < first)) first = t.origin;
  }
  return first < 0 ? "" : origins_[static_cast<std::size_t>(first)];
}

}  // namespace weft
