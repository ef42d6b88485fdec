#include "dsl/json_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "dsl/structure.h"
#include "ops/table.h"

namespace weft::dsl {
namespace {

using Json = nlohmann::ordered_json;

// The words of the grammar, and `T`, name nothing (see is_name).
constexpr const char* kName = "^(?!(T|and|or|not|if|else|true|false|inf|nan|infinity|NaN)$)[A-Za-z_][A-Za-z0-9_]*$";
constexpr const char* kDotted = "^(?!T$)[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z_][A-Za-z0-9_]*)*$";
constexpr const char* kPlace = "^[A-Za-z0-9_]+(\\.[A-Za-z0-9_]+)*$";

Json to(const std::string& definition) { return {{"$ref", "#/definitions/" + definition}}; }
Json any_of(std::vector<Json> choices) { return {{"anyOf", std::move(choices)}}; }
Json words(const std::vector<std::string>& all) { return {{"enum", all}}; }
Json list_of(const Json& element) { return {{"type", "array"}, {"items", element}, {"minItems", 1}}; }
Json one_or_list(const Json& element) { return any_of({element, list_of(element)}); }
Json closed_map() { return {{"type", "object"}, {"additionalProperties", false}}; }
Json map_by(const char* pattern, const Json& value) {
  Json map = closed_map();
  map["patternProperties"][pattern] = value;
  return map;
}
Json or_nothing(const Json& value) { return any_of({value, {{"type", "null"}}}); }

// A `$ref` hides what stands beside it in draft-07: the words for the hover wrap it.
Json described(Json value, std::string_view about, std::string_view fallback) {
  if (value.contains("$ref")) value = any_of({value});
  if (!about.empty()) value["description"] = about;
  if (!fallback.empty()) value["default"] = fallback;
  return value;
}

// ---- sections: the tables of options ------------------------------------------------------------------------------

class Sections {
 public:
  explicit Sections(const std::vector<std::string>& param_words) : param_words_(param_words) {}

  Json of(const Option& o) const { return described(value(o), o.about, o.fallback.value_or("")); }

 private:
  Json value(const Option& o) const {
    switch (o.kind) {
      case OptionKind::whole: return any_of({ranged("integer", o), {{"type", "string"}}});
      case OptionKind::real: return any_of({ranged("number", o), {{"type", "string"}}});
      case OptionKind::boolean: return {{"type", "boolean"}};
      case OptionKind::word: return o.choices.empty() ? to("text") : words(with_params(o.choices));
      case OptionKind::text:
      case OptionKind::path: return to("text");
      case OptionKind::expressions: return one_or_list(to("expression"));
      case OptionKind::section: return o.shorthand.empty() ? or_nothing(section(o)) : any_of({section(o), to("text")});
      case OptionKind::one_of: return one_of(o);
      case OptionKind::list: break;
    }
    Json list = list_of(of(o.children.at(0)));
    if (o.min) list["minItems"] = static_cast<int>(*o.min);
    if (o.max) list["maxItems"] = static_cast<int>(*o.max);
    return any_of({list, value(o.children.at(0))});
  }
  static Json ranged(const char* type, const Option& o) {
    Json number = {{"type", type}};
    if (o.min) number["minimum"] = *o.min;
    if (o.max) number["maximum"] = *o.max;
    return number;
  }
  Json section(const Option& o) const {
    Json map = closed_map();
    map["properties"] = Json::object();
    for (const Option& child : o.children) {
      map["properties"][child.name] = of(child);
      if (child.required) map["required"].push_back(child.name);
    }
    return map;
  }
  Json one_of(const Option& o) const {
    Json map = section(o);
    map["minProperties"] = map["maxProperties"] = 1;
    std::vector<std::string> names;
    for (const Option& child : o.children) names.push_back(child.name);
    return any_of({map, words(names)});
  }
  std::vector<std::string> with_params(std::vector<std::string> choices) const {
    choices.insert(choices.end(), param_words_.begin(), param_words_.end());
    return choices;
  }

