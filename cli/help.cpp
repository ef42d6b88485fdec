// weft help [VERB | CODE], weft version
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cctype>
#include <iostream>

#include "cli/verb.h"
#include "dsl/codes.h"
#include "dsl/diagnostic.h"
#include "engine/runtime.h"

namespace weft::cli {

namespace {

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

int print_help(CLI::App& all, const std::string& topic) {
  std::vector<std::string> names;
  for (const Verb& v : verbs()) names.emplace_back(v.name);
  if (topic.empty()) {
    std::cout << help_text(all);
    return 0;
  }
  if (std::find(names.begin(), names.end(), topic) != names.end()) {
    std::cout << help_text(*all.get_subcommand(topic));
    return 0;
  }
  if (const dsl::Code* code = dsl::find_code(upper(topic))) {
    std::cout << dsl::code_text(*code);
    return 0;
  }
  for (const dsl::Code& code : dsl::codes()) names.emplace_back(code.id);
  const std::string guess = dsl::guess_text(topic, names);
  throw Error(fmt::format("there is no help about `{}`{}", topic, guess.empty() ? "" : "; " + guess));
}

}  // namespace

Verb help_verb() {
  return {"help", "about a verb, or about the code of an error", "  ./weft help train\n  ./weft help E0203\n",
          [](CLI::App& app) {
            auto topic = std::make_shared<std::string>();
            app.add_option("TOPIC", *topic, "a verb, or a code such as E0203");
            CLI::App* all = app.get_parent();
            return [=] { return print_help(*all, *topic); };
          }};
}

int print_version() {
  std::cout << "weft " WEFT_VERSION "\n" << Runtime().describe() << "\n";
  return 0;
}

Verb version_verb() {
  return {"version", "the version, and what it runs on", "", [](CLI::App&) { return print_version; }};
}

}  // namespace weft::cli
