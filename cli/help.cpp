// weft help [VERB | CODE], weft version
#include <CLI/CLI.hpp>

#include <iostream>

#include "cli/verb.h"
#include "dsl/codes.h"
#include "dsl/diagnostic.h"
#include "engine/runtime.h"

namespace weft::cli {

Verb help_verb() {
  return {"help", "about a verb, or about the code of an error", [](CLI::App& app) {
            auto topic = std::make_shared<std::string>();
            app.add_option("TOPIC", *topic, "a verb, or a code such as E0203");
            CLI::App* all = app.get_parent();
            return [=] {
              if (topic->empty()) {
                std::cout << all->help();
                return 0;
              }
              if (const dsl::Code* code = dsl::find_code(*topic)) {
                std::cout << dsl::code_text(*code);
                return 0;
              }
              std::vector<std::string> names;
              for (const Verb& v : verbs()) {
                if (*topic == v.name) {
                  std::cout << all->get_subcommand(v.name)->help();
                  return 0;
                }
                names.emplace_back(v.name);
              }
              for (const dsl::Code& code : dsl::codes()) names.emplace_back(code.id);
              const std::string guess = dsl::guess_text(*topic, names);
              throw Error(fmt::format("there is no help about `{}`{}", *topic, guess.empty() ? "" : "; " + guess));
            };
          }};
}

Verb version_verb() {
  return {"version", "the version, and what it runs on", [](CLI::App&) {
            return [] {
              std::cout << "weft " WEFT_VERSION "\n" << Runtime().describe() << "\n";
              return 0;
            };
          }};
}

}  // namespace weft::cli
