// weft expand FILE: a description that stands alone.
#include <CLI/CLI.hpp>

#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/verb.h"
#include "cli/work.h"

namespace weft::cli {
namespace {

int expand_description(const Options& options) {
  dsl::Diagnostics d;
  const dsl::Description description(read_description(options), options.overrides(), surroundings(), d);
  std::vector<std::string> notes;
  const std::string text = description.file().tree->is_map() ? description.expanded(notes, d) : "";
  report_errors(d, options.json);
  if (options.json) print_json({{"description", text}, {"notes", notes}});
  else std::cout << text;
  for (const std::string& note : notes) std::cerr << "note: " << note << "\n";
  return 0;
}

}  // namespace

Verb expand_verb() {
  return {"expand", "a description with everything it imports and uses copied in: the same weights, one file",
          "  ./weft expand model.yaml > alone.yaml\n  ./weft expand std/retnet -p D=64\n", [](CLI::App& app) {
            auto options = std::make_shared<Options>();
            add_options(app, *options, "FILE", "the description; - for standard input");
            return [=] { return expand_description(*options); };
          }};
}

}  // namespace weft::cli
