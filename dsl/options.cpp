// Reading a section by its table. The table says everything: types, defaults, ranges, what may
// stand where.

#include "dsl/options.h"

#include <algorithm>

#include <fmt/format.h>

#include "dsl/fields.h"

namespace weft::dsl {
namespace {

std::vector<std::string> names_of(const std::vector<Option>& options) {
  std::vector<std::string> names;
  for (const Option& option : options) names.push_back(option.name);
  return names;
}

class Reader {
 public:
  Reader(const Scope& params, Diagnostics& diagnostics, std::span<const Option> others)
      : params_(params), diagnostics_(diagnostics), others_(others) {}

  Settings settings;

  /// `value` is nullptr for a default; `where` is the key that stands for the option.
  void read(const Option& option, const std::string& path, const Yaml* value, const Span& where) {
    if (!value && option.kind == OptionKind::section && wants_something(option)) return;
    if (value && value->is_null()) value = missing(option, *value);
    if (option.kind == OptionKind::section) return section(option, path, value, where);
    const bool given = value != nullptr;
    Yaml fallback;
    if (!value) {
      if (option.required)
        diagnostics_.error("E0302", where, fmt::format("`{}` must be given", option.name)).help(option.about);
      if (option.required || !option.fallback) return;
      fallback = default_tree(option);
      value = &fallback;
    }
    if (option.kind == OptionKind::one_of) return one_of(option, path, *value, given);
    if (option.kind == OptionKind::list) return list(option, path, *value, given);
    leaf(option, path, *value, given);
  }

 private:
  const Yaml* missing(const Option& option, const Yaml& value) {
    if (option.kind == OptionKind::section) return nullptr;  // `eval:` alone is the section with its defaults
    diagnostics_.error("E0501", value.span, fmt::format("`{}` has no value", option.name));
    return nullptr;
  }

  static bool wants_something(const Option& section) {
    return std::any_of(section.children.begin(), section.children.end(), [](const Option& o) { return o.required; });
  }

  // Defaults are written as YAML in the table; one that does not read is our mistake.
  Yaml default_tree(const Option& option) const {
    Diagnostics own;
    Yaml tree = read_yaml(make_source("<default>", *option.fallback), own);
    if (own.has_errors())
      throw std::logic_error(
          fmt::format("options: the default of {} does not read: {}", option.name, own.render(false)));
    return tree;
  }

  void section(const Option& option, const std::string& path, const Yaml* value, const Span& where) {
    Yaml map;
    if (value && !option.shorthand.empty()) {
      map = *value;
      spell_out(map, option);
      value = &map;
    }
    if (value && !expect_kind(*value, Yaml::Kind::map, fmt::format("`{}`", option.name), diagnostics_)) value = nullptr;
    if (value) check_keys(option, *value);
    for (const Option& child : option.children) {
      const Entry* entry = value ? value->find_entry(child.name) : nullptr;
      read(child, path.empty() ? child.name : path + "." + child.name, entry ? &entry->value : nullptr,
           entry ? entry->key.span : where);
    }
  }

  void check_keys(const Option& option, const Yaml& map) {
    const std::vector<std::string> legal = names_of(option.children);
    for (const Entry& entry : map.entries) {
      if (option.child(entry.key.text)) continue;
      Diagnostic& d = unknown_key(entry.key, fmt::format("`{}`", option.name), legal, diagnostics_);
      for (const Option& other : others_) {
        if (other.name != option.name && other.child(entry.key.text))
          d.help(fmt::format("`{}` belongs under `{}`", entry.key.text, other.name));
      }
    }
  }

  void one_of(const Option& option, const std::string& path, const Yaml& value, bool given) {
    const std::vector<std::string> legal = names_of(option.children);
    const bool bare = value.is_scalar();
    if (!bare && (!value.is_map() || value.entries.size() != 1)) {
      diagnostics_.error("E0502", value.span, fmt::format("`{}` must be a map with one key", option.name))
          .note("legal keys are " + listed(legal));
      return;
    }
    const std::string& chosen = bare ? value.text : value.entries[0].key.text;
    const Yaml& key = bare ? value : value.entries[0].key;
    const Option* child = option.child(chosen);
    if (!child) {
      diagnostics_.error("E0502", key.span, fmt::format("`{}` is not a choice of `{}`", chosen, option.name))
          .note("choices are " + listed(legal))
          .help(guess_text(chosen, legal));
      return;
    }
    put(option, path, chosen, key.span, given);
    read(*child, path.empty() ? chosen : path + "." + chosen, bare ? nullptr : &value.entries[0].value, key.span);
  }

