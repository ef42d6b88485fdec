// The reference of all ops: what their rows say, as text, JSON and Markdown.
#include <nlohmann/json.hpp>

#include <functional>

#include "engine/kernel.h"
#include "ops/table.h"

namespace weft::ops {
namespace {

std::string_view along_text(Along along) {
  switch (along) {
    case Along::pointwise: return "pointwise";
    case Along::streams: return "streams";
    default: return "whole";
  }
}

// "x, [gain], dim=-1": inputs, optional ones in brackets, then attributes with their defaults.
std::string signature(const Op& op) {
  std::string s;
  const auto add = [&](const std::string& word) { s += (s.empty() ? "" : ", ") + word; };
  for (const Input& i : op.inputs) add(i.is(Input::optional) ? fmt::format("[{}]", i.name) : i.name);
  if (op.variadic) add("...");
  for (const AttributeInfo& a : op.attributes) {
    const bool none = a.required || a.type == AttributeInfo::Type::graph || text(a.standard).empty();
    add(none ? a.name : fmt::format("{}={}", a.name, text(a.standard)));
  }
  return fmt::format("{}({})", op.name, s);
}

std::string attribute_text(const AttributeInfo& a) {
  std::string s = fmt::format("{} ({}", a.name, name(a.type));
  if (a.required || a.type == AttributeInfo::Type::graph || text(a.standard).empty()) s += ", must be given";
  else s += ", default " + text(a.standard);
  for (std::size_t i = 0; i < a.choices.size(); ++i) s += (i ? " | " : "; ") + a.choices[i];
  return s + "): " + a.about;
}

// One application of an op, without numbers: its shapes and its work.
struct Applied {
  std::string shapes;  // "x [2, 5], mask [5] -> y [2, 5]"
  Cost cost;
};
Applied applied(const Op& op, const Example& e) {
  Graph graph(Graph::Gradients::no);
  std::vector<Var> inputs;
  std::vector<std::string> taken, given;
  for (std::size_t i = 0; i < e.inputs.size(); ++i) {
    const Shape& shape = e.sample.shapes[i];
    inputs.emplace_back();
    if (shape == Shape{-1}) continue;
    const bool index = op.inputs[std::min(i, op.inputs.size() - 1)].is(Input::index);
    inputs.back() = graph.input(e.inputs[i], to_dims(shape), index ? Kind::index : Kind::real);
    taken.push_back(fmt::format("{} {}", e.inputs[i], text(shape)));
  }
  const auto outputs = graph.append(op, op.complete(e.sample.attributes), inputs);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    given.push_back(fmt::format("{} {}", i < op.outputs.size() ? op.outputs[i] : fmt::format("y{}", i + 1),
                                text(outputs[i].dims())));
  }
  Applied a{fmt::format("{}{}-> {}", fmt::join(taken, ", "), taken.empty() ? "" : " ", fmt::join(given, ", ")), {}};
  for (const Node& node : graph.nodes()) {
    std::vector<Shape> in, out;
    for (const i32 id : node.inputs) in.push_back(id < 0 ? Shape{0} : bind(graph.value(id).dims, {}));
    for (const i32 id : node.outputs) out.push_back(bind(graph.value(id).dims, {}));
    const Cost c = node.op->cost(node.attributes, in, out);
    a.cost.flops += c.flops, a.cost.bytes += c.bytes;
  }
  return a;
}

std::string time_text(const Op& op) {
  std::string s;
  if (op.along == Along::whole) s = "needs the whole sequence";
  if (op.along == Along::streams && op.states.empty()) s = "streams: it goes on from the position";
  if (op.along == Along::streams && !op.states.empty()) {
    std::vector<std::string> states;
    for (const StateInfo& state : op.states) states.emplace_back(op.inputs[state.input].name);
    s = fmt::format("streams: {} is what it keeps of the past", fmt::join(states, ", "));
  }
  if (op.along == Along::pointwise) {
    s = "each position by itself";
    for (const AttributeInfo& a : op.attributes) {
      if (a.type == AttributeInfo::Type::axis)
        s += fmt::format("; with `{}` T, {}", a.name, op.causal_axis ? "those before it" : "the whole sequence");
    }
  }
  for (const Sample& sample : op.samples()) {
    const Along other = op.along_with(op.complete(sample.attributes));
    if (other == op.along) continue;
    std::vector<std::string> given;
    for (const auto& [attribute, value] : sample.attributes)
      given.push_back(fmt::format("{}={}", attribute, text(value)));
    return s + fmt::format("; with {}: {}", fmt::join(given, ", "), along_text(other));
  }
  return s;
}

enum class Form { text, markdown };

// The formulas of the gradient: as code, or in lines below each other.
std::string formulas(const Op& op, Form form) {
  const std::string between = form == Form::markdown ? "`; `" : "\n" + std::string(13, ' ');
  std::string s = op.gradient;
  for (std::size_t at = 0; (at = s.find('\n', at)) != std::string::npos; at += between.size())
    s.replace(at, 1, between);
  return form == Form::markdown ? "`" + s + "`" : s;
}

std::string gradient_text(const Op& op, Form form) {
  if (op.build) return "by the ops it is made of";
  std::vector<std::string> to, reads;
  for (std::size_t i = 0; i < op.inputs.size(); ++i) {
    if (!op.inputs[i].is(Input::index) && !op.inputs[i].is(Input::fixed)) to.emplace_back(op.inputs[i].name);
    if (op.reads.inputs >> i & 1) reads.emplace_back(op.inputs[i].name);
  }
  if (!op.backward_f32 || to.empty()) return "none";
  for (std::size_t i = 0; i < op.outputs.size(); ++i) {
    if (op.reads.outputs >> i & 1) reads.push_back(op.outputs[i]);
  }
  if (op.saved) reads.push_back(fmt::format("{} saved value{}", op.saved, op.saved > 1 ? "s" : ""));
  const std::string what = *op.gradient ? formulas(op, form) : fmt::format("to {}", fmt::join(to, ", "));
  return fmt::format("{}; kept for it: {}", what,
                     reads.empty() ? "nothing" : fmt::format("{}", fmt::join(reads, ", ")));
}

std::string cost_text(const Cost& c) { return fmt::format("{:.0f} FLOPs, {:.0f} bytes in f32", c.flops, c.bytes); }

// What is said of an op in every form of the reference: (title, text), examples apart.
std::vector<std::pair<std::string, std::string>> facts(const Op& op, Form form) {
  std::vector<std::pair<std::string, std::string>> all;
  const auto some = examples(op);
  const Applied first = applied(op, some[0]);
  all.emplace_back("shapes", first.shapes);
  if (some.size() > 1) all.emplace_back("", applied(op, some[1]).shapes);
  all.emplace_back("along time", time_text(op));
  all.emplace_back("gradient", gradient_text(op, form));
  all.emplace_back("cost", cost_text(first.cost) + " for the first of these shapes");
  if (op.random) all.emplace_back("random", "drawn from the run's key and the element's place");
  return all;
}

// The one that says most.
const Example& telling(const std::vector<Example>& all) {
  return *std::max_element(all.begin(), all.end(), [](const Example& a, const Example& b) {
    return std::pair(a.equation.size(), a.cpp.size()) < std::pair(b.equation.size(), b.cpp.size());
  });
}

// Lines of at most 80 columns, later ones indented like the first.
std::string wrapped(const std::string& text, std::size_t indent) {
  std::string out, line(indent, ' ');
  const std::string margin = line;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    if (line.size() + word.size() + 1 > 80 && line.size() > indent) {
      out += line + "\n";
      line = margin;
    }
    line += (line.size() > indent ? " " : "") + word;
    at = end + 1;
  }
  return out + line + "\n";
}

