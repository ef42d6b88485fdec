// weft equal A B: whether two descriptions are the same function, and under which map of their weights.
#include "verify/equal.h"

#include <CLI/CLI.hpp>

#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/claim.h"
#include "cli/output.h"
#include "cli/verb.h"

namespace weft::cli {
namespace {

struct Question {
  std::string other, map;
  std::vector<std::string> defs;
};

std::string meaning(const verify::Comparison& c, bool mapped) {
  if (!c.equal()) return "different functions";
  if (!mapped) return "the same function of the same weights";
  if (c.directions.size() == 2) return "the same family of functions: exact both ways";
  return c.directions[0].from == "a" ? "every a is a b (exact); whether every b is an a the map does not say"
                                     : "every b is an a: b is a with a restriction (an assumption)";
}

Options at(Options options, const std::string& path) {
  options.path = path;
  return options;
}

int compare(const Options& options, const Question& q) {
  check(q.defs.size() <= 2, "--def is given once for both, or twice: for A and for B");
  const std::string def_a = q.defs.empty() ? "" : q.defs.front(), def_b = q.defs.empty() ? "" : q.defs.back();
  dsl::SourcePtr map;
  if (!q.map.empty()) map = read_description(at(options, q.map));
  try {
    const auto c = verify::compare(claim_of(read_description(options), options, def_a),
                                   claim_of(read_description(at(options, q.other)), options, def_b), map);
    nlohmann::ordered_json j = {{"equal", c.equal()}, {"meaning", meaning(c, bool(map))}};
    j["directions"] = nlohmann::ordered_json::array();
    if (!options.json) std::cout << meaning(c, bool(map)) << "\n";
    for (const verify::Direction& d : c.directions) {
      const bool holds = d.finding.verdict == verify::Finding::Verdict::holds;
      j["directions"].push_back({{"drawn", d.from},
                                 {"follows", d.to},
                                 {"mapped", d.mapped},
                                 {"equal", holds},
                                 {"worst", d.finding.worst},
                                 {"where", d.finding.where}});
      if (options.json) continue;
      std::cout << fmt::format("  weights of {} drawn, those of {} follow ({} by the map): {:.1e}; {}\n", d.from, d.to,
                               d.mapped, d.finding.worst, d.finding.about);
      if (!holds) std::cout << fmt::format("  smallest counterexample: {}\n", d.finding.where);
    }
    if (options.json) print_json(j);
    return c.equal() ? 0 : static_cast<int>(Failure::verification);
  } catch (const verify::Subject::NotBuilt& e) {
    report(e.diagnostics, options.json);
    throw Reported{e.diagnostics.exit_code()};
  }
}

}  // namespace

Verb equal_verb() {
  return {
      "equal", "whether two descriptions are the same function",
      "  ./weft equal std/retnet std/retnet_parallel\n"
      "  ./weft equal steps.yaml steps.yaml --def dense --def diagonal --map absorb.map\n"
      "Weights are matched by name, or by a map: `b:` gives weights of B as expressions of those of A, `a:` the other\n"
      "way. In f64, with random weights, at several lengths, gradients too. Exit code 3 when they differ.\n",
      [](CLI::App& app) {
        auto options = std::make_shared<Options>();
        auto q = std::make_shared<Question>();
        add_options(app, *options, "A", "a description");
        app.add_option("B", q->other, "another one")->required();
        app.add_option("--map", q->map, "a file: weights of one as expressions of those of the other");
        app.add_option("--def", q->defs, "a def instead of the model; twice: of A and of B")->allow_extra_args(false);
        return [=] { return compare(*options, *q); };
      }};
}

}  // namespace weft::cli
