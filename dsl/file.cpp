#include "dsl/file.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "dsl/def_reader.h"
#include "dsl/fields.h"
#include "dsl/structure.h"

namespace weft::dsl {
namespace {

void check_top_keys(const Yaml& tree, Diagnostics& diagnostics, std::span<const Option> tables) {
  const std::vector<std::string> legal = key_names("description");
  for (const Entry& entry : tree.entries) {
    const std::string& key = entry.key.text;
    if (std::find(legal.begin(), legal.end(), key) != legal.end()) continue;
    Diagnostic& d = unknown_key(entry.key, "a description", legal, diagnostics);
    for (const Option& table : tables) {
      if (table.child(key)) d.help(fmt::format("`{}` belongs under `{}`", key, table.name));
    }
  }
}

int read_schema(const Yaml& tree, const Span& top, Diagnostics& diagnostics) {
  const Yaml* value = tree.find("schema");
  if (!value) {
    diagnostics.error("E0302", top, "a description lacks the key `schema`")
        .help(fmt::format("begin it with `schema: {}`", kSchema));
    return kSchema;
  }
  const ExprPtr expr = parse_expression(*value, diagnostics);
  if (!expr) return kSchema;
  const auto schema = evaluate_whole(*expr, {}, diagnostics);
  if (!schema || *schema == kSchema) return kSchema;
  Diagnostic& d = diagnostics.error(
      "E0314", value->span, fmt::format("schema {} is not known; this program reads schema {}", *schema, kSchema));
  d.help(*schema > kSchema ? "use a newer weft" : fmt::format("write `schema: {}`", kSchema));
  return kSchema;
}

void read_checks(const Yaml& value, File& file, Diagnostics& diagnostics) {
  if (!expect_kind(value, Yaml::Kind::list, "`check`", diagnostics)) return;
  for (const Yaml& item : value.items) {
    if (ExprPtr expr = parse_expression(item, diagnostics)) file.checks.push_back(std::move(expr));
  }
}

void read_imports(const Yaml& value, File& file, Diagnostics& diagnostics) {
  if (!expect_kind(value, Yaml::Kind::map, "`import`", diagnostics)) return;
  for (const Entry& entry : value.entries) {
    const bool named = check_new_name(entry.key, "an import", diagnostics);
    const bool path = expect_kind(entry.value, Yaml::Kind::scalar,
                                  fmt::format("the path of import `{}`", entry.key.text), diagnostics);
    if (path && entry.value.text.empty()) {
      diagnostics.error("E0303", entry.value.span, fmt::format("the path of import `{}` is empty", entry.key.text));
    } else if (named && path) {
      file.imports.push_back({entry.key.text, entry.key.span, entry.value.text, entry.value.span});
    }
  }
}

// A call of a plain name must mean one thing; imports and defs live in one room.
void check_clashes(const File& file, Diagnostics& diagnostics) {
  for (const auto& [alias, room] : file.rooms) {
    for (const Import& import : file.imports) {
      if (import.alias != alias) continue;
      diagnostics
          .error("E0306", room->tree->span, fmt::format("`{}` names an import and the defs `{}.*`", alias, alias))
          .note("the import is here", import.span)
          .help("choose another name");
    }
    if (const Def* def = file.find_def(alias)) {
      diagnostics.error("E0306", room->tree->span, fmt::format("`{}` names a def and the defs `{}.*`", alias, alias))
          .note("the def is here", def->span)
          .help("choose another name");
    }
  }
  for (const Import& import : file.imports) {
    for (const Def& def : file.defs) {
      if (def.name == import.alias)
        diagnostics.error("E0306", def.span, fmt::format("`{}` names a def and an import", def.name))
            .note("the import is here", import.span)
            .help("choose another name");
    }
  }
}

// `l.attention: {...}` goes to the room `l`, where it is called `attention`.
std::map<std::string, Yaml> take_rooms(Yaml& defs) {
  std::map<std::string, Yaml> rooms;
  std::vector<Entry> own;
  for (Entry& entry : defs.entries) {
    const std::size_t dot = entry.key.text.find('.');
    const std::string alias = entry.key.text.substr(0, dot);
    if (dot == std::string::npos || !is_name(alias)) {
      own.push_back(std::move(entry));
      continue;
    }
    const auto [room, fresh] = rooms.emplace(alias, Yaml{});
    if (fresh) room->second.span = entry.key.span;
    room->second.kind = Yaml::Kind::map;
    entry.key.text.erase(0, dot + 1);
    entry.key.span.begin += static_cast<int>(dot) + 1;
    room->second.entries.push_back(std::move(entry));
  }
  defs.entries = std::move(own);
  return rooms;
}

void read_all_defs(Yaml defs, File& file, Diagnostics& diagnostics) {
  for (auto& [alias, inner] : take_rooms(defs)) {
    File room;
    room.source = file.source;
    Yaml tree;
    tree.kind = Yaml::Kind::map;
    tree.span = inner.span;
    tree.entries = {{Yaml{}, inner}};
    tree.entries[0].key.text = "defs";
    room.tree = std::make_shared<const Yaml>(std::move(tree));
    read_all_defs(std::move(inner), room, diagnostics);
    file.rooms.emplace_back(alias, std::make_shared<const File>(std::move(room)));
  }
  file.defs = read_defs(defs, diagnostics);
}

void read_parts(File& file, Diagnostics& diagnostics) {
  const Yaml& tree = *file.tree;
  file.name = read_text(tree, "name", diagnostics);
  file.about = read_text(tree, "about", diagnostics);
  if (const Yaml* params = tree.find("params"); params && !params->is_null())
    file.params = parse_params(*params, diagnostics);
  if (const Yaml* check = tree.find("check")) read_checks(*check, file, diagnostics);
  if (const Yaml* import = tree.find("import")) read_imports(*import, file, diagnostics);
  if (const Yaml* defs = tree.find("defs")) read_all_defs(*defs, file, diagnostics);
  if (const Entry* model = tree.find_entry("model")) {
    file.model_span = model->key.span;
    file.model = read_items(model->value, diagnostics);
  }
  file.data = tree.find("data");
  file.train = tree.find("train");
  file.eval = tree.find("eval");
  file.generate = tree.find("generate");
  if (const Entry* sweep = tree.find_entry("sweep")) {
    file.sweep_span = sweep->key.span;
    file.sweep = read_sweep(*sweep, diagnostics);
  }
}

}  // namespace

const Def* File::find_def(std::string_view def) const {
  for (const Def& d : defs) {
    if (d.name == def) return &d;
  }
  return nullptr;
}

std::shared_ptr<const File> read_inline(const Entry& entry, Diagnostics& diagnostics) {
  auto file = std::make_shared<File>();
  const int before = diagnostics.error_count();
  file->source = entry.value.span.source;
  file->tree = std::make_shared<const Yaml>(entry.value);
  if (expect_keys(entry.value, "`inline`", key_names("inline"), diagnostics) || entry.value.is_map()) {
    require(entry.value, "model", "`inline`", entry.key.span, diagnostics);
    read_parts(*file, diagnostics);
    check_clashes(*file, diagnostics);
  }
  file->broken = diagnostics.error_count() > before;
  if (!file->broken) warn_unused(*file, diagnostics);
  return file;
}

File parse_file(const SourcePtr& source, Yaml tree, Diagnostics& diagnostics, std::span<const Option> tables) {
  File file;
  file.source = source;
  file.tree = std::make_shared<const Yaml>(std::move(tree));
  const int before = diagnostics.error_count();
  const Span top{source, bom_length(source->text), bom_length(source->text) + 1};
  if (!file.tree->is_map()) {
    // A tree that did not read is null and has been reported; a text that is YAML but no map has
    // not.
    if (!file.tree->is_null()) expect_kind(*file.tree, Yaml::Kind::map, "a description", diagnostics);
    file.broken = true;
    return file;
  }
  check_top_keys(*file.tree, diagnostics, tables);
  file.schema = read_schema(*file.tree, top, diagnostics);
  read_parts(file, diagnostics);
  check_clashes(file, diagnostics);
  file.broken = diagnostics.error_count() > before;
  if (!file.broken && !file.model.empty()) warn_unused(file, diagnostics);
  return file;
}

File parse_file(const SourcePtr& source, Diagnostics& diagnostics, std::span<const Option> tables) {
  const int before = diagnostics.error_count();
  Yaml tree = read_yaml(source, diagnostics);
  const bool read = diagnostics.error_count() == before;
  File file = parse_file(source, std::move(tree), diagnostics, tables);
  file.broken |= !read;
  return file;
}

}  // namespace weft::dsl
