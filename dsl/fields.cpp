#include "dsl/fields.h"

#include <algorithm>

#include <fmt/format.h>

namespace weft::dsl {
namespace {

std::string_view wanted_name(Yaml::Kind kind) {
  switch (kind) {
    case Yaml::Kind::map: return "a map";
    case Yaml::Kind::list: return "a list";
    case Yaml::Kind::null: return "nothing";
    case Yaml::Kind::scalar: break;
  }
  return "a single value";
}

}  // namespace

bool expect_kind(const Yaml& value, Yaml::Kind kind, const std::string& what, Diagnostics& diagnostics) {
  if (value.kind == kind) return true;
  diagnostics.error("E0303", value.span,
                    fmt::format("{} must be {}, not {}", what, wanted_name(kind), kind_name(value)));
  return false;
}

Diagnostic& unknown_key(const Yaml& key, const std::string& what, const std::vector<std::string>& legal,
                        Diagnostics& diagnostics) {
  Diagnostic& d = diagnostics.error("E0301", key.span, fmt::format("{} has no key `{}`", what, key.text));
  d.note(legal.empty() ? "no key is legal here" : "legal keys are " + listed(legal, "and"));
  return d.help(guess_text(key.text, legal));
}

bool expect_keys(const Yaml& value, const std::string& what, const std::vector<std::string>& legal,
                 Diagnostics& diagnostics) {
  if (!expect_kind(value, Yaml::Kind::map, what, diagnostics)) return false;
  bool all = true;
  for (const Entry& entry : value.entries) {
    if (std::find(legal.begin(), legal.end(), entry.key.text) != legal.end()) continue;
    unknown_key(entry.key, what, legal, diagnostics);
    all = false;
  }
  return all;
}

const Yaml* require(const Yaml& map, std::string_view key, const std::string& what, const Span& where,
                    Diagnostics& diagnostics) {
  const Yaml* value = map.find(key);
  const bool misspelt = std::any_of(map.entries.begin(), map.entries.end(), [&](const Entry& entry) {
    return did_you_mean(entry.key.text, {std::string(key)}) == key;  // reported as unknown
  });
  if (!value && map.is_map() && !misspelt)
    diagnostics.error("E0302", where, fmt::format("{} lacks the key `{}`", what, key));
  return value;
}

std::string read_text(const Yaml& map, std::string_view key, Diagnostics& diagnostics) {
  const Yaml* value = map.find(key);
  if (!value || !expect_kind(*value, Yaml::Kind::scalar, fmt::format("`{}`", key), diagnostics)) return {};
  return value->text;
}

std::optional<bool> parse_bool(const Yaml& value, const std::string& what, Diagnostics& diagnostics) {
  if (value.is_scalar() && !value.quoted && (value.text == "true" || value.text == "false"))
    return value.text == "true";
  static constexpr std::string_view kYes[] = {"yes", "on", "y", "Yes", "On", "True", "TRUE", "YES", "ON", "1", "true"};
  static constexpr std::string_view kNo[] = {"no",    "off", "n",   "No", "Off",  "False",
                                             "FALSE", "NO",  "OFF", "0",  "false"};
  const bool yes = std::find(std::begin(kYes), std::end(kYes), value.text) != std::end(kYes);
  const bool no = std::find(std::begin(kNo), std::end(kNo), value.text) != std::end(kNo);
  const std::string shown = value.is_scalar() ? fmt::format("{1}{0}{1}", value.text, value.quoted ? "\"" : "`")
                                              : std::string(kind_name(value));
  diagnostics.error("E0303", value.span, fmt::format("{} must be `true` or `false`, not {}", what, shown))
      .help(yes  ? "write `true`, without quotes"
            : no ? "write `false`, without quotes"
                 : "");
  return {};
}

bool read_bool(const Yaml& map, std::string_view key, bool otherwise, Diagnostics& diagnostics) {
  const Yaml* value = map.find(key);
  return value ? parse_bool(*value, fmt::format("`{}`", key), diagnostics).value_or(otherwise) : otherwise;
}

ExprPtr read_expression(const Yaml& map, std::string_view key, Diagnostics& diagnostics) {
  const Yaml* value = map.find(key);
  return value ? parse_expression(*value, diagnostics) : nullptr;
}

bool check_new_name(const Yaml& key, const std::string& what, Diagnostics& diagnostics) {
  if (!is_name(key.text)) {
    diagnostics.error("E0106", key.span, fmt::format("`{}` cannot name {}", key.text, what))
        .help(key.text.find('.') == std::string::npos ? "it is a word of the language" : "write it without a dot");
    return false;
  }
  if (key.text == "T") {
    diagnostics.error("E0304", key.span, fmt::format("`T` cannot name {}: it is the length in time", what))
        .help("choose another name");
    return false;
  }
  return true;
}

}  // namespace weft::dsl
