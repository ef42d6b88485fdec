// weft ops [NAME]: the reference of all ops, made from their rows.
#include <CLI/CLI.hpp>

#include <iostream>

#include "cli/verb.h"
#include "dsl/diagnostic.h"
#include "ops/table.h"

namespace weft::cli {

Verb ops_verb() {
  return {"ops", "the ops that equations may call", [](CLI::App& app) {
            auto name = std::make_shared<std::string>();
            auto json = std::make_shared<bool>(false);
            auto markdown = std::make_shared<bool>(false);
            app.add_option("NAME", *name, "one op, in full");
            app.add_flag("--json", *json, "all of them as JSON");
            app.add_flag("--markdown", *markdown, "all of them as docs/ops.md");
            return [=] {
              if (*json || *markdown) {
                std::cout << (*json ? ops::json() : ops::markdown());
                return 0;
              }
              if (name->empty()) {
                std::cout << ops::list();
                return 0;
              }
              if (const Op* op = ops::find(*name)) {
                std::cout << ops::describe(*op);
                return 0;
              }
              std::vector<std::string> names;
              for (const Op* op : ops::table()) names.push_back(op->name);
              const std::string guess = dsl::guess_text(*name, names);
              throw Error(fmt::format("there is no op `{}`{}", *name, guess.empty() ? "" : "; " + guess));
            };
          }};
}

}  // namespace weft::cli
