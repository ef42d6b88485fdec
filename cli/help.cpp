// weft help [VERB | CODE | OPTION], weft version
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cctype>
#include <iostream>

#include "cli/verb.h"
#include "dsl/codes.h"
#include "dsl/diagnostic.h"
#include "engine/runtime.h"
#include "train/options.h"

namespace weft::cli {

namespace {

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

// The options of a description at `path` and below; all of them for "options".
std::vector<dsl::OptionRow> options_below(const std::string& path) {
  std::vector<dsl::OptionRow> rows = dsl::option_rows(train::option_tables());
  if (path != "options") {
    std::erase_if(rows, [&](const dsl::OptionRow& r) { return r.path != path && !r.path.starts_with(path + "."); });
  }
  return rows;
}

int print_help(CLI::App& all, const std::string& topic, bool markdown) {
  check(!markdown || topic == "options", "--markdown goes with `options` alone");
  std::vector<std::string> names;
  for (const Verb& v : verbs()) names.emplace_back(v.name);
  if (topic.empty()) {
    std::cout << help_text(all);
    return 0;
  }
  const auto options = options_below(topic);
  if (markdown) {
    std::cout << dsl::options_markdown(options);
    return 0;
  }
  const bool verb = std::find(names.begin(), names.end(), topic) != names.end();
  if (verb) std::cout << help_text(*all.get_subcommand(topic));
  if (verb && !options.empty()) std::cout << fmt::format("\nOptions of `{}` in a description, or by --set:\n", topic);
  std::cout << dsl::options_text(options);
  if (verb || !options.empty()) return 0;
  if (const dsl::Code* code = dsl::find_code(upper(topic))) {
    std::cout << dsl::code_text(*code);
    return 0;
  }
  for (const dsl::Code& code : dsl::codes()) names.emplace_back(code.id);
  names.emplace_back("options");
  for (const dsl::OptionRow& r : dsl::option_rows(train::option_tables())) names.push_back(r.path);
  const std::string guess = dsl::guess_text(topic, names);
  throw Error(fmt::format("there is no help about `{}`{}", topic, guess.empty() ? "" : "; " + guess));
}

}  // namespace

Verb help_verb() {
  return {"help", "about a verb, the code of an error, or an option of a description",
          "  ./weft help train\n  ./weft help E0203\n  ./weft help options\n  ./weft help train.optimizer\n",
          [](CLI::App& app) {
            auto topic = std::make_shared<std::string>();
            auto markdown = std::make_shared<bool>(false);
            app.add_option("TOPIC", *topic, "a verb, a code such as E0203, `options`, or the path of one");
            app.add_flag("--markdown", *markdown, "with `options`: as docs/options.md");
            CLI::App* all = app.get_parent();
            return [=] { return print_help(*all, *topic, *markdown); };
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
