// What `verify` found, in text, cells and JSON: one way for the verb and for a report.
#pragma once
#include <nlohmann/json.hpp>

#include "verify/verify.h"

namespace weft::cli {

/// Two lines: what was verified, at which sizes, and what limited the lengths.
std::string heading_of(const std::string& name, const verify::Report& report);

/// "holds" or "FAILS" or "-", the property, the worst figure, what was seen.
struct VerdictCells {
  std::string verdict, property, worst, about;
};
VerdictCells cells_of(const verify::Line& line);

nlohmann::ordered_json document_of(const std::string& name, const verify::Report& report);

}  // namespace weft::cli
