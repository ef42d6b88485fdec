// Declarations of parameters.

#include "dsl/params.h"

#include <fmt/format.h>

#include "dsl/fields.h"
#include "dsl/structure.h"

namespace weft::dsl {
namespace {

std::optional<Param::Type> type_of(std::string_view word) {
  if (word == "int") return Param::Type::whole;
  if (word == "float") return Param::Type::real;
  if (word == "bool") return Param::Type::boolean;
  if (word == "enum") return Param::Type::word;
  return {};
}

void read_choices(const Yaml& value, Param& param, Diagnostics& diagnostics) {
  if (!expect_kind(value, Yaml::Kind::list, "`choices`", diagnostics)) param.broken = true;
  for (const Yaml& item : value.items) {
    if (item.is_scalar() && is_name(item.text)) {
      param.choices.push_back(item.text);
    } else {
      diagnostics.error("E0303", item.span, "a choice must be a name").help("letters, digits and underscores");
      param.broken = true;
    }
  }
}

Param long_form(Param param, const Yaml& map, Diagnostics& diagnostics) {
  param.broken = !expect_keys(map, fmt::format("param `{}`", param.name), key_names("param"), diagnostics);
  const auto expression = [&](std::string_view key) -> ExprPtr {
    const Yaml* value = map.find(key);
    if (!value) return nullptr;
    ExprPtr result = parse_expression(*value, diagnostics);
    param.broken |= !result;
    return result;
  };
  const Yaml* type = map.find("type");
  if (type && type_of(type->text)) {
    param.type = *type_of(type->text);
  } else if (type) {
    diagnostics.error("E0303", type->span, fmt::format("`{}` is not a type", type->text))
        .note("types are " + listed(words_of("param", "type")))
        .help(guess_text(type->text, words_of("param", "type")));
    param.broken = true;
  }
  if (const Yaml* choices = map.find("choices")) {
    read_choices(*choices, param, diagnostics);
    if (!type) param.type = Param::Type::word;
  } else if (param.type == Param::Type::word && !param.broken) {
    diagnostics.error("E0302", param.span, fmt::format("param `{}` is an enum without `choices`", param.name))
        .help("add `choices: [a, b]`");
    param.broken = true;
  }
  param.value = expression("default");
  param.min = expression("min");
  param.max = expression("max");
  param.about = read_text(map, "about", diagnostics);
  return param;
}

/// `rule: [delta, sum]` is an enum whose first word is its default.
Param words_alone(Param param, const Yaml& list, Diagnostics& diagnostics) {
  param.type = Param::Type::word;
  read_choices(list, param, diagnostics);
  if (param.choices.empty()) {
    if (!param.broken) {
      diagnostics.error("E0302", list.span, fmt::format("param `{}` is an enum without a word", param.name))
          .help("write `[a, b]`, the default first");
    }
    param.broken = true;
    return param;
  }
  param.value = parse_expression(list.items.front(), diagnostics);
  return param;
}

}  // namespace

std::vector<Param> parse_params(const Yaml& value, Diagnostics& diagnostics) {
  std::vector<Param> params;
  if (!expect_kind(value, Yaml::Kind::map, "`params`", diagnostics)) return params;
  for (const Entry& entry : value.entries) {
    Param param;
    param.name = entry.key.text;
    param.span = entry.key.span;
    if (!check_new_name(entry.key, "a param", diagnostics)) continue;
    if (entry.value.is_map()) {
      params.push_back(long_form(std::move(param), entry.value, diagnostics));
      continue;
    }
    if (entry.value.is_list()) {
      params.push_back(words_alone(std::move(param), entry.value, diagnostics));
      continue;
    }
    const bool bare_type = entry.value.is_scalar() && !entry.value.quoted && type_of(entry.value.text);
    if (bare_type) {
      param.type = *type_of(entry.value.text);
      if (param.type == Param::Type::word) {
        diagnostics.error("E0302", entry.value.span, fmt::format("param `{}` is an enum without `choices`", param.name))
            .help("write `{type: enum, choices: [a, b]}`");
        param.broken = true;
      }
    } else {
      param.value = parse_expression(entry.value, diagnostics);
      param.broken = !param.value;
    }
    params.push_back(std::move(param));
  }
  return params;
}

}  // namespace weft::dsl
