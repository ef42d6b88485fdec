// weft verify FILE: proofs by computation that a description is what it seems.
#include "verify/verify.h"

#include <CLI/CLI.hpp>

#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/claim.h"
#include "cli/output.h"
#include "cli/verb.h"
#include "train/terminal.h"

namespace weft::cli {
namespace {

std::string_view word(verify::Finding::Verdict v) {
  return v == verify::Finding::Verdict::holds ? "holds" : v == verify::Finding::Verdict::fails ? "FAILS" : "-";
}

std::string heading(const std::string& name, const verify::Report& report) {
  std::string sizes;
  for (const auto& [param, value] : report.sizes) sizes += fmt::format(", {} = {}", param, value);
  std::string text = fmt::format("{}: {} weights{}\n", name, train::grouped(report.weights),
                                 sizes.empty() ? "" : "; made smaller:" + sizes.substr(1));
  if (!report.limit.empty()) text += fmt::format("  up to T = {}: {}\n", report.longest, report.limit);
  return text;
}

void print_line(const verify::Line& line) {
  const verify::Finding& f = line.finding;
  const bool fails = f.verdict == verify::Finding::Verdict::fails;
  const std::string number = f.verdict == verify::Finding::Verdict::absent ? ""
                             : f.worst == 0                                ? "exact"
                                                                           : fmt::format("{:.1e}", f.worst);
  const std::string verdict = fmt::format("{:<6}", word(f.verdict));
  std::cout << fmt::format("  {}{:<12} {:>8}  {}\n", fails ? paint(verdict, Paint::error, 1) : verdict,
                           line.property->name, number, f.about);
  if (!fails) return;
  std::cout << fmt::format("         worst: {}\n", f.where);
  if (!line.smallest.empty()) std::cout << fmt::format("         smallest: {}\n", line.smallest);
}

nlohmann::ordered_json document(const std::string& name, const verify::Report& report) {
  nlohmann::ordered_json j = {{"name", name}, {"holds", !report.failed()}, {"weights", report.weights}};
  j["sizes"] = nlohmann::ordered_json::object();
  for (const auto& [param, value] : report.sizes) j["sizes"][param] = value;
  j["longest"] = report.longest;
  j["limit"] = report.limit;
  j["properties"] = nlohmann::ordered_json::array();
  for (const verify::Line& l : report.lines) {
    const verify::Finding& f = l.finding;
    nlohmann::ordered_json p = {{"name", l.property->name}, {"means", l.property->about}};
    p["verdict"] = f.verdict == verify::Finding::Verdict::holds   ? "holds"
                   : f.verdict == verify::Finding::Verdict::fails ? "fails"
                                                                  : "absent";
    if (f.verdict == verify::Finding::Verdict::absent) p["worst"] = nullptr;
    else p["worst"] = std::isfinite(f.worst) ? nlohmann::ordered_json(f.worst) : nlohmann::ordered_json("infinite");
    p["where"] = f.where;
    p["about"] = f.about;
    p["smallest"] = l.smallest;
    p["seconds"] = l.seconds;
    j["properties"].push_back(std::move(p));
  }
  return j;
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
      if (!begun) std::cout << heading(title, report);
      begun = true;
      print_line(line);
      std::cout.flush();
    };
    try {
      const verify::Report report = verify::verify(claim_of(source, options, name), told);
      failed |= report.failed();
      all.push_back(document(title, report));
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
