#include "train/room.h"

#include <fstream>
#include <sstream>

#include "engine/error.h"
#include "train/terminal.h"

namespace weft::train {
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

std::optional<double> available_bytes() { return kilobytes_of("/proc/meminfo", "MemAvailable:"); }
std::optional<double> resident_bytes() { return kilobytes_of("/proc/self/status", "VmRSS:"); }
std::optional<double> peak_resident_bytes() { return kilobytes_of("/proc/self/status", "VmHWM:"); }

void require_room(double bytes, const std::string& what, const std::string& help) {
  const auto available = available_bytes();
  if (!available || bytes < *available) return;
  throw Error(fmt::format("{} would take {} bytes of memory, and {} are available; {}", what,
                          grouped(static_cast<i64>(bytes)), grouped(static_cast<i64>(*available)), help),
              Failure::size);
}

}  // namespace weft::train
