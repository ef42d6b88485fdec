#include "engine/op.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace weft {

std::string_view name(AttributeInfo::Type type) {
  switch (type) {
    case AttributeInfo::Type::boolean: return "true or false";
    case AttributeInfo::Type::whole: return "a whole number";
    case AttributeInfo::Type::real: return "a number";
    case AttributeInfo::Type::word: return "a word";
    case AttributeInfo::Type::axis: return "a dimension";
    case AttributeInfo::Type::size: return "a size";
    case AttributeInfo::Type::sizes: return "a shape";
    default: return "a graph";
  }
}

std::string text(const AttributeValue& value) {
  struct {
    std::string operator()(bool x) const { return x ? "true" : "false"; }
    std::string operator()(i64 x) const { return std::to_string(x); }
    std::string operator()(double x) const { return fmt::format("{}", x); }
    std::string operator()(const std::string& x) const { return x; }
    std::string operator()(const Dim& x) const { return x.text(); }
    std::string operator()(const Dims& x) const { return weft::text(x); }
    std::string operator()(const std::shared_ptr<const Graph>&) const { return "(graph)"; }
  } write;
  return std::visit(write, value);
}

const Dim& InputDims::at(std::size_t i, int axis) const {
  const Dims& dims = *dims_[i];
  const int rank = static_cast<int>(dims.size());
  if (axis < -rank || axis >= rank) {
    throw Error(fmt::format("{}: {} needs at least {} dimensions (it is {})", op_.name, op_.inputs[i].name,
                            axis < 0 ? -axis : axis + 1, text(dims)));
  }
  return dims[static_cast<std::size_t>(axis < 0 ? axis + rank : axis)];
}

void InputDims::require(bool ok, const std::string& message) const {
  if (!ok) throw Error(op_.name + ": " + message);
}

Cost cost_of_moving(const std::vector<Shape>& inputs, const std::vector<Shape>& outputs) {
  Cost cost;
  for (const auto* shapes : {&inputs, &outputs}) {
    for (const Shape& s : *shapes) cost.bytes += 4.0 * static_cast<double>(element_count(s));
  }
  return cost;
}

AttributeInfo::AttributeInfo(std::string called, Type of, AttributeValue normal, std::string for_what,
                             std::vector<std::string> words, bool must_be_given)
    : name(std::move(called)),
      type(of),
      standard(std::move(normal)),
      about(std::move(for_what)),
      choices(std::move(words)),
      required(must_be_given) {}
AttributeInfo::AttributeInfo(const AttributeInfo&) = default;
AttributeInfo::~AttributeInfo() = default;

Op::Op() = default;
Op::Op(const Op&) = default;
Op::~Op() = default;

Sample::Shapes::Shapes(std::initializer_list<Sizes> shapes) : std::vector<Shape>(shapes.begin(), shapes.end()) {}
Sample::Shapes::Shapes(const Shapes&) = default;
Sample::Shapes& Sample::Shapes::operator=(const Shapes&) = default;
Sample::Shapes::~Shapes() = default;
Sample::Attributes::Attributes(std::initializer_list<Given> given) : std::vector<Given>(given) {}
Sample::Attributes::Attributes(const Attributes&) = default;
Sample::Attributes& Sample::Attributes::operator=(const Attributes&) = default;
Sample::Attributes::~Attributes() = default;

Dims broadcast(const Op& op, const InputDims& in) {
  Dims out = in[0];
  for (std::size_t i = 1; i < in.size(); ++i) out = broadcast(out, in[i], op.name);
  return out;
}

Dims without_axis(const Op& op, const InputDims& in, i64 axis) {
  Dims out = in[0];
  out.erase(out.begin() + axis_from_front(axis, out.size(), op.name));
  return out;
}

const AttributeInfo* Op::find_attribute(const std::string& attribute) const {
  for (const auto& a : attributes) {
    if (a.name == attribute) return &a;
  }
  return nullptr;
}

std::vector<AttributeValue> Op::complete(const std::vector<std::pair<std::string, AttributeValue>>& given) const {
  std::vector<AttributeValue> values;
  for (const auto& a : attributes) values.push_back(a.standard);
  for (const auto& [attribute, value] : given) {
    const AttributeInfo* info = find_attribute(attribute);
    check(info != nullptr, "{}: there is no attribute {}", name, attribute);
    AttributeValue& slot = values[static_cast<std::size_t>(info - attributes.data())];
    if (value.index() == slot.index()) {
      slot = value;
    } else if (std::holds_alternative<double>(slot) && std::holds_alternative<i64>(value)) {
      slot = static_cast<double>(std::get<i64>(value));
    } else if (std::holds_alternative<Dim>(slot) && std::holds_alternative<i64>(value)) {
      slot = Dim(std::get<i64>(value));
    } else {
      throw Error(fmt::format("{}: {} is {}, not {}", name, attribute, weft::name(info->type), text(value)));
    }
    if (info->type == AttributeInfo::Type::word && !info->choices.empty()) {
      const auto& word = std::get<std::string>(slot);
      const bool known = std::find(info->choices.begin(), info->choices.end(), word) != info->choices.end();
      check(known, "{}: {} is one of {}, not {}", name, attribute, fmt::join(info->choices, ", "), word);
    }
  }
  return values;
}

}  // namespace weft
