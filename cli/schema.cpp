// weft schema: a JSON Schema of descriptions, for editors.
#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/verb.h"
#include "cli/work.h"

namespace weft::cli {
namespace {

int print_schema(const std::string& path) {
  Options options;
  options.path = path;
  dsl::Diagnostics d;
  const dsl::SourcePtr source = path.empty() ? dsl::make_source("", "schema: 1\n") : read_description(options);
  const dsl::Description description(source, {}, surroundings(), d);
  report_errors(d, false);
  const auto schema = description.schema(!path.empty(), d);
  report_errors(d, false);
  print_json(schema);
  return 0;
}

}  // namespace

Verb schema_verb() {
  return {"schema", "a JSON Schema of descriptions, for completion and checks in an editor",
          "  ./weft schema > weft.schema.json\n  ./weft schema --for model.yaml > model.schema.json\n",
          [](CLI::App& app) {
            auto path = std::make_shared<std::string>();
            app.add_option("--for", *path, "a description whose own defs and imports are the layers that exist");
            return [=] { return print_schema(*path); };
          }};
}

}  // namespace weft::cli
