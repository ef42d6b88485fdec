#include "tests/ops/goldens.h"

#include <cstring>
#include <fstream>

#include <nlohmann/json.hpp>

#include "ops/mul.h"
#include "ops/scan.h"
#include "ops/square.h"
#include "ops/sum.h"
#include "ops/table.h"
#include "ops/tanh.h"

namespace weft::tests {
namespace {

// safetensors: the length of a JSON header in 8 bytes, the header, the numbers.
std::map<std::string, Tensor> read_tensors(const std::string& path, nlohmann::json& metadata) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  check(bytes.size() > 8, "{} cannot be read", path);
  u64 length;
  std::memcpy(&length, bytes.data(), sizeof length);
  const auto header = nlohmann::json::parse(bytes.substr(8, length));
  std::map<std::string, Tensor> tensors;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      metadata = entry;
      continue;
    }
    const char* data = bytes.data() + 8 + length + entry["data_offsets"][0].get<u64>();
    const Shape shape = entry["shape"].get<Shape>();
    const auto n = static_cast<std::size_t>(element_count(shape));
    if (entry["dtype"] == "I32") {
      std::vector<i32> values(n);
      std::memcpy(values.data(), data, n * sizeof(i32));
      tensors[name] = Tensor::of_indices(values, shape);
    } else {
      std::vector<double> values(n);
      std::memcpy(values.data(), data, n * sizeof(double));
      tensors[name] = Tensor::from(values, shape, DType::f64);
    }
  }
  return tensors;
}

// s' = tanh(c s + x), read s' x
std::shared_ptr<const Graph> scan_step() {
  auto graph = std::make_shared<Graph>();
  for (const char* name : {"s", "x", "c"}) graph->inputs.push_back(graph->input(name, {3}, Kind::real, true));
  const auto& [s, x, c] = std::tie(graph->inputs[0], graph->inputs[1], graph->inputs[2]);
  const Var next = ops::tanh(ops::add(ops::mul(c, s), x));
  graph->results = {next, ops::mul(next, x)};
  graph->differentiate();
  return graph;
}

// The graphs of folds: merge tanh(c l + r) level, map c u, read x u sum over the levels of c^2.
std::shared_ptr<const Graph> fold_graph(const std::string& name) {
  auto graph = std::make_shared<Graph>();
  const Dim batch = Dim::symbol("B");
  const auto in = [&](Dims dims) {
    graph->inputs.push_back(graph->input("x", std::move(dims), Kind::real, true));
    return graph->inputs.back();
  };
  if (name == "merge") {
    const Var l = in({batch, 2}), r = in({batch, 2}), level = in({}), c = in({2});
    graph->results = {ops::mul(ops::tanh(ops::add(ops::mul(c, l), r)), level)};
  } else if (name == "map") {
    const Var c = in({batch, 2}), u = in({2});
    graph->results = {ops::mul(c, u)};
  } else {
    const Var c = in({batch, Dim::symbol("L"), 2});
    in({batch, Dim::symbol("L")});
    const Var x = in({batch, 2}), u = in({2});
    graph->results = {ops::mul(ops::mul(x, u), ops::sum(ops::square(c), -2))};
  }
  graph->differentiate();
  return graph;
}

AttributeValue attribute_value(const AttributeInfo& info, const nlohmann::json& value) {
  using Type = AttributeInfo::Type;
  switch (info.type) {
    case Type::boolean: return value.get<bool>();
    case Type::whole:
    case Type::axis: return value.get<i64>();
    case Type::real: return value.get<double>();
    case Type::word: return value.get<std::string>();
    case Type::size: return Dim(value.get<i64>());
    case Type::sizes: return to_dims(value.get<Shape>());
    default: throw Error("an attribute of the goldens has no type that JSON has");
  }
}

}  // namespace

std::vector<Golden> read_goldens(const std::string& path) {
  nlohmann::json cases;
  const auto tensors = read_tensors(path, cases);
  const auto find = [&](const std::string& name) {
    const auto at = tensors.find(name);
    return at == tensors.end() ? Tensor() : at->second;
  };
  std::vector<Golden> all;
  for (const auto& [name, attributes] : cases.items()) {
    Golden g{name, ops::find(name.substr(0, name.find('/'))), {}, {}, {}, {}, {}};
    check(g.op, "{}: there is no such op", name);
    std::vector<std::pair<std::string, AttributeValue>> given;
    const auto named = nlohmann::json::parse(attributes.get<std::string>());
    for (const auto& [key, value] : named.items()) {
      const AttributeInfo* info = g.op->find_attribute(key);
      check(info, "{}: there is no attribute {}", name, key);
      given.emplace_back(key, attribute_value(*info, value));
    }
    for (const AttributeInfo& a : g.op->attributes) {
      if (a.type == AttributeInfo::Type::graph)
        given.emplace_back(a.name, a.name == "step" ? scan_step() : fold_graph(a.name));
    }
    g.attributes = g.op->complete(given);
    const auto numbered = [&](const char* kind, std::size_t i) {  // of a variadic op
      return find(fmt::format("{}/{}.{}{}", name, kind, g.op->inputs.back().name, i));
    };
    for (std::size_t i = 0; g.op->variadic ? bool(numbered("in", i)) : i < g.op->inputs.size(); ++i) {
      const auto of = [&](const char* kind) {
        return g.op->variadic ? numbered(kind, i) : find(fmt::format("{}/{}.{}", name, kind, g.op->inputs[i].name));
      };
      g.inputs.push_back(of("in"));
      g.gradients.push_back(of("grad"));
    }
    for (std::size_t i = 0;; ++i) {
      const std::string output = i < g.op->outputs.size() ? g.op->outputs[i] : fmt::format("y{}", i);
      g.outputs.push_back(find(fmt::format("{}/out.{}", name, output)));
      g.cotangents.push_back(find(fmt::format("{}/cotangent.{}", name, output)));
      if (!g.outputs.back()) break;
    }
    g.outputs.pop_back();
    g.cotangents.pop_back();
    all.push_back(std::move(g));
  }
  return all;
}

}  // namespace weft::tests
