#include "dsl/modules.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace weft::dsl {

std::string resolved_path(const std::string& path, const Source& source) {
  if (path.starts_with("std/")) return path;
  return (std::filesystem::path(source.name).parent_path() / path).lexically_normal().string();
}

Modules::Modules(const Surroundings& surroundings, Diagnostics& diagnostics)
    : surroundings_(surroundings), diagnostics_(diagnostics) {
  if (const auto text = surroundings.library("layers")) {
    prelude_ = add("std/layers", make_source("std/layers", std::string(*text)));
  }
}

const Module* Modules::root(File file) {
  auto module = std::make_unique<Module>();
  module->file = std::move(file);
  module->prelude = prelude_;
  const std::string key = std::filesystem::path(module->file.source->name).lexically_normal().string();
  open_.push_back(key);
  import_all(*module);
  open_.pop_back();
  return (modules_["root " + key] = std::move(module)).get();
}

const Module* Modules::add(const std::string& key, const SourcePtr& source) {
  auto module = std::make_unique<Module>();
  module->file = parse_file(source, diagnostics_, surroundings_.sections);
  module->prelude = prelude_;
  open_.push_back(key);
  import_all(*module);
  open_.pop_back();
  return (modules_[key] = std::move(module)).get();
}

void Modules::import_all(Module& module) {
  for (const Import& i : module.file.imports) module.imports[i.alias] = load(i.path, i.path_span, module);
  for (const auto& [alias, file] : module.file.rooms) module.imports[alias] = room(file);
}

const Module* Modules::room(const std::shared_ptr<const File>& file) {
  std::unique_ptr<Module>& known = rooms_[file.get()];
  if (known) return known.get();
  known = std::make_unique<Module>();
  known->file = *file;
  known->prelude = prelude_;
  import_all(*known);
  return known.get();
}

const Module* Modules::load(const Item& item, const Module& from) {
  return item.inside ? room(item.inside) : load(item.callee, item.callee_span, from);
}

const Module* Modules::load(const std::string& path, const Span& at, const Module& from) {
  const std::string key = resolved_path(path, *from.file.source);
  if (const auto known = modules_.find(key); known != modules_.end()) return known->second.get();
  if (std::find(open_.begin(), open_.end(), key) != open_.end()) {
    std::string circle;
    for (auto file = std::find(open_.begin(), open_.end(), key); file != open_.end(); ++file)
      circle += fmt::format("`{}` -> ", *file);
    diagnostics_.error("E0318", at, fmt::format("`{}` imports itself", path))
        .note(fmt::format("the circle is {}`{}`", circle, key));
    return nullptr;
  }
  if (key.starts_with("std/")) {
    const auto text = surroundings_.library(key.substr(4));
    if (text) return add(key, make_source(key, std::string(*text)));
    std::vector<std::string> names;
    for (const std::string& name : surroundings_.library_names) names.push_back("std/" + name);
    diagnostics_.error("E0319", at, fmt::format("the standard library has no `{}`", key))
        .note("`weft std list` says what it has")
        .help(guess_text(key, names));
    return nullptr;
  }
  Diagnostics reading;
  const SourcePtr source = read_source(key, reading);
  if (source) return add(key, source);
  for (const Diagnostic* d : reading.sorted()) diagnostics_.error(d->code, at, d->message);
  return nullptr;
}

}  // namespace weft::dsl
