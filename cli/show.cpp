// weft show: a description's weights, its resolved text, its graph, its equations; or what a file of weights holds.
#include <CLI/CLI.hpp>

#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/dot.h"
#include "cli/output.h"
#include "cli/tensors.h"
#include "cli/verb.h"
#include "cli/work.h"
#include "dsl/equations.h"

namespace weft::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Wanted {
  bool params = false, resolved = false, graph = false, equations = false;
  std::string def;
};

// ---- a description --------------------------------------------------------------------------------------------

int show_params(const Work& work, bool json) {
  Json list = Json::array();
  std::vector<std::vector<std::string>> rows;
  i64 all = 0;
  for (const dsl::WeightSlot& slot : work.function->slots()) {
    const dsl::Weight& w = slot.weight;
    const i64 count = element_count(w.shape);
    all += count;
    list.push_back({{"name", w.name},
                    {"shape", w.shape},
                    {"init", slot.initialiser.text()},
                    {"count", count},
                    {"decays", w.decays},
                    {"trained", w.trained}});
    rows.push_back({w.name, text(w.shape), slot.initialiser.text(), train::grouped(count), remark(w)});
  }
  if (json) {
    print_json({{"name", work.description->name()}, {"weights", all}, {"tensors", list}});
  } else {
    std::cout << columns(rows) << fmt::format("{} weights in {} tensors\n", train::grouped(all), rows.size());
  }
  return 0;
}

int show_text(const char* key, const std::string& text, bool json) {
  if (json) print_json({{key, text}});
  else std::cout << text;
  return 0;
}

int show_resolved(const Options& options) {
  dsl::Diagnostics d;
  const dsl::Description description(read_description(options), options.overrides(), surroundings(), d);
  const std::string text = description.file().tree->is_map() ? description.resolved(d) : "";
  report_errors(d, options.json);
  return show_text("description", text, options.json);
}

int show_equations(const Options& options, const std::string& def) {
  dsl::Diagnostics d;
  const dsl::Description description(read_description(options), options.overrides(), surroundings(), d);
  report_errors(d, options.json);
  const auto& defs = description.file().defs;
  std::string text;
  Json list = Json::array();
  std::vector<std::string> names;
  for (const dsl::Def& one : defs) {
    names.push_back(one.name);
    if (!def.empty() && one.name != def) continue;
    text += (text.empty() ? "" : "\n") + dsl::equations(one);
    list.push_back({{"def", one.name}, {"equations", dsl::equations(one)}});
  }
  check(def.empty() || !list.empty(), "the description has no def `{}`; {}", def, dsl::guess_text(def, names));
  if (options.json) print_json({{"name", description.name()}, {"defs", list}});
  else std::cout << text;
  return 0;
}

int show_function(const Options& options, const Wanted& w) {
  const Work work = prepare(read_description(options), options, {.asked = dsl::Asked{.def = w.def}});
  print_notes(*work.function);
  if (w.graph) return show_text("dot", dot(*work.function, work.description->name()), options.json);
  return show_params(work, options.json);
}

// ---- a file of weights, or a run -------------------------------------------------------------------------------

// The first line of a text, cut: metadata hold whole descriptions.
std::string glimpse(const std::string& value) {
  constexpr std::size_t kLongest = 60;
  std::string line = dsl::printable(value.substr(0, value.find('\n')).substr(0, kLongest));
  return line.size() < value.size() ? fmt::format("{}... ({} bytes)", line, value.size()) : line;
}

int show_weights(const std::string& path, bool json) {
  const train::Safetensors file(train::weight_file(path));
  Json list = Json::array(), metadata = Json::object();
  std::vector<std::vector<std::string>> rows, texts;
  for (const train::TensorEntry& e : file.entries()) {
    const std::string sum = file.checksum(e);
    list.push_back({{"name", e.name}, {"dtype", e.dtype}, {"shape", e.shape}, {"crc32c", sum}});
    rows.push_back({dsl::printable(e.name), text(e.shape), dsl::printable(e.dtype), sum});
  }
  for (const auto& [key, value] : file.metadata()) {
    metadata[key] = value;
    texts.push_back({dsl::printable(key), glimpse(value)});
  }
  const std::string where = train::weight_file(path).string();
  if (json) {
    print_json({{"file", where}, {"tensors", list}, {"metadata", metadata}, {"warnings", file.warnings()}});
    return 0;
  }
  for (const std::string& warning : file.warnings()) std::cerr << "warning: " << where << ": " << warning << "\n";
  std::cout << where << "\n" << columns(rows, "  ");
  if (!texts.empty()) std::cout << "metadata\n" << columns(texts, "  ");
  return 0;
}

bool holds_weights(const std::string& path) {
  std::error_code none;
  return std::filesystem::is_directory(path, none) || path.ends_with(".safetensors");
}

int show(const Options& options, const Wanted& w) {
  const int views = w.params + w.resolved + w.graph + w.equations;
  check(views <= 1, "one view at a time: --params, --resolved, --graph or --equations");
  if (holds_weights(options.path)) {
    check(views == 0, "{} holds weights: it is shown without --params, --resolved, --graph and --equations",
          options.path);
    return show_weights(options.path, options.json);
  }
  if (w.resolved) return show_resolved(options);
  if (w.equations) return show_equations(options, w.def);
  return show_function(options, w);
}

}  // namespace

Verb show_verb() {
  return {"show", "weights, resolved text, graph or equations of a description; what a file of weights holds",
          "  ./weft show model.yaml --params\n"
          "  ./weft show model.yaml --graph | dot -Tsvg > model.svg\n"
          "  ./weft show runs/2026-11-24_quickstart_s1\n",
          [](CLI::App& app) {
            auto options = std::make_shared<Options>();
            auto wanted = std::make_shared<Wanted>();
            add_options(app, *options, "FILE", "a description, a file of weights or the folder of a run");
            app.add_option("--def", wanted->def, "one def alone (of --params, --graph and --equations)");
            app.add_flag("--params", wanted->params,
                         "every weight: name, shape, initialiser, count (unless told otherwise)");
            app.add_flag("--resolved", wanted->resolved, "the description with every default written out");
            app.add_flag("--graph", wanted->graph, "the computation as a graph for Graphviz");
            app.add_flag("--equations", wanted->equations, "the defs as equations");
            return [=] { return show(*options, *wanted); };
          }};
}

}  // namespace weft::cli
