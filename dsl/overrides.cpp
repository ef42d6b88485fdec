#include "dsl/overrides.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "dsl/fields.h"

namespace weft::dsl {
namespace {

struct Segment {
  std::string name;
  Span span;
};

std::vector<Segment> split(const std::string& path, const Span& span) {
  std::vector<Segment> result;
  size_t begin = 0;
  for (;;) {
    const size_t end = std::min(path.size(), path.find('.', begin));
    const int at = span.begin + static_cast<int>(begin);
    result.push_back(
        {path.substr(begin, end - begin), {span.source, at, std::max(at + 1, span.begin + static_cast<int>(end))}});
    if (end == path.size()) return result;
    begin = end + 1;
  }
}

Yaml key_node(const Segment& segment) {
  Yaml key;
  key.kind = Yaml::Kind::scalar;
  key.text = segment.name;
  key.span = segment.span;
  return key;
}

Yaml map_node(const Segment& segment) {
  Yaml map;
  map.kind = Yaml::Kind::map;
  map.span = segment.span;
  return map;
}

std::vector<std::string> keys_of(const Yaml& map) {
  std::vector<std::string> keys;
  for (const Entry& entry : map.entries) keys.push_back(entry.key.text);
  return keys;
}

std::vector<std::string> names_of(std::span<const Option> options) {
  std::vector<std::string> names;
  for (const Option& option : options) names.push_back(option.name);
  return names;
}

class Override {
 public:
  Override(Yaml& tree, std::vector<Segment> path, Yaml value, std::span<const Option> sections,
           Diagnostics& diagnostics)
      : tree_(tree), path_(std::move(path)), value_(std::move(value)), sections_(sections), diagnostics_(diagnostics) {}

  void run() {
    for (const Segment& segment : path_) {
      if (segment.name.empty()) fail(segment, "a name is missing in the path", {});
    }
    for (const Option& section : sections_) {
      if (section.name != path_[0].name) continue;
      check_option(section);
      return set_option(section);
    }
    const Segment& top = path_[0];
    if (top.name == "name" || top.name == "about") {
      if (path_.size() > 1) fail(path_[1], fmt::format("`{}` is a text", top.name), {});
      return assign(child(tree_, top));
    }
    if (!tree_.find(top.name)) {
      std::vector<std::string> legal = keys_of(tree_);
      for (const std::string& name : names_of(sections_)) legal.push_back(name);
      fail(top, fmt::format("the description has no `{}`", top.name), legal);
    }
    return top.name == "params" ? set_param() : set_existing();
  }

 private:
  [[noreturn]] void fail(const Segment& segment, const std::string& message, const std::vector<std::string>& legal) {
    Diagnostic& d = diagnostics_.error("E0505", segment.span, message);
    if (!legal.empty()) d.note("legal names are " + listed(legal, "and")).help(guess_text(segment.name, legal));
    throw Failed{};
  }

  void assign(Yaml& place) { place = std::move(value_); }

  /// The value under a key, made when it is missing.
  static Yaml& child(Yaml& map, const Segment& segment) {
    if (!map.is_map()) map = map_node(segment);
    if (Yaml* found = map.find(segment.name)) return *found;
    map.entries.push_back({key_node(segment), Yaml{}});
    map.entries.back().value.span = segment.span;
    return map.entries.back().value;
  }

