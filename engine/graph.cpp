#include "engine/graph.h"

#include <algorithm>

#include "engine/builtin.h"
#include "engine/op.h"

namespace weft {
Var::Var(Graph& graph, i32 id) : graph_(&graph), alive_(graph.alive_), id_(id) {}

Graph& Var::graph() const {
  check(id_ >= 0, "an empty value was used");
  check(!alive_.expired(), "a value was used after its graph had been freed; keep the graph, or take its tensor first");
  return *graph_;
}
const Dims& Var::dims() const { return graph().value(id_).dims; }
bool Var::needs_gradient() const { return graph().value(id_).needs_gradient; }

Graph::Graph(Gradients gradients) : gradients_(gradients) {}

void Graph::set_origin(const std::string& origin) {
  if (origin_ >= 0 && origins_[static_cast<std::size_t>(origin_)] == origin) return;
  origins_.push_back(origin);
  origin_ = static_cast<i32>(origins_.size()) - 1;
}

void Graph::set_stream(Key stream) {
  stream_ = stream;
  drawn_ = 0;
}

std::string Graph::origin_of(const Node& node) const {
  const Node& n = node.phase == Phase::backward ? nodes_[static_cast<std::size_t>(node.forward_node)] : node;
  return n.origin < 0 ? "" : origins_[static_cast<std::size_t>(n.origin)];
}

std::string Graph::describe(const Node& node) const {
  std::string s = node.phase == Phase::backward ? "backward of " + node.op->name : node.op->name;
  if (const std::string where = origin_of(node); !where.empty()) s += " (" + where + ")";
  return s;
}

i32 Graph::new_value(Dims dims, Kind kind, i32 node, bool needs_gradient) {
  Value v;
  v.dims = std::move(dims);
  v.kind = kind;
  v.node = node;
  v.needs_gradient = needs_gradient;
  values_.push_back(std::move(v));
  return static_cast<i32>(values_.size()) - 1;
}

Var Graph::input(std::string name, Dims dims, Kind kind, bool differentiable) {
  const i32 id = new_value(std::move(dims), kind, -1, differentiable && keeps_gradients() && kind == Kind::real);
  values_.back().name = std::move(name);
  return {*this, id};
}

Var Graph::constant(Tensor tensor) {
  check(bool(tensor), "an empty tensor cannot be a constant of a graph");
  const Kind kind = tensor.dtype() == DType::i32 ? Kind::index : Kind::real;
  const i32 id = new_value(to_dims(tensor.shape()), kind, -1, false);
  values_.back().constant = std::move(tensor);
  appended_leaf(id);
  return {*this, id};
}

std::vector<Var> Graph::append(const Op& op, std::vector<AttributeValue> attributes, std::span<const Var> inputs,
                               Anneals annealed) {
  const auto declared = [&](std::size_t i) -> const Input& {
    return op.inputs[op.variadic ? std::min(i, op.inputs.size() - 1) : i];
  };
  check(op.variadic || inputs.size() <= op.inputs.size(), "{}: it takes at most {} inputs, not {}", op.name,
        op.inputs.size(), inputs.size());
  Node node;
  std::vector<const Dims*> dims;
  bool needs_gradient = false, derivative = false;
  for (std::size_t i = 0; i < std::max(inputs.size(), op.inputs.size()); ++i) {
    const Input& input = declared(i);
    if (i >= inputs.size() || !inputs[i]) {
      check(input.is(Input::optional), "{}: the input {} is missing", op.name, input.name);
      node.inputs.push_back(-1);
      dims.push_back(nullptr);
      continue;
    }
    check(&inputs[i].graph() == this, "{}: the input {} belongs to another graph", op.name, input.name);
    const Value& v = value(inputs[i].id());
    check((v.kind == Kind::index) == input.is(Input::index), "{}: the input {} must hold {}", op.name, input.name,
          input.is(Input::index) ? "indices" : "real numbers");
    node.inputs.push_back(inputs[i].id());
    dims.push_back(&v.dims);
    needs_gradient = needs_gradient || (v.needs_gradient && !input.is(Input::fixed));
    derivative = derivative || (v.derivative && !input.is(Input::fixed));
  }
  check(annealed.empty() || !op.build,
        "{}: it is written with other ops, so that none of its attributes can be annealed", op.name);
  if (op.build) return op.build(*this, attributes, inputs);

  needs_gradient = needs_gradient && op.backward_f32;
  const auto shapes = op.infer(op, attributes, InputDims(op, dims));
  for (const auto& [i, anneal] : annealed) {  // the op must take both ends
    std::vector<AttributeValue> first = attributes;
    first[i] = anneal.from;
    op.infer(op, first, InputDims(op, dims));
  }
  node.op = &op;
  node.attributes = std::move(attributes);
  node.annealed = std::move(annealed);
  node.origin = origin_;
  node.place.stream = stream_.fold(drawn_++).value;
  const Dims& placed = dims.empty() || !dims[0] ? shapes[0] : *dims[0];
  for (int d = 0; d < static_cast<int>(placed.size()); ++d) {
    if (placed[d].known()) continue;  // a size that happens to be called so
    if (placed[d].is("T")) node.place.time_axis = d;
    if (placed[d].is("B")) node.place.row_axis = d;
  }
  const i32 id = static_cast<i32>(nodes_.size());
  const std::size_t n_public = shapes.size() - op.saved;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const Kind kind = i < n_public ? op.output_kind(i) : Kind::real;
    const bool public_real = i < n_public && kind == Kind::real;
    node.outputs.push_back(new_value(shapes[i], kind, id, needs_gradient && public_real));
    values_.back().derivative = derivative;
  }
  nodes_.push_back(std::move(node));
  appended(nodes_.back());
  std::vector<Var> outputs;
  for (std::size_t i = 0; i < n_public; ++i) outputs.emplace_back(*this, nodes_.back().outputs[i]);
  return outputs;
}