// The kinds of ops, in the order of the list; the first that fits.
struct KindOfOp {
  const char* title;
  std::function<bool(const Op&)> fits;
};
const std::vector<KindOfOp>& kinds() {
  static const auto takes_index = [](const Op& op) {
    return std::any_of(op.inputs.begin(), op.inputs.end(), [](const Input& i) { return i.is(Input::index); });
  };
  static const auto has_axis = [](const Op& op) {
    return std::any_of(op.attributes.begin(), op.attributes.end(),
                       [](const AttributeInfo& a) { return a.type == AttributeInfo::Type::axis; });
  };
  static const std::vector<KindOfOp> all = {
      {"Made from sizes", [](const Op& op) { return op.inputs.empty(); }},
      {"Random", [](const Op& op) { return op.random; }},
      {"Comparisons", [](const Op& op) { return op.family == Op::Family::pointwise && !op.backward_f32; }},
      {"Elementwise", [](const Op& op) { return op.family == Op::Family::pointwise; }},
      {"With tokens or an index", takes_index},
      {"Along time", [](const Op& op) { return op.along == Along::streams; }},
      {"Along one dimension", has_axis},
      {"Shapes",
       [](const Op& op) { return op.family == Op::Family::general && op.reads.inputs == 0 && op.saved == 0; }},
      {"Products, norms, features and losses", [](const Op&) { return true; }}};
  return all;
}
std::size_t kind_of(const Op& op) {
  std::size_t i = 0;
  while (!kinds()[i].fits(op)) ++i;
  return i;
}

