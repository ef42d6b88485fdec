#include "cli/tensors.h"

#include <iostream>

namespace weft::cli {

void print_notes(const dsl::Function& function) {
  for (const std::string& note : function.notes()) std::cerr << "note: " << note << "\n";
}

std::string remark(const dsl::Weight& w) {
  if (w.frozen) return "frozen";
  if (w.redraw > 0) return fmt::format("not trained, drawn anew every {} steps", w.redraw);
  return !w.trained ? "not trained" : w.decays ? "" : "no decay";
}

std::string columns(const std::vector<std::vector<std::string>>& rows, const std::string& indent) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string all;
  for (const auto& row : rows) {
    std::string line = indent;
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    all += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return all;
}

}  // namespace weft::cli
