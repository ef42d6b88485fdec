// weft ops [NAME]: the reference of all ops, made from their rows.
#include <CLI/CLI.hpp>

#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/verb.h"
#include "dsl/diagnostic.h"
#include "ops/table.h"

namespace weft::cli {

namespace {

const Op& found(const std::string& name) {
  if (const Op* op = ops::find(name)) return *op;
  std::vector<std::string> names;
  for (const Op* op : ops::table()) names.push_back(op->name);
  const std::string guess = dsl::guess_text(name, names);
  throw Error(fmt::format("there is no op `{}`{}", name, guess.empty() ? "; `weft ops` lists them" : "; " + guess));
}

// The whole reference, or the part about one op.
void print_ops_json(const std::string& name) {
  auto all = nlohmann::ordered_json::parse(ops::json());
  if (!name.empty()) {
    auto& list = all["ops"];
    for (std::size_t i = list.size(); i-- > 0;) {
      if (list[i]["name"] != found(name).name) list.erase(i);
    }
  }
  print_json(all);
}

int print_ops(const std::string& name, bool json, bool markdown) {
  check(!markdown || (name.empty() && !json), "--markdown is the whole reference: it goes with no NAME and no --json");
  if (json) print_ops_json(name);
  else if (markdown) std::cout << ops::markdown();
  else std::cout << (name.empty() ? ops::list() : ops::describe(found(name)));
  return 0;
}

}  // namespace

Verb ops_verb() {
  return {"ops", "the ops that equations may call", "  ./weft ops\n  ./weft ops softmax\n", [](CLI::App& app) {
            auto name = std::make_shared<std::string>();
            auto json = std::make_shared<bool>(false), markdown = std::make_shared<bool>(false);
            app.add_option("NAME", *name, "one op, in full");
            app.add_flag("--json", *json, "as one JSON document");
            app.add_flag("--markdown", *markdown, "all of them as docs/ops.md");
            return [=] { return print_ops(*name, *json, *markdown); };
          }};
}

}  // namespace weft::cli
