// Compositions: a list is sequential, an item is a name or a map with one key.

#include <algorithm>
#include <cctype>
#include <map>

#include <fmt/format.h>

#include "dsl/def_reader.h"
#include "dsl/fields.h"
#include "dsl/structure.h"

namespace weft::dsl {
namespace {

using Names = std::vector<std::string>;

class ItemReader {
 public:
  explicit ItemReader(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  std::vector<Item> items(const Yaml& value) {
    std::vector<Item> result;
    if (!value.is_list()) {
      result.push_back(item(value));
      return result;
    }
    for (const Yaml& one : value.items) result.push_back(item(one));
    if (result.empty()) diagnostics_.error("E0312", value.span, "a composition needs at least one item");
    check_segments(result);
    return result;
  }

 private:
  // Two items of one name would have the same weights without a word: `share` is there for that.
  void check_segments(const std::vector<Item>& items) {
    std::map<std::string, const Item*> seen;  // sorted: those below a place follow it
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (items[i].kind == Item::Kind::share) continue;
      const std::string segment = segment_of(items[i], fmt::format("{}.", i)) + ".";
      auto clash = seen.lower_bound(segment);
      if (clash != seen.end() && !clash->first.starts_with(segment)) clash = seen.end();
      for (std::size_t dot = segment.find('.'); clash == seen.end() && dot != std::string::npos;
           dot = segment.find('.', dot + 1))
        clash = seen.find(segment.substr(0, dot + 1));
      if (clash != seen.end()) return report_clash(items[i], *clash->second);
      seen.emplace(segment, &items[i]);
    }
  }

  void report_clash(const Item& second, const Item& first) {
    const Item& named = second.name.empty() ? first : second;
    diagnostics_
        .error("E0306", named.name_span, fmt::format("the name `{}` gives two items the same weights", named.name))
        .note("the other item is here", &named == &first ? second.span : first.span)
        .help("choose another name; `share` uses the same weights twice");
  }

  Item item(const Yaml& value) {
    const int before = diagnostics_.error_count();
    Item result;
    result.span = value.span;
    read(value, result);
    result.broken = diagnostics_.error_count() > before;
    return result;
  }

  void read(const Yaml& value, Item& result) {
    if (value.is_scalar()) return callee(value, result);
    if (!value.is_map() || value.entries.empty()) {
      diagnostics_
          .error("E0311", value.span,
                 fmt::format("an item must be a name or a map with one key, not {}", kind_name(value)))
          .help(value.is_list() ? "a list inside a list has no meaning: its items can stand in the outer one" : "");
      return;
    }
    if (value.find("use")) return use(value, result);
    if (value.find("inline")) return inlined(value, result);
    const Entry* entry = nullptr;  // the one key besides `name`
    Names keys;
    for (const Entry& e : value.entries) {
      if (e.key.text == "name") continue;
      if (!entry) entry = &e;
      keys.push_back(e.key.text);
    }
    if (keys.size() != 1) {
      Diagnostic& d =
          diagnostics_.error("E0311", value.entries.back().key.span,
                             entry ? fmt::format("an item has one key; this one has {}", listed(keys, "and"))
                                   : "an item must say what it is");
      d.help(entry ? "begin every item with its own `-`, and indent arguments below their item" : "");
      return;
    }
    result.span = entry->key.span;
    read_name(value, result);
    keyword(*entry, result);
  }

  void keyword(const Entry& entry, Item& result) {
    const std::string& key = entry.key.text;
    if (key == "residual") return residual(entry, result);
    if (key == "parallel") return parallel(entry, result);
    if (key == "repeat") return repeat(entry, result);
    if (key == "cycle") return cycle(entry, result);
    if (key == "share") return share(entry, result);
    callee(entry.key, result);
    arguments(entry.value, result, key);
  }

  void read_name(const Yaml& map, Item& result) {
    const Yaml* name = map.find("name");
    if (!name) return;
    if (!name->is_scalar() || !(is_name(name->text) || is_path(name->text))) {
      diagnostics_.error("E0106", name->span, "`name` must be a name").help("letters, digits and underscores");
      return;
    }
    result.name = name->text;
    result.name_span = name->span;
  }

