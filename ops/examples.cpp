// Calls of an op, made from its samples: as an equation has them and as C++.
#include <algorithm>
#include <cctype>

#include "ops/table.h"

namespace weft::ops {
namespace {

const Input& declared(const Op& op, std::size_t i) { return op.inputs[std::min(i, op.inputs.size() - 1)]; }

// group_norm -> GroupNorm
std::string type_name(const Op& op) {
  std::string s;
  for (std::size_t i = 0; i < op.name.size(); ++i) {
    if (op.name[i] == '_') continue;
    const bool first = i == 0 || op.name[i - 1] == '_';
    s += first ? static_cast<char>(std::toupper(static_cast<unsigned char>(op.name[i]))) : op.name[i];
  }
  return s;
}

// The length of `position()`: in an equation it is T, and nothing else.
bool is_time(const Op& op, const AttributeInfo& a) {
  return op.along == Along::streams && op.inputs.empty() && a.type == AttributeInfo::Type::size &&
         !std::get<Dim>(a.standard).known();
}

bool writable(const AttributeInfo& a) {
  return a.type != AttributeInfo::Type::sizes && a.type != AttributeInfo::Type::graph;
}

std::string in_equation(const AttributeInfo& a, const AttributeValue& value) {
  const std::string s = text(value);
  const bool plain = std::all_of(s.begin(), s.end(), [](unsigned char c) { return std::isalnum(c) || c == '_'; });
  return a.type == AttributeInfo::Type::word && !plain ? fmt::format("\"{}\"", s) : s;
}

std::string in_cpp(const AttributeInfo& a, const AttributeValue& value) {
  using Type = AttributeInfo::Type;
  std::string s = text(value);
  switch (a.type) {
    case Type::word: return fmt::format("\"{}\"", s);
    case Type::axis: return fmt::format("{{{}}}", s);
    case Type::sizes: return fmt::format("{{{}}}", s.substr(1, s.size() - 2));
    case Type::graph: return "step";
    default: return s;
  }
}

Example example(const Op& op, const Sample& sample) {
  Example e{sample, {}, {}, {}};
  std::vector<std::string> call, inputs, fields;
  bool callable = true;
  for (std::size_t i = 0; i < sample.shapes.size(); ++i) {
    const Input& in = declared(op, i);
    const bool repeated = op.variadic && i + 1 >= op.inputs.size();
    e.inputs.push_back(repeated ? fmt::format("{}{}", in.name, i + 2 - op.inputs.size()) : in.name);
    const bool absent = sample.shapes[i] == Shape{-1};
    inputs.push_back(absent ? "{}" : e.inputs.back());
    if (!absent) call.push_back((in.is(Input::optional) ? fmt::format("{}=", in.name) : "") + e.inputs.back());
  }
  const auto values = op.complete(sample.attributes);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const AttributeInfo& a = op.attributes[i];
    const bool graph = a.type == AttributeInfo::Type::graph;
    if (!graph && !a.required && text(values[i]) == text(a.standard)) continue;
    callable = callable && writable(a);
    if (!is_time(op, a)) call.push_back(fmt::format("{}={}", a.name, graph ? "" : in_equation(a, values[i])));
    fields.push_back(fmt::format(".{} = {}", a.name, in_cpp(a, values[i])));
  }
  if (callable) e.equation = fmt::format("{}({})", op.name, fmt::join(call, ", "));
  const std::string type = "ops::" + type_name(op),
                    attrs = fields.empty() ? "" : fmt::format("{{{}}}", fmt::join(fields, ", "));
  e.cpp =
      op.inputs.empty()
          ? fmt::format("graph.append(row<{}>(), to_values<{}>({}), {{}})[0]", type, type, attrs.empty() ? "{}" : attrs)
          : fmt::format("apply<{}>({{{}}}{})", type, fmt::join(inputs, ", "), attrs.empty() ? "" : ", " + attrs);
  return e;
}

}  // namespace

std::vector<Example> examples(const Op& op) {
  std::vector<Example> all;
  for (const Sample& sample : op.samples()) {
    Example e = example(op, sample);
    const auto same = [&](const Example& other) { return other.cpp == e.cpp; };
    if (std::none_of(all.begin(), all.end(), same)) all.push_back(std::move(e));
  }
  return all;
}

}  // namespace weft::ops
