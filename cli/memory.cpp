#include "cli/memory.h"

#include <fstream>
#include <sstream>

#include "cli/output.h"

namespace weft::cli {
namespace {

// The number behind `key` in a file of lines such as "MemAvailable:  1234 kB".
std::optional<double> kilobytes_of(const char* file, const std::string& key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    double kilobytes = 0;
    if (words >> name >> kilobytes && name == key) return kilobytes * 1024;
  }
  return {};
}

}  // namespace

std::string cpu_line(const std::string& key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(':');
    if (line.starts_with(key) && colon != std::string::npos) return line.substr(std::min(line.size(), colon + 2));
  }
  return {};
}

std::string program_text() {
  const std::string cpu = cpu_line("model name");
  return fmt::format("weft {}, compiled by {}; {}", WEFT_VERSION, __VERSION__, cpu.empty() ? "unknown processor" : cpu);
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

std::optional<double> available_bytes() { return kilobytes_of("/proc/meminfo", "MemAvailable:"); }
std::optional<double> resident_bytes() { return kilobytes_of("/proc/self/status", "VmRSS:"); }
std::optional<double> peak_resident_bytes() { return kilobytes_of("/proc/self/status", "VmHWM:"); }

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