Var Graph::sum_of(const std::vector<i32>& terms) {
  if (terms.size() == 1) return {*this, terms[0]};
  std::vector<Var> inputs;
  for (const i32 t : terms) inputs.emplace_back(*this, t);
  return append(accumulate_row(), {}, inputs)[0];
}

std::vector<Var> Graph::backward(std::span<const Var> outputs, std::span<const Var> cotangents,
                                 std::span<const Var> wrt) {
  check(keeps_gradients(), "backward: this graph was built without gradients");
  check(outputs.size() == cotangents.size(), "backward: {} outputs need as many cotangents, not {}", outputs.size(),
        cotangents.size());
  std::vector<std::vector<i32>> arriving(values_.size());
  i32 last = -1;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Var& y = outputs[i];
    check(&y.graph() == this && &cotangents[i].graph() == this, "backward: a value of another graph");
    check(same_size(y.dims(), cotangents[i].dims()),
          "backward: the cotangent {} does not have the shape {} of its output", text(cotangents[i].dims()),
          text(y.dims()));
    const i32 made_by = value(y.id()).node;
    if (value(y.id()).derivative) {  // made by a node: a leaf is none
      throw Error("backward: second derivatives are not available (" + describe(node(made_by)) + ")");
    }
    arriving[static_cast<std::size_t>(y.id())].push_back(cotangents[i].id());
    last = std::max(last, made_by);
  }
  for (i32 n = last; n >= 0; --n) {
    if (node(n).phase == Phase::forward) append_backward(n, arriving);
  }
  std::vector<Var> gradients;
  for (const Var& w : wrt) {
    check(&w.graph() == this, "backward: a value of another graph");
    const auto& terms = arriving[static_cast<std::size_t>(w.id())];
    gradients.push_back(terms.empty() ? Var() : sum_of(terms));
  }
  return gradients;
}

void Graph::differentiate() {
  std::vector<Var> reached, arriving;
  cotangents.clear();
  for (const Var& y : results) {
    cotangents.push_back(input("cotangent", y.dims()));
    if (!y.needs_gradient()) continue;
    reached.push_back(y);
    arriving.push_back(cotangents.back());
  }
  gradients = backward(reached, arriving, inputs);
}

void Graph::append_backward(i32 forward, std::vector<std::vector<i32>>& arriving) {
  const Op& op = *node(forward).op;
  const std::size_t n_inputs = node(forward).inputs.size(), n_public = node(forward).outputs.size() - op.saved;
  std::vector<i32> cotangents(n_public, -1);
  bool any = false;
  for (std::size_t i = 0; i < n_public; ++i) {
    const i32 y = node(forward).outputs[i];
    if (!value(y).needs_gradient || arriving[static_cast<std::size_t>(y)].empty()) continue;
    cotangents[i] = sum_of(arriving[static_cast<std::size_t>(y)]).id();
    any = true;
  }
  if (!any) return;
  const Node f = node(forward);  // a copy: appending moves the nodes

  Node b;
  b.op = &op;
  b.phase = Phase::backward;
  b.attributes = f.attributes;
  b.forward_node = forward;
  b.place = f.place;
  b.origin = f.origin;
  const auto declared = [&](std::size_t i) { return std::min(i, op.inputs.size() - 1); };
  for (std::size_t i = 0; i < n_inputs; ++i) b.inputs.push_back(bit(op.reads.inputs, declared(i)) ? f.inputs[i] : -1);
  for (std::size_t i = 0; i < f.outputs.size(); ++i) {
    b.inputs.push_back(i >= n_public || bit(op.reads.outputs, i) ? f.outputs[i] : -1);
  }
  b.inputs.insert(b.inputs.end(), cotangents.begin(), cotangents.end());

  // Pointwise ops give gradients at the shape of their output; what was broadcast is summed here, for all of them.
  const i32 id = static_cast<i32>(nodes_.size());
  bool wanted = false;
  std::vector<std::pair<std::size_t, i32>> raw;  // (input, value before un-broadcasting)
  for (std::size_t i = 0; i < n_inputs; ++i) {
    b.outputs.push_back(-1);
    if (f.inputs[i] < 0 || !value(f.inputs[i]).needs_gradient || op.inputs[declared(i)].is(Input::fixed)) continue;
    if (bit(op.passes_cotangent, declared(i))) {
      raw.emplace_back(i, cotangents[0]);
      continue;
    }
    const bool at_output = op.family == Op::Family::pointwise;
    b.outputs.back() = new_value(value(at_output ? f.outputs[0] : f.inputs[i]).dims, Kind::real, id, false);
    values_.back().derivative = true;
    raw.emplace_back(i, b.outputs.back());
    wanted = true;
  }
  if (wanted) {
    nodes_.push_back(std::move(b));
    appended(nodes_.back());
  }
  for (const auto& [i, gradient] : raw) {
    const Dims target = value(f.inputs[i]).dims;
    i32 g = gradient;
    if (!same_size(value(g).dims, target)) {
      const Var v(*this, g);
      g = append(sum_to_row(), {target}, {&v, 1})[0].id();
    }
    arriving[static_cast<std::size_t>(f.inputs[i])].push_back(g);
  }
}

}  // namespace weft