std::string section(const Op& op) {
  const auto all = examples(op);
  const Example& e = telling(all);
  std::string s =
      fmt::format("\n## {}\n\n`{}`\n\n{}:\n\n    {}\n\n", op.name, signature(op), op.doc.about, op.doc.equation);
  if (*op.doc.source) s += fmt::format("{}.\n\n", op.doc.source);
  for (const AttributeInfo& a : op.attributes) s += "- " + attribute_text(a) + "\n";
  std::string before;
  for (const auto& [title, fact] : facts(op, Form::markdown)) {
    s += title.empty() ? fmt::format(", and `{}`", fact)
                       : before + fmt::format("- {}: {}", title, title == "shapes" ? "`" + fact + "`" : fact);
    before = "\n";
  }
  s += "\n";
  s += e.equation.empty() ? "- not in equations: it has an attribute that they cannot say\n"
                          : fmt::format("- in an equation: `{}`\n", e.equation);
  return s + fmt::format("- in C++: `{}`\n", e.cpp);
}

}  // namespace

std::string list() {
  std::size_t width = 0;
  for (const Op* op : table()) width = std::max(width, op->name.size());
  std::string s;
  for (const Op* op : table()) s += fmt::format("{:<{}}  {}\n", op->name, width, op->doc.about);
  return s + "\n`weft ops NAME` tells more.\n";
}

std::string describe(const Op& op) {
  std::string s = signature(op) + "\n\n" + wrapped(op.doc.about, 2) + wrapped(op.doc.equation, 4);
  if (*op.doc.source) s += wrapped(op.doc.source, 2);
  if (!op.attributes.empty()) s += "\nattributes\n";
  for (const AttributeInfo& a : op.attributes) s += wrapped(attribute_text(a), 2);
  s += "\n";
  for (const auto& [title, fact] : facts(op, Form::text)) s += fmt::format("{:<12} {}\n", title, fact);
  s += fmt::format("{:<12} {}\n", "outputs", fmt::join(op.outputs, ", "));
  const auto all = examples(op);
  const Example& e = telling(all);
  if (!e.equation.empty()) s += "\nin an equation\n  y: " + e.equation + "\n";
  return s + fmt::format("\nin C++\n  #include \"ops/{}.h\"\n  Var y = {};\n", op.name, e.cpp);
}

std::string json() {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const Op* op : table()) {
    nlohmann::ordered_json inputs = nlohmann::ordered_json::array(), attributes = nlohmann::ordered_json::array();
    for (const Input& i : op->inputs) {
      inputs.push_back(
          {{"name", i.name}, {"optional", i.is(Input::optional)}, {"kind", i.is(Input::index) ? "index" : "real"}});
    }
    for (const AttributeInfo& a : op->attributes) {
      nlohmann::ordered_json one = {{"name", a.name}, {"type", name(a.type)}, {"about", a.about}};
      if (a.required) one["required"] = true;
      else if (a.type != AttributeInfo::Type::graph) one["default"] = text(a.standard);
      if (!a.choices.empty()) one["choices"] = a.choices;
      attributes.push_back(std::move(one));
    }
    nlohmann::ordered_json equations = nlohmann::ordered_json::array();
    for (const Example& e : examples(*op)) {
      if (!e.equation.empty()) equations.push_back(e.equation);
    }
    all.push_back({{"name", op->name},
                   {"about", op->doc.about},
                   {"equation", op->doc.equation},
                   {"gradient", op->gradient},
                   {"inputs", inputs},
                   {"attributes", attributes},
                   {"outputs", op->outputs},
                   {"along_time", along_text(op->along)},
                   {"examples", equations}});
  }
  return nlohmann::ordered_json{{"ops", all}}.dump(2) + "\n";
}

std::string markdown() {
  std::string s =
      "# Ops\n\nWhat equations and C++ may call. Inputs in brackets are optional and given by name; attributes follow the\n"
      "inputs, in this order or by name. `weft ops NAME` says the same of one. This page is made by\n"
      "`./weft ops --markdown > docs/ops.md`; a test fails when it is stale.\n";
  for (std::size_t kind = 0; kind < kinds().size(); ++kind) {
    s += fmt::format("\n**{}**\n\n", kinds()[kind].title);
    for (const Op* op : table()) {
      if (kind_of(*op) == kind) s += fmt::format("- [{}](#{}): {}\n", op->name, op->name, op->doc.about);
    }
  }
  for (const Op* op : table()) s += section(*op);
  return s;
}

}  // namespace weft::ops
