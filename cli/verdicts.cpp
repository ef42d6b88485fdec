#include "cli/verdicts.h"

#include "train/terminal.h"

namespace weft::cli {
namespace {

using Verdict = verify::Finding::Verdict;

}  // namespace

std::string heading_of(const std::string& name, const verify::Report& report) {
  std::string sizes;
  for (const auto& [param, value] : report.sizes) sizes += fmt::format(", {} = {}", param, value);
  std::string text = fmt::format("{}: {} weights{}\n", name, train::grouped(report.weights),
                                 sizes.empty() ? "" : "; made smaller:" + sizes.substr(1));
  if (!report.limit.empty()) text += fmt::format("  up to T = {}: {}\n", report.longest, report.limit);
  return text;
}

VerdictCells cells_of(const verify::Line& line) {
  const verify::Finding& f = line.finding;
  return {f.verdict == Verdict::holds   ? "holds"
          : f.verdict == Verdict::fails ? "FAILS"
                                        : "-",
          line.property->name,
          f.verdict == Verdict::absent ? ""
          : f.worst == 0               ? "exact"
                                       : fmt::format("{:.1e}", f.worst),
          f.about};
}

nlohmann::ordered_json document_of(const std::string& name, const verify::Report& report) {
  nlohmann::ordered_json j = {{"name", name}, {"holds", !report.failed()}, {"weights", report.weights}};
  j["sizes"] = nlohmann::ordered_json::object();
  for (const auto& [param, value] : report.sizes) j["sizes"][param] = value;
  j["longest"] = report.longest;
  j["limit"] = report.limit;
  j["properties"] = nlohmann::ordered_json::array();
  for (const verify::Line& l : report.lines) {
    const verify::Finding& f = l.finding;
    nlohmann::ordered_json p = {{"name", l.property->name}, {"means", l.property->about}};
    p["verdict"] = f.verdict == Verdict::holds ? "holds" : f.verdict == Verdict::fails ? "fails" : "absent";
    if (f.verdict == Verdict::absent) p["worst"] = nullptr;
    else p["worst"] = std::isfinite(f.worst) ? nlohmann::ordered_json(f.worst) : nlohmann::ordered_json("infinite");
    p["where"] = f.where;
    p["about"] = f.about;
    p["smallest"] = l.smallest;
    p["seconds"] = l.seconds;
    j["properties"].push_back(std::move(p));
  }
  return j;
}

}  // namespace weft::cli
