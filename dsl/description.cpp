#include "dsl/description.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "dsl/def_reader.h"
#include "dsl/expand.h"
#include "dsl/json_schema.h"
#include "dsl/lower.h"
#include "dsl/modules.h"
#include "dsl/overrides.h"

namespace weft::dsl {
namespace {

// Params for the sections: what needs `vocab` or `classes` has no value there, and stays silent.
Scope section_params(const File& file, Diagnostics& diagnostics) {
  return evaluate_params(file.params, {}, {}, {{"vocab", std::nullopt}, {"classes", std::nullopt}}, {file.source, 0, 1},
                         "the description", diagnostics);
}

const Yaml* section_of(const File& file, std::string_view name) {
  if (name == "data") return file.data;
  if (name == "train") return file.train;
  return name == "eval" ? file.eval : file.generate;
}

// Whether the path still leads to a value: a later setting may have taken its place.
bool leads_somewhere(const Yaml& tree, const std::string& path) {
  const Yaml* at = &tree;
  for (std::size_t begin = 0; at && begin <= path.size();) {
    const std::size_t end = std::min(path.size(), path.find('.', begin));
    const std::string name = path.substr(begin, end - begin);
    at = at->is_list() ? &at->items.at(std::stoul(name)) : at->find(name);
    begin = end + 1;
  }
  return at != nullptr;
}

// Every path once: the same one may stand in many runs.
void check_sweep(const File& file, const Surroundings& surroundings, Diagnostics& diagnostics) {
  std::set<std::string> seen;
  for (const SweepRun& run : file.sweep) {
    for (const SweepSetting& s : run.settings) {
      if (!seen.insert(s.path).second) continue;
      Yaml tree = *file.tree;
      apply_override(tree, s.path, s.span, s.value, surroundings.sections, diagnostics);
      const std::string param = s.path.starts_with("params.") ? s.path.substr(7) : "";
      const bool known =
          std::any_of(file.params.begin(), file.params.end(), [&](const Param& p) { return p.name == param; });
      if (!known || is_read(file, param)) continue;
      diagnostics.error("E0506", s.span, fmt::format("nothing reads the param `{}`: all runs would be the same", param))
          .help("remove it, or use the param");
    }
  }
}

File read(const SourcePtr& source, const std::vector<std::string>& overrides, const Surroundings& surroundings,
          Diagnostics& diagnostics) {
  Yaml tree = read_yaml(source, diagnostics);
  // A key that stands twice leaves a tree that can be judged; errors behind other breaks of YAML would be their echo.
  const auto found = diagnostics.sorted();
  if (std::any_of(found.begin(), found.end(), [](const Diagnostic* d) { return d->code != "E0107"; })) {
    File file;
    file.source = source;
    file.tree = std::make_shared<const Yaml>(std::move(tree));
    file.broken = true;
    return file;
  }
  apply_overrides(tree, overrides, surroundings.sections, diagnostics);
  File file = parse_file(source, std::move(tree), diagnostics, surroundings.sections);
  check_sweep(file, surroundings, diagnostics);
  return file;
}

// Relative to where it was written: the description, the file of a task, or the command line.
void make_absolute(Yaml& scalar) {
  if (scalar.text.empty() || scalar.text.starts_with("std/")) return;
  scalar.text = std::filesystem::absolute(resolved_path(scalar.text, *scalar.span.source)).lexically_normal().string();
  scalar.style = Yaml::Style::quoted;
  scalar.quoted = true;
}

void make_paths_absolute(Yaml& value, const Option& option) {
  if (option.kind == OptionKind::path && value.is_scalar()) return make_absolute(value);
  if (option.kind == OptionKind::list) {  // one alone stands for a list
    if (value.is_scalar()) make_paths_absolute(value, option.children.at(0));
    for (Yaml& item : value.items) make_paths_absolute(item, option.children.at(0));
  }
  spell_out(value, option);
  for (Entry& e : value.entries) {
    if (const Option* child = option.child(e.key.text)) make_paths_absolute(e.value, *child);
  }
}

void make_uses_absolute(Yaml& value) {
  for (Entry& e : value.entries) {
    if (e.key.text == "use" && e.value.is_scalar()) make_absolute(e.value);
    make_uses_absolute(e.value);
  }
  for (Yaml& item : value.items) make_uses_absolute(item);
}

}  // namespace

Description::Description(const SourcePtr& source, const std::vector<std::string>& overrides, Surroundings surroundings,
                         Diagnostics& diagnostics)
    : surroundings_(std::move(surroundings)), file_(read(source, overrides, surroundings_, diagnostics)) {}

Description Description::with(const SweepRun& run, Diagnostics& diagnostics) const {
  Yaml tree = *file_.tree;
  std::erase_if(tree.entries, [](const Entry& e) { return e.key.text == "sweep"; });
  for (const SweepSetting& s : run.settings)
    apply_override(tree, s.path, s.span, s.value, surroundings_.sections, diagnostics);
  for (const SweepSetting& s : run.settings) {
    if (diagnostics.has_errors() || leads_somewhere(tree, s.path)) continue;
    diagnostics
        .error("E0506", s.span, fmt::format("`{}` changes nothing: another setting of the run takes its place", s.path))
        .note(fmt::format("the run is {}", run.name));
  }
  return {parse_file(file_.source, std::move(tree), diagnostics, surroundings_.sections), surroundings_};
}

Description Description::on(const Description& task, Diagnostics& diagnostics) const {
  Yaml tree = *file_.tree;
  const auto is_section = [&](const Entry& e) {
    return std::any_of(surroundings_.sections.begin(), surroundings_.sections.end(),
                       [&](const Option& section) { return section.name == e.key.text; });
  };
  std::erase_if(tree.entries, is_section);
  const std::vector<Entry>& given = task.file_.tree->entries;
  std::copy_if(given.begin(), given.end(), std::back_inserter(tree.entries), is_section);
  return {parse_file(file_.source, std::move(tree), diagnostics, surroundings_.sections), surroundings_};
}

std::string Description::name() const {
  return file_.name.empty() ? std::filesystem::path(file_.source->name).stem().string() : file_.name;
}

// Paths stand on their own.
Yaml Description::absolute_tree() const {
  Yaml tree = *file_.tree;
  for (const Option& section : surroundings_.sections) {
    if (Yaml* value = tree.find(section.name)) make_paths_absolute(*value, section);
  }
  if (Yaml* imports = tree.find("import")) {
    for (Entry& e : imports->entries) make_absolute(e.value);
  }
  if (Yaml* model = tree.find("model")) make_uses_absolute(*model);
  return tree;
}

std::string Description::text() const { return yaml_text(absolute_tree()); }

std::string Description::expanded(std::vector<std::string>& notes, Diagnostics& diagnostics) const {
  Modules modules(surroundings_, diagnostics);
  Yaml tree = absolute_tree();
  const Module* root = modules.root(file_);
  if (diagnostics.has_errors()) return {};
  try {
    expand(*root, tree, modules, notes, diagnostics);
  } catch (const Failed&) {
    return {};
  }
  return yaml_text(tree);
}

std::string Description::resolved(Diagnostics& diagnostics) const {
  // Read again from its own text, where paths stand on their own.
  const Description whole(make_source(file_.source->name, text()), {}, surroundings_, diagnostics);
  Yaml tree = *whole.file_.tree;
  std::string sections;
  for (const Option& table : surroundings_.sections) {
    if (table.name == "data" && !has_data()) continue;
    sections += fmt::format("{}:\n{}", table.name, whole.section(table.name, diagnostics).print(2));
    std::erase_if(tree.entries, [&](const Entry& e) { return e.key.text == table.name; });
  }
  return yaml_text(tree) + sections;
}

nlohmann::ordered_json Description::schema(bool closed, Diagnostics& diagnostics) const {
  Modules modules(surroundings_, diagnostics);
  return json_schema(*modules.root(file_), closed, surroundings_.sections);
}

Settings Description::section(std::string_view section, Diagnostics& diagnostics) const {
  for (const Option& table : surroundings_.sections) {
    if (table.name != section) continue;
    const Yaml* given = section_of(file_, section);
    const Entry* entry = file_.tree->find_entry(section);
    const Span key = entry ? entry->key.span : Span{file_.source, 0, 1};
    return read_options(table, given, key, section_params(file_, diagnostics), diagnostics, surroundings_.sections);
  }
  throw std::logic_error("no table of options is called " + std::string(section));
}

Blueprint Description::blueprint(Modules& modules, const DataSizes& sizes) const {
  Blueprint plan;
  plan.module = modules.root(file_);
  plan.sizes = sizes;
  plan.load = [&](const Item& item, const Module& from) { return modules.load(item, from); };
  Diagnostics elsewhere;  // whoever reads the section reports its errors
  const Settings train = section("train", elsewhere);
  if (train.has("form")) plan.form = train.word("form");
  if (train.has("carry_state")) plan.carries = train.boolean("carry_state");
  for (i64 i = 0; i < train.size("freeze"); ++i) {
    const std::string at = fmt::format("freeze.{}", i);
    if (train.has(at)) plan.freeze.push_back(train.text(at));
  }
  return plan;
}

std::unique_ptr<const Function> Description::function(const Asked& asked, const DataSizes& sizes,
                                                      Diagnostics& diagnostics) const {
  Modules modules(surroundings_, diagnostics);
  return lower_function(blueprint(modules, sizes), asked, diagnostics);
}

bool Description::belongs_to(const std::string& name, const std::string& def) const {
  Diagnostics elsewhere;
  Modules modules(surroundings_, elsewhere);
  const FoundDef found = find_def(*modules.root(file_), def, true);
  if (!found) return false;
  const auto binds = [&](const InputDef& in) {
    return std::any_of(in.shape.begin(), in.shape.end(),
                       [&](const ExprPtr& e) { return e->kind == Expr::Kind::name && e->name == name; });
  };
  const auto among = [&](const std::vector<Param>& params) {
    return std::any_of(params.begin(), params.end(), [&](const Param& p) { return p.name == name; });
  };
  return among(found.def->params) || std::any_of(found.def->in.begin(), found.def->in.end(), binds) ||
         (name == "vocab" && !among(file_.params));
}

std::shared_ptr<const Model> Description::model(const DataSizes& sizes, Diagnostics& diagnostics) const {
  Modules modules(surroundings_, diagnostics);
  const Blueprint plan = blueprint(modules, sizes);
  auto train_graph = lower(plan, plan.carries ? Mode::carry : Mode::train, diagnostics);
  if (!train_graph) return nullptr;
  auto evaluate = lower(plan, Mode::evaluate, diagnostics);
  auto stream = lower(plan, Mode::stream, diagnostics);
  if (!evaluate || !stream) return nullptr;
  return std::make_shared<const Model>(
      std::make_shared<const Lowered>(std::move(train_graph), std::move(evaluate), std::move(stream)));
}

}  // namespace weft::dsl
