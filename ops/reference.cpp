// The reference of all ops: what their rows say, as text, JSON and Markdown.
#include <nlohmann/json.hpp>

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

// "x, [gain], dim = -1": inputs, optional ones in brackets, then attributes with their defaults.
std::string signature(const Op& op) {
  std::string s;
  const auto add = [&](const std::string& word) { s += (s.empty() ? "" : ", ") + word; };
  for (const Input& i : op.inputs) add(i.is(Input::optional) ? fmt::format("[{}]", i.name) : i.name);
  if (op.variadic) add("...");
  for (const AttributeInfo& a : op.attributes) {
    add(a.type == AttributeInfo::Type::graph ? a.name : fmt::format("{}={}", a.name, text(a.standard)));
  }
  return fmt::format("{}({})", op.name, s);
}

std::string attribute_text(const AttributeInfo& a) {
  std::string s = fmt::format("{} ({}", a.name, name(a.type));
  if (a.type != AttributeInfo::Type::graph) s += ", default " + (text(a.standard).empty() ? "none" : text(a.standard));
  for (std::size_t i = 0; i < a.choices.size(); ++i) s += (i ? " | " : "; ") + a.choices[i];
  return s + "): " + a.about;
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

std::string joined(const std::vector<std::string>& words) {
  std::string s;
  for (const auto& w : words) s += (s.empty() ? "" : ", ") + w;
  return s;
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
  s += fmt::format("\noutputs      {}\nalong time   {}\n", joined(op.outputs), along_text(op.along));
  if (!op.build && !op.backward_f32) s += "gradient     none\n";
  if (op.random) s += "random       drawn from the run's key\n";
  return s;
}

std::string json() {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const Op* op : table()) {
    nlohmann::ordered_json inputs = nlohmann::ordered_json::array(), attributes = nlohmann::ordered_json::array();
    for (const Input& i : op->inputs) {
      inputs.push_back({{"name", i.name}, {"optional", i.is(Input::optional)}, {"kind", i.is(Input::index) ? "index" : "real"}});
    }
    for (const AttributeInfo& a : op->attributes) {
      nlohmann::ordered_json one = {{"name", a.name}, {"type", name(a.type)}, {"about", a.about}};
      if (a.type != AttributeInfo::Type::graph) one["default"] = text(a.standard);
      if (!a.choices.empty()) one["choices"] = a.choices;
      attributes.push_back(std::move(one));
    }
    all.push_back({{"name", op->name}, {"about", op->doc.about}, {"equation", op->doc.equation}, {"inputs", inputs},
                   {"attributes", attributes}, {"outputs", op->outputs}, {"along_time", along_text(op->along)}});
  }
  return nlohmann::ordered_json{{"ops", all}}.dump(2) + "\n";
}

std::string markdown() {
  std::string s = "# Ops\n\nMade by `./weft ops --markdown`; a test fails when it is stale. Inputs in brackets are optional and "
                  "given by name.\n";
  for (const Op* op : table()) {
    s += fmt::format("\n## {}\n\n`{}`\n\n{}:\n\n    {}\n\n", op->name, signature(*op), op->doc.about, op->doc.equation);
    if (*op->doc.source) s += fmt::format("{}\n\n", op->doc.source);
    for (const AttributeInfo& a : op->attributes) s += "- " + attribute_text(a) + "\n";
    s += fmt::format("- along time: {}; outputs: {}\n", along_text(op->along), joined(op->outputs));
  }
  return s;
}

}  // namespace weft::ops