  // `2.repeat`: the place in the names of weights that the item has kept from another file or an earlier version.
  static bool is_path(const std::string& text) {
    const auto fits = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '.'; };
    return text.find('.') != std::string::npos && text.find("..") == std::string::npos && text.front() != '.' &&
           text.back() != '.' && std::all_of(text.begin(), text.end(), fits);
  }

  void callee(const Yaml& name, Item& result) {
    result.kind = Item::Kind::call;
    result.callee = name.text;
    result.callee_span = result.span = name.span;
    const size_t dot = name.text.find('.');
    const bool good = dot == std::string::npos
                          ? is_name(name.text)
                          : is_name(name.text.substr(0, dot)) && is_name(name.text.substr(dot + 1));
    if (!good) {
      diagnostics_.error("E0106", name.span, fmt::format("`{}` is not the name of a def or an op", name.text))
          .help("arguments stand in a map: `- dropout: {p: 0.1}`");
    } else if (std::find(item_keywords().begin(), item_keywords().end(), name.text) != item_keywords().end()) {
      diagnostics_.error("E0302", name.span, fmt::format("`{}` needs its keys", name.text));
    }
  }

  void arguments(const Yaml& value, Item& result, const std::string& owner) {
    if (value.is_null()) return;
    if (!value.is_map()) {
      diagnostics_
          .error("E0303", value.span,
                 fmt::format("the arguments of `{}` must be a map, not {}", owner, kind_name(value)))
          .help(fmt::format("arguments are given by name: `{}: {{name: value}}`", owner));
      return;
    }
    const bool named =
        std::any_of(value.entries.begin(), value.entries.end(), [](const Entry& e) { return e.key.text == "name"; });
    if (named && result.kind == Item::Kind::call) read_name(value, result);
    for (const Entry& entry : value.entries) {
      if (entry.key.text == "name" && result.kind == Item::Kind::call) continue;
      result.args.push_back({entry.key.text, entry.key.span, argument(entry.value)});
    }
  }

  // A quoted argument that is no expression is a text: the pattern of `rearrange`.
  ExprPtr argument(const Yaml& value) {
    if (!value.is_scalar() || !value.quoted) return parse_expression(value, diagnostics_);
    Diagnostics own;
    if (ExprPtr expr = parse_expression(value, own)) return expr;
    Expr text;
    text.kind = Expr::Kind::text;
    text.span = text.at = value.span;
    text.name = value.text;
    return std::make_shared<const Expr>(std::move(text));
  }

  /// The map of a keyword, its keys checked; nullptr when it is none.
  const Yaml* keys(const Entry& entry) {
    const Names legal = key_names(entry.key.text);
    const std::string what = fmt::format("`{}`", entry.key.text);
    if (entry.value.is_list()) {
      diagnostics_.error("E0303", entry.value.span, fmt::format("{} must be a map, not a list", what))
          .help(fmt::format("write the list under a key: {}", listed(legal)));
      return nullptr;
    }
    expect_keys(entry.value, what, legal, diagnostics_);
    return entry.value.is_map() ? &entry.value : nullptr;
  }

  std::vector<Item> required_items(const Entry& entry, std::string_view key) {
    const Yaml* value = require(entry.value, key, fmt::format("`{}`", entry.key.text), entry.key.span, diagnostics_);
    return value ? items(*value) : std::vector<Item>();
  }

  /// A list whose elements are items or lists of items.
  std::vector<std::vector<Item>> required_branches(const Entry& entry, std::string_view key) {
    std::vector<std::vector<Item>> result;
    const Yaml* value = require(entry.value, key, fmt::format("`{}`", entry.key.text), entry.key.span, diagnostics_);
    if (!value) return result;
    if (!value->is_list()) return {items(*value)};
    for (const Yaml& branch : value->items) result.push_back(items(branch));
    if (result.empty()) diagnostics_.error("E0312", value->span, fmt::format("`{}` needs at least one item", key));
    return result;
  }