  static bool is_index(const std::string& text) {
    return !text.empty() && text.size() < 7 &&
           std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); });
  }

  void check_option(const Option& section) {
    const Option* at = &section;
    for (size_t i = 1; i < path_.size(); ++i) {
      const Segment& segment = path_[i];
      if (at->kind == OptionKind::list) {
        if (!is_index(segment.name))
          fail(segment, fmt::format("`{}` is a list: its values have numbers", at->name), {});
        at = &at->children.at(0);
        continue;
      }
      const Option* next = at->child(segment.name);
      if (next) {
        at = next;
        continue;
      }
      std::vector<std::string> legal = names_of(at->children);
      for (const Option& other : sections_) {
        if (i == 1 && other.name != section.name && other.child(segment.name)) {
          diagnostics_.error("E0505", segment.span, fmt::format("`{}` has no `{}`", at->name, segment.name))
              .help(fmt::format("`{0}` belongs under `{1}`: write `{1}.{0}`", segment.name, other.name));
          throw Failed{};
        }
      }
      fail(segment, fmt::format("`{}` has no `{}`", at->name, segment.name), legal);
    }
  }

  void set_option(const Option& section) {
    const Option* option = &section;
    Yaml* place = &child(tree_, path_[0]);
    for (size_t i = 1; i < path_.size(); ++i) {
      if (option->kind == OptionKind::list) {
        place = &element(*place, path_[i]);
        option = &option->children.at(0);
        continue;
      }
      // The arguments of one choice mean nothing to another.
      spell_out(*place, *option);
      const bool choice = option->kind == OptionKind::one_of;
      if (choice && !(place->is_map() && place->find(path_[i].name))) *place = map_node(path_[i]);
      place = &child(*place, path_[i]);
      option = option->child(path_[i].name);
    }
    assign(*place);
  }

  Yaml& element(Yaml& list, const Segment& segment) {
    const size_t index = is_index(segment.name) ? std::stoul(segment.name) : list.items.size();
    if (!list.is_list() || index >= list.items.size()) {
      fail(segment,
           list.is_list() ? fmt::format("the list has {} values, numbered from 0", list.items.size())
                          : fmt::format("there is no list here, but {}", kind_name(list)),
           {});
    }
    return list.items[index];
  }

  void set_param() {
    Yaml& params = *tree_.find("params");
    if (path_.size() == 1) return assign(params);
    Yaml* param = params.find(path_[1].name);
    if (!param) fail(path_[1], fmt::format("the description has no param `{}`", path_[1].name), keys_of(params));
    if (path_.size() > 2) return set_existing();
    if (param->is_map() && !value_.is_map()) return assign(child(*param, {"default", path_[1].span}));
    // `width: int` and `rule: [delta, sum]` declare a type: the value must not take its place.
    static const std::vector<std::string> kTypes = {"int", "float", "bool"};
    const bool type =
        param->is_scalar() && !param->quoted && std::find(kTypes.begin(), kTypes.end(), param->text) != kTypes.end();
    const bool choices = param->is_list() && value_.is_scalar();
    if (!type && !choices) return assign(*param);
    Yaml declared = *param;
    *param = map_node(path_[1]);
    param->entries.push_back({key_node({type ? "type" : "choices", declared.span}), declared});
    assign(child(*param, {"default", path_[1].span}));
  }

  // Outside the tables only what stands in the file may be changed; the arguments of a preset may
  // be added to.
  void set_existing() {
    Yaml* place = tree_.find(path_[0].name);
    for (size_t i = 1; i < path_.size(); ++i) {
      if (place->is_list()) {
        place = &element(*place, path_[i]);
      } else if (path_[i - 1].name == "with" ||
                 (place->is_map() && path_[i].name == "with" && (place->find("use") || place->find("inline")))) {
        place = &child(*place, path_[i]);
      } else if (Yaml* next = place->find(path_[i].name)) {
        place = next;
      } else {
        fail(path_[i], fmt::format("`{}` has no `{}`", path_[i - 1].name, path_[i].name), keys_of(*place));
      }
    }
    assign(*place);
  }

  Yaml& tree_;
  std::vector<Segment> path_;
  Yaml value_;
  std::span<const Option> sections_;
  Diagnostics& diagnostics_;
};

}  // namespace

void apply_override(Yaml& tree, const std::string& path, const Span& span, Yaml value, std::span<const Option> sections,
                    Diagnostics& diagnostics) {
  if (!tree.is_map()) return;  // the description itself did not read: reported
  try {
    Override(tree, split(path, span), std::move(value), sections, diagnostics).run();
  } catch (const Failed&) {
  }
}

void apply_overrides(Yaml& tree, const std::vector<std::string>& settings, std::span<const Option> sections,
                     Diagnostics& diagnostics) {
  for (size_t i = 0; i < settings.size(); ++i) {
    const SourcePtr source = make_source(fmt::format("<--set #{}>", i + 1), settings[i]);
    const size_t equals = settings[i].find('=');
    const int begin = static_cast<int>(std::min(equals, settings[i].size()));
    if (equals == std::string::npos || equals + 1 == settings[i].size()) {
      diagnostics.error("E0505", {source, 0, begin}, "`--set` needs a path and a value")
          .help("write `--set train.steps=100`");
      continue;
    }
    Diagnostics own;  // an empty value is no empty file: only its own errors are kept
    Yaml value = read_yaml(source, own, begin + 1);
    diagnostics.append(own);
    if (!own.has_errors())
      apply_override(tree, settings[i].substr(0, equals), {source, 0, begin}, std::move(value), sections, diagnostics);
  }
}

}  // namespace weft::dsl
