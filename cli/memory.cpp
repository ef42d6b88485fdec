#include "cli/memory.h"

#include <fstream>

#include "cli/output.h"

namespace weft::cli {

std::string cpu_line(const std::string& key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(':');
    if (line.starts_with(key) && colon != std::string::npos) return line.substr(std::min(line.size(), colon + 2));
  }
  return {};
}

Need need_of(const Work& work, const train::TrainOptions& o) {
  const dsl::StepCost c = work.model->cost(o.batch, work.length(o), o.dtype);
  double remembered = 0;  // by AdamW, the most that a rule remembers
  for (const dsl::Weight& w : work.model->weights()) {
    if (w.trained)
      remembered += 2 * static_cast<double>(element_count(w.shape)) * static_cast<double>(byte_size(o.dtype));
  }
  return {c, static_cast<double>(c.peak_bytes) + remembered};
}

std::string too_large(const Need& need, bool windows) {
  const auto available = available_bytes();
  if (!available || need.bytes < *available) return {};
  return fmt::format("a step needs {} of memory, and {} are available; make train.batch{} smaller",
                     bytes_text(need.bytes), bytes_text(*available), windows ? " or train.context" : "");
}

void require_memory(const Work& work, const train::TrainOptions& options) {
  const std::string trouble = too_large(need_of(work, options), !work.data || work.data->has_windows());
  if (!trouble.empty()) throw Error(trouble, Failure::size);
}

}  // namespace weft::cli