  void counter(const Entry& entry, Item& result) {
    if (const Yaml* times =
            require(entry.value, "times", fmt::format("`{}`", entry.key.text), entry.key.span, diagnostics_))
      result.times = parse_expression(*times, diagnostics_);
    const Yaml* as = entry.value.find("as");
    if (as && expect_kind(*as, Yaml::Kind::scalar, "`as`", diagnostics_) &&
        check_new_name(*as, "a counter", diagnostics_))
      result.as = as->text;
  }

  void residual(const Entry& entry, Item& result) {
    result.kind = Item::Kind::residual;
    const Yaml* map = keys(entry);
    if (!map) return;
    read_name(*map, result);
    if (const Yaml* norm = map->find("norm"); norm && !norm->is_null())
      result.norm = std::make_shared<Item>(item(*norm));
    result.pre = read_bool(*map, "pre", true, diagnostics_);
    result.body = required_items(entry, "body");
  }

  void parallel(const Entry& entry, Item& result) {
    result.kind = Item::Kind::parallel;
    const Yaml* map = keys(entry);
    if (!map) return;
    read_name(*map, result);
    result.branches = required_branches(entry, "branches");
    const Names& combinations = words_of("parallel", "combine");
    if (const Yaml* combine = map->find("combine")) {
      result.combine = combine->text;
      result.combine_span = combine->span;
      if (std::find(combinations.begin(), combinations.end(), combine->text) == combinations.end()) {
        diagnostics_.error("E0313", combine->span, fmt::format("branches cannot be combined by `{}`", combine->text))
            .note("choices are " + listed(combinations))
            .help(guess_text(combine->text, combinations));
      } else if (combine->text == "gate" && result.branches.size() != 2) {
        diagnostics_
            .error("E0313", combine->span, fmt::format("`gate` takes two branches, not {}", result.branches.size()))
            .note("it is the first times the sigmoid of the second");
      }
    }
  }

  void repeat(const Entry& entry, Item& result) {
    result.kind = Item::Kind::repeat;
    const Yaml* map = keys(entry);
    if (!map) return;
    read_name(*map, result);
    counter(entry, result);
    result.tied = read_bool(*map, "tied", false, diagnostics_);
    result.body = required_items(entry, "body");
  }

  void cycle(const Entry& entry, Item& result) {
    result.kind = Item::Kind::cycle;
    const Yaml* map = keys(entry);
    if (!map) return;
    read_name(*map, result);
    counter(entry, result);
    result.branches = required_branches(entry, "of");
  }

  void share(const Entry& entry, Item& result) {
    result.kind = Item::Kind::share;
    const Yaml* map = keys(entry);
    if (!map) return;
    if (require(*map, "name", "`share`", entry.key.span, diagnostics_)) read_name(*map, result);
    if (const Yaml* of = map->find("of")) result.body = items(*of);
  }

  void use(const Yaml& map, Item& result) {
    result.kind = Item::Kind::use;
    const Entry& entry = *map.find_entry("use");
    result.span = entry.key.span;
    expect_keys(map, "`use`", key_names("use item"), diagnostics_);
    read_name(map, result);
    if (expect_kind(entry.value, Yaml::Kind::scalar, "`use`", diagnostics_)) {
      result.callee = entry.value.text;
      result.callee_span = entry.value.span;
    }
    if (const Yaml* with = map.find("with")) arguments(*with, result, "with");
  }

  void inlined(const Yaml& map, Item& result) {
    result.kind = Item::Kind::inlined;
    const Entry& entry = *map.find_entry("inline");
    result.span = result.callee_span = entry.key.span;
    result.callee = entry.key.text;
    expect_keys(map, "`inline`", key_names("inline item"), diagnostics_);
    read_name(map, result);
    result.inside = read_inline(entry, diagnostics_);
    if (const Yaml* with = map.find("with")) arguments(*with, result, "with");
  }

  Diagnostics& diagnostics_;
};

}  // namespace

std::string segment_of(const Item& item, const std::string& place) {
  if (!item.name.empty() && item.kind != Item::Kind::share) return item.name;
  return place + (item.kind == Item::Kind::call ? item.callee : key_of(item.kind));
}

std::vector<Item> read_items(const Yaml& value, Diagnostics& diagnostics) {
  return ItemReader(diagnostics).items(value);
}

}  // namespace weft::dsl
