// weft verify FILE: proofs by computation that a description is what it seems.
#include <CLI/CLI.hpp>

#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/claim.h"
#include "cli/output.h"
#include "cli/verb.h"
#include "cli/verdicts.h"

namespace weft::cli {
namespace {

void print_line(const verify::Line& line) {
  const verify::Finding& f = line.finding;
  const VerdictCells c = cells_of(line);
  const bool fails = f.verdict == verify::Finding::Verdict::fails;
  const std::string verdict = fmt::format("{:<6}", c.verdict);
  std::cout << fmt::format("  {}{:<12} {:>8}  {}\n", fails ? paint(verdict, Paint::error, 1) : verdict, c.property,
                           c.worst, c.about);
  if (!fails) return;
  std::cout << fmt::format("         worst: {}\n", f.where);
  if (!line.smallest.empty()) std::cout << fmt::format("         smallest: {}\n", line.smallest);
}

// What is verified: the def that was asked for, else the model, else every def of a file without one.
std::vector<std::string> subjects(const dsl::SourcePtr& source, const Options& options, const std::string& def) {
  if (!def.empty()) return {def};
  dsl::Diagnostics d;
  const dsl::Description description(source, options.overrides(), surroundings(), d);
  report_errors(d, options.json);
  if (!description.file().model.empty()) return {""};
  std::vector<std::string> defs;
  for (const dsl::Def& one : description.file().defs) defs.push_back(one.name);
  check(!defs.empty(), "the description has no model and no defs: there is nothing to verify");
  return defs;
}

int verify_description(const Options& options, const std::string& def) {
  const dsl::SourcePtr source = read_description(options);
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  bool failed = false;
  for (const std::string& name : subjects(source, options, def)) {
    const std::string title = name.empty() ? options.path : fmt::format("{}, def {}", options.path, name);
    bool begun = false;
    const auto told = [&](const verify::Report& report, const verify::Line& line) {
      if (options.json) return;
      if (!begun) std::cout << heading_of(title, report);
      begun = true;
      print_line(line);
      std::cout.flush();
    };
    try {
      const verify::Report report = verify::verify(claim_of(source, options, name), told);
      failed |= report.failed();
      all.push_back(document_of(title, report));
    } catch (const verify::Subject::NotBuilt& e) {
      report(e.diagnostics, options.json);
      throw Reported{e.diagnostics.exit_code()};
    }
  }
  if (options.json) print_json({{"verified", all}});
  return failed ? static_cast<int>(Failure::verification) : 0;
}

}  // namespace

Verb verify_verb() {
  return {
      "verify", "proofs by computation: gradients, forms, causality, streaming, threads, precision",
      "  ./weft verify model.yaml\n  ./weft verify std/retnet --def retention -p D=16\n"
      "It works in f64 with random weights, on smaller sizes when the model has more than 100,000 weights. Exit code\n"
      "3 when a property fails; the failure is shrunk to the smallest length and sizes that still fail.\n",
      [](CLI::App& app) {
        auto options = std::make_shared<Options>();
        auto def = std::make_shared<std::string>();
        add_options(app, *options, "FILE", "the description; - for standard input");
        app.add_option("--def", *def, "one def alone; -p then sets its params, and sizes of its inputs");
        return [=] { return verify_description(*options, *def); };
      }};
}

}  // namespace weft::cli