  const std::vector<std::string>& param_words_;  // params of type enum may stand for a word
};

// ---- the language -------------------------------------------------------------------------------------------------

class SchemaMaker {
 public:
  SchemaMaker(const Module& module, bool closed, std::span<const Option> sections)
      : module_(module), closed_(closed), sections_(sections) {
    for (const Param& p : module.file.params) {
      if (p.type == Param::Type::word) param_words_.push_back(p.name);
    }
  }

  Json run() {
    common();
    items("", closed_);
    items(kOpen, false);
    for (const MapKeys& map : structure()) {
      if (!of_items(map.name))
        definitions_["map." + std::string(map.name)] = table(map.name, map.name == "inline" ? kOpen : "");
    }
    Json schema = {{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", "A description for Weft"}};
    schema.update(table("description", ""));
    schema["properties"]["schema"]["enum"] = {1};
    schema["definitions"] = std::move(definitions_);
    return schema;
  }

 private:
  // The items inside an `inline` have defs of their own, which are not listed.
  static constexpr const char* kOpen = ".any";

  static bool of_items(std::string_view name) {
    const auto& all = item_keywords();
    return std::any_of(all.begin(), all.end(),
                       [&](const std::string& k) { return name == k || name == k + " item"; }) &&
           name != "inline";
  }

  void common() {
    definitions_["text"] = {{"type", {"string", "number", "boolean"}}};
    definitions_["expression"] = {{"type", {"number", "string", "boolean"}}};
    definitions_["number"] = {{"type", {"number", "string"}}};
    definitions_["shape"] = any_of({Json{{"type", "array"}, {"items", to("number")}}, to("number")});
    definitions_["equations"] = map_by(kName, to("expression"));
    Json argument = map_by(kName, to("expression"));
    definitions_["arguments"] = or_nothing(argument);
  }

  Json table(std::string_view name, const std::string& kind) {
    Json map = closed_map();
    map["properties"] = Json::object();
    for (const Field& key : keys_of(name)) {
      map["properties"][std::string(key.name)] = described(value(key, kind), key.about, key.fallback);
      if (key.required) map["required"].push_back(key.name);
    }
    return map;
  }

  Json value(const Field& key, const std::string& kind) {
    const std::string of = "map." + std::string(key.of);
    switch (key.holds) {
      case Holds::text:
      case Holds::path: return to("text");
      case Holds::name: return {{"type", "string"}, {"pattern", kPlace}};
      case Holds::whole: return {{"type", "integer"}};
      case Holds::expression: return to("expression");
      case Holds::boolean: return {{"type", "boolean"}};
      case Holds::word: return words(key.words);
      case Holds::words: return one_or_list(key.words.empty() ? to("text") : words(key.words));
      case Holds::shape: return to("shape");
      case Holds::item: return to("item" + kind);
      case Holds::items: return to("items" + kind);
      case Holds::branches: return one_or_list(to("items" + kind));
      case Holds::arguments: return to("arguments");
      case Holds::equations: return or_nothing(to("equations"));
      case Holds::sizes: return or_nothing(map_by(kName, to("number")));
      case Holds::shapes: return or_nothing(map_by(kName, to("shape")));
      case Holds::checks: return {{"type", "array"}, {"items", to("expression")}};
      case Holds::imports: return map_by(kName, {{"type", "string"}});
      case Holds::settings: return map_by("^[^.]+(\\.[^.]+)*$", Json{{"type", "array"}, {"minItems", 1}});
      case Holds::setting_list: return list_of(Json{{"type", "object"}, {"minProperties", 1}});
      case Holds::out: return any_of({to("expression"), to("equations")});
      case Holds::map: return to(of);
      case Holds::maps: return or_nothing(map_by(kDotted, to(of)));
      case Holds::maps_or_values: {
        const std::vector<Json> of_param = {to(of), to("expression"), list_of(to("text"))},
                                of_weight = {to(of), to("shape")};
        return or_nothing(map_by(kName, any_of(key.of == "param" ? of_param : of_weight)));
      }
      case Holds::section: break;
    }
    for (const Option& o : sections_) {
      if (o.name == key.name) return Sections(param_words_).of(o);
    }
    return Json::object();
  }

  // ---- items -----------------------------------------------------------------------------------------------------

  void items(const std::string& kind, bool closed) {
    for (const char* keyword : {"residual", "parallel", "repeat", "cycle", "share"})
      definitions_["item." + std::string(keyword) + kind] = table(keyword, kind);
    for (const char* keyword : {"use", "inline"})
      definitions_["item." + std::string(keyword) + kind] = table(std::string(keyword) + " item", kind);
    Json keys = Json::object(), names = Json::array();
    for (const char* keyword : {"residual", "parallel", "repeat", "cycle", "share"})
      keys[keyword] = to("item." + std::string(keyword) + kind);
    for (auto& [name, arguments] : layers(closed)) {
      names.push_back(name);
      const std::string definition = "layer." + name + kind;
      definitions_[definition] = std::move(arguments);
      keys[name] = to(definition);
    }
    Json alone = closed_map();
    alone["properties"] = keys;
    if (!closed) alone["patternProperties"][other_layers()] = to("arguments");
    Json named = alone;
    named["properties"]["name"] = {{"type", "string"}, {"pattern", kPlace}};
    named["required"] = {"name"};
    alone["minProperties"] = alone["maxProperties"] = 1;
    named["minProperties"] = named["maxProperties"] = 2;
    std::vector<Json> choices = {{{"enum", names}}, alone, named, to("item.use" + kind), to("item.inline" + kind)};
    if (!closed) choices.push_back({{"type", "string"}, {"pattern", other_layers()}});
    definitions_["item" + kind] = any_of(std::move(choices));
    definitions_["items" + kind] = one_or_list(to("item" + kind));
  }

  static std::string other_layers() {
    std::string keywords = "name";
    for (const std::string& k : item_keywords()) keywords += "|" + k;
    return fmt::format("^(?!({}|T)$){}", keywords, std::string(kDotted).substr(std::string("^(?!T$)").size()));
  }

  // Names of layers and what their arguments are, nearest first.
  std::vector<std::pair<std::string, Json>> layers(bool closed) const {
    std::vector<std::pair<std::string, Json>> all;
    const auto add = [&](const std::string& name, Json arguments) {
      if (std::any_of(all.begin(), all.end(), [&](const auto& l) { return l.first == name; })) return;
      arguments["properties"]["name"] = {{"type", "string"}, {"pattern", kPlace}};
      if (!closed) arguments["additionalProperties"] = to("expression");  // a def of that name may stand before it
      const std::string about = arguments.value("description", "");
      arguments.erase("description");
      all.emplace_back(name, described(or_nothing(arguments), about, ""));
    };
    if (closed) {
      for (const Def& def : module_.file.defs) add(def.name, arguments_of(def));
      for (const auto& [alias, other] : module_.imports) {
        for (const Def& def : other ? other->file.defs : std::vector<Def>())
          add(alias + "." + def.name, arguments_of(def));
      }
    }
    if (module_.prelude) {
      for (const Def& def : module_.prelude->file.defs) add(def.name, arguments_of(def));
    }
    for (const Op* op : ops::table()) {
      const auto required =
          std::count_if(op->inputs.begin(), op->inputs.end(), [](const Input& i) { return !i.is(Input::optional); });
      if (required == 1) add(op->name, arguments_of(*op));
    }
    return all;
  }

  static Json arguments_of(const Def& def) {
    Json map = closed_map();
    map["description"] = def.about;
    for (const Param& p : def.params)
      map["properties"][p.name] = described(to("expression"), p.about, p.value ? expr_text(*p.value) : "");
    map["properties"]["tie"] = {{"type", "string"}, {"description", "An earlier item whose matrix is taken."}};
    return map;
  }

  static Json arguments_of(const Op& op) {
    Json map = closed_map();
    map["description"] = op.doc.equation;
    for (const AttributeInfo& a : op.attributes)
      map["properties"][a.name] = described(to("expression"), a.about, a.required ? "" : text(a.standard));
    return map;
  }

  const Module& module_;
  bool closed_;
  std::span<const Option> sections_;
  std::vector<std::string> param_words_;
  Json definitions_ = Json::object();
};

}  // namespace

Json json_schema(const Module& module, bool closed, std::span<const Option> sections) {
  return SchemaMaker(module, closed, sections).run();
}

}  // namespace weft::dsl
