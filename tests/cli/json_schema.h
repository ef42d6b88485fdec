// A checker for the part of JSON Schema draft-07 that `weft schema` uses; any other keyword is a failure.
#pragma once
#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>

#include "dsl/yaml.h"

namespace weft::tests {

using Json = nlohmann::json;

/// What an editor makes of a tree.
inline Json plain_json(const dsl::Yaml& value) {
  if (value.is_list()) {
    Json list = Json::array();
    for (const dsl::Yaml& item : value.items) list.push_back(plain_json(item));
    return list;
  }
  if (value.is_map()) {
    Json map = Json::object();
    for (const dsl::Entry& e : value.entries) map[e.key.text] = plain_json(e.value);
    return map;
  }
  if (value.is_null()) return {};
  if (value.style != dsl::Yaml::Style::plain) return value.text;
  if (value.text == "true" || value.text == "false") return value.text == "true";
  char* end = nullptr;
  const double number = std::strtod(value.text.c_str(), &end);
  if (value.text.empty() || *end != '\0') return value.text;
  if (number == std::floor(number) && std::abs(number) < 1e15) return static_cast<std::int64_t>(number);
  return number;
}

class SchemaChecker {
 public:
  explicit SchemaChecker(Json schema) : root_(std::move(schema)) {}
  /// Where the value breaks the schema, as in "/train/steps: minimum"; empty when it fits.
  std::string fault(const Json& value) { return check(root_, value, ""); }
  std::set<std::string> unknown;  // keywords that were met and are not known here

 private:
  std::string check(const Json& schema, const Json& value, const std::string& at) {
    for (const auto& [keyword, rule] : schema.items()) {
      const std::string fault = one(schema, keyword, rule, value, at);
      if (!fault.empty()) return fault;
    }
    return {};
  }

  std::string one(const Json& schema, const std::string& keyword, const Json& rule, const Json& value,
                  const std::string& at) {
    const auto unless = [&](bool fits) { return fits ? "" : at + ": " + keyword; };
    const bool map = value.is_object(), list = value.is_array();
    if (keyword == "$ref") return check(root_["definitions"].at(rule.get<std::string>().substr(14)), value, at);
    if (keyword == "type") return unless(has_type(rule, value));
    if (keyword == "enum") return unless(std::find(rule.begin(), rule.end(), value) != rule.end());
    if (keyword == "anyOf") {
      return unless(std::any_of(rule.begin(), rule.end(), [&](const Json& s) { return check(s, value, at).empty(); }));
    }
    if (keyword == "pattern") return unless(!value.is_string() || matches(value.get<std::string>(), rule));
    if (keyword == "minimum") return unless(!value.is_number() || value >= rule);
    if (keyword == "maximum") return unless(!value.is_number() || value <= rule);
    if (keyword == "minItems") return unless(!list || value.size() >= rule);
    if (keyword == "maxItems") return unless(!list || value.size() <= rule);
    if (keyword == "minProperties") return unless(!map || value.size() >= rule);
    if (keyword == "maxProperties") return unless(!map || value.size() <= rule);
    if (keyword == "required") {
      return unless(!map || std::all_of(rule.begin(), rule.end(),
                                        [&](const Json& k) { return value.contains(k.get<std::string>()); }));
    }
    if (keyword == "items") return list ? each(rule, value, at) : "";
    if (keyword == "properties" || keyword == "patternProperties") return "";  // below, once for all three
    if (keyword == "additionalProperties") return map ? members(schema, value, at) : "";
    static const std::set<std::string> kWords = {"$schema", "title", "description", "default", "definitions"};
    if (!kWords.contains(keyword)) unknown.insert(keyword);
    return {};
  }

  std::string each(const Json& rule, const Json& value, const std::string& at) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      const std::string fault = check(rule, value[i], at + "/" + std::to_string(i));
      if (!fault.empty()) return fault;
    }
    return {};
  }

  std::string members(const Json& schema, const Json& value, const std::string& at) {
    const Json patterns = schema.value("patternProperties", Json::object());
    for (const auto& [key, member] : value.items()) {
      std::string fault;
      bool known = false;
      if (schema.contains("properties") && schema["properties"].contains(key)) {
        known = true;
        fault = check(schema["properties"][key], member, at + "/" + key);
      }
      for (const auto& [pattern, rule] : patterns.items()) {
        if (!fault.empty() || !matches(key, pattern)) continue;
        known = true;
        fault = check(rule, member, at + "/" + key);
      }
      const Json& more = schema["additionalProperties"];
      if (!known)
        fault = more == false ? at + "/" + key + ": additionalProperties" : check(more, member, at + "/" + key);
      if (!fault.empty()) return fault;
    }
    return {};
  }

  static bool has_type(const Json& rule, const Json& value) {
    if (rule.is_array())
      return std::any_of(rule.begin(), rule.end(), [&](const Json& r) { return has_type(r, value); });
    if (rule == "number") return value.is_number();
    if (rule == "integer") return value.is_number_integer();
    return rule == value.type_name();
  }

  bool matches(const std::string& text, const std::string& pattern) {
    const auto [found, fresh] = patterns_.try_emplace(pattern);
    if (fresh) found->second = std::regex(pattern, std::regex::ECMAScript);
    return std::regex_search(text, found->second);
  }

  Json root_;
  std::map<std::string, std::regex> patterns_;
};

}  // namespace weft::tests
