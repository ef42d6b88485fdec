// weft std list | show NAME | cp NAME [FILE]: the standard library that is built into the program.
#include <CLI/CLI.hpp>

#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/tensors.h"
#include "cli/verb.h"
#include "cli/work.h"
#include "models/library.h"

namespace weft::cli {
namespace {

std::string library_name(const models::Embedded& file) {
  return std::string(file.name.substr(0, file.name.rfind('.')));
}

std::string about_of(const models::Embedded& file) {
  dsl::Diagnostics d;
  const std::string name = library_name(file);
  return dsl::parse_file(dsl::make_source("std/" + name, std::string(file.text)), d).about;
}

int list_library(bool json) {
  auto files = nlohmann::ordered_json::array();
  std::vector<std::vector<std::string>> rows;
  for (const models::Embedded& file : models::library()) {
    files.push_back({{"name", library_name(file)}, {"about", about_of(file)}});
    rows.push_back({library_name(file), about_of(file)});
  }
  if (json) print_json({{"files", files}});
  else std::cout << columns(rows);
  return 0;
}

int copy_library(const std::string& name, const std::string& to) {
  const std::string_view text = library_text(name);
  const std::string bare = name.substr(name.rfind('/') + 1), file = to.empty() ? bare + ".yaml" : to;
  write_new(file, text);
  std::cout << fmt::format("{} is a copy of std/{}, to be changed: `model: [{{use: {}}}]` in another file uses it\n",
                           file, bare, file);
  return 0;
}

}  // namespace

Verb std_verb() {
  return {"std", "the architectures built into the program: list, show, copy one to change it",
          "  ./weft std list\n  ./weft std show retnet\n  ./weft std cp retnet mine.yaml\n", [](CLI::App& app) {
            auto name = std::make_shared<std::string>(), to = std::make_shared<std::string>();
            auto json = std::make_shared<bool>(false);
            CLI::App* list = app.add_subcommand("list", "names, and what each of them is");
            CLI::App* show = app.add_subcommand("show", "the text of one of them");
            CLI::App* copy = app.add_subcommand("cp", "a copy of your own");
            list->add_flag("--json", *json, "as one JSON document");
            for (CLI::App* one : {show, copy}) one->add_option("NAME", *name, "as in `std list`")->required();
            copy->add_option("FILE", *to, "where to; NAME.yaml unless given");
            return [=]() -> int {
              if (list->parsed()) return list_library(*json);
              if (copy->parsed()) return copy_library(*name, *to);
              check(show->parsed(), "`weft std` needs to know what to do: list, show NAME or cp NAME [FILE]");
              std::cout << library_text(*name);
              return 0;
            };
          }};
}

}  // namespace weft::cli