  void list(const Option& option, const std::string& path, const Yaml& value, bool given) {
    const Option& element = option.children.at(0);
    const std::vector<Yaml> single = {value};
    const std::vector<Yaml>& items = value.is_list() ? value.items : single;
    Setting setting{OptionKind::list, value.span, given, {}, static_cast<i64>(items.size())};
    for (const auto& [limit, low] : {std::pair(option.min, true), std::pair(option.max, false)}) {
      const auto size = static_cast<double>(items.size());
      if (!limit || (low ? size >= *limit : size <= *limit)) continue;
      diagnostics_.error(
          "E0503", value.span,
          fmt::format("`{}` takes at {} {} values, not {}", option.name, low ? "least" : "most", *limit, items.size()));
    }
    settings.put(path, std::move(setting));
    Option named = element;
    named.name = option.name;
    for (size_t i = 0; i < items.size(); ++i) read(named, fmt::format("{}.{}", path, i), &items[i], items[i].span);
  }

  void leaf(const Option& option, const std::string& path, const Yaml& value, bool given) {
    if (option.kind == OptionKind::expressions) return expressions(option, path, value, given);
    if (!expect_kind(value, Yaml::Kind::scalar, fmt::format("`{}`", option.name), diagnostics_)) return;
    switch (option.kind) {
      case OptionKind::whole:
      case OptionKind::real: return number(option, path, value, given);
      case OptionKind::boolean:
        if (const auto truth = parse_bool(value, fmt::format("`{}`", option.name), diagnostics_))
          put(option, path, *truth, value.span, given);
        return;
      case OptionKind::word: return word(option, path, value, given);
      default: return put(option, path, value.text, value.span, given);
    }
  }

  void expressions(const Option& option, const std::string& path, const Yaml& value, bool given) {
    std::vector<ExprPtr> result;
    const std::vector<Yaml> single = {value};
    for (const Yaml& item : value.is_list() ? value.items : single) {
      if (ExprPtr expr = parse_expression(item, diagnostics_)) result.push_back(std::move(expr));
    }
    put(option, path, std::move(result), value.span, given);
  }

  void number(const Option& option, const std::string& path, const Yaml& value, bool given) {
    const ExprPtr expr = parse_expression(value, diagnostics_);
    if (!expr) return;
    double compared = 0;
    if (option.kind == OptionKind::whole) {
      const auto whole = evaluate_whole(*expr, params_, diagnostics_);
      if (!whole) return;
      put(option, path, *whole, value.span, given);
      compared = static_cast<double>(*whole);
    } else {
      const auto real = evaluate_real(*expr, params_, diagnostics_);
      if (!real) return;
      put(option, path, *real, value.span, given);
      compared = *real;
    }
    if (option.min && compared < *option.min) range_error(option, value, "least", *option.min, compared);
    if (option.max && compared > *option.max) range_error(option, value, "most", *option.max, compared);
  }

  void range_error(const Option& option, const Yaml& value, const char* side, double limit, double got) {
    diagnostics_.error("E0503", value.span,
                       fmt::format("`{}` must be at {} {}, not {}", option.name, side, limit, got));
  }

  void word(const Option& option, const std::string& path, const Yaml& value, bool given) {
    const auto& choices = option.choices;
    // A param of type enum may stand for the word.
    const auto param = value.quoted ? params_.end() : params_.find(value.text);
    const bool known = choices.empty() || std::find(choices.begin(), choices.end(), value.text) != choices.end();
    if (!known && param != params_.end() && !param->second) return;
    const Word* passed = !known && param != params_.end() ? std::get_if<Word>(&*param->second) : nullptr;
    const std::string& text = passed ? passed->text : value.text;
    if (!known && std::find(choices.begin(), choices.end(), text) == choices.end()) {
      diagnostics_.error("E0504", value.span, fmt::format("`{}` is not a choice of `{}`", text, option.name))
          .note("choices are " + listed(choices))
          .help(guess_text(text, choices));
      return;
    }
    put(option, path, text, value.span, given);
  }

  template <typename T> void put(const Option& option, const std::string& path, T value, const Span& span, bool given) {
    Setting setting;
    setting.kind = option.kind;
    setting.given = given;
    if (given) setting.span = span;
    setting.value = std::move(value);
    settings.put(path, std::move(setting));
  }

  const Scope& params_;
  Diagnostics& diagnostics_;
  std::span<const Option> others_;
};

}  // namespace

const Option* Option::child(std::string_view key) const {
  for (const Option& option : children) {
    if (option.name == key) return &option;
  }
  return nullptr;
}

void spell_out(Yaml& value, const Option& section) {
  if (section.shorthand.empty() || !value.is_scalar() || value.is_null()) return;
  Yaml key, map;
  key.kind = Yaml::Kind::scalar;
  key.text = section.shorthand;
  map.kind = Yaml::Kind::map;
  key.span = map.span = value.span;
  map.entries.push_back({std::move(key), std::move(value)});
  value = std::move(map);
}

Settings read_options(const Option& table, const Yaml* given, const Span& key, const Scope& params,
                      Diagnostics& diagnostics, std::span<const Option> others) {
  Reader reader(params, diagnostics, others);
  reader.read(table, "", given, key);
  return std::move(reader.settings);
}

}  // namespace weft::dsl
