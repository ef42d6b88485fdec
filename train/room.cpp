#include "train/room.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

#include "engine/pool.h"
#include "train/terminal.h"

namespace weft::train {
namespace {

namespace fs = std::filesystem;

// The number that a file starts with; nothing for a word such as "max".
std::optional<double> number_in(const fs::path& file) {
  double value = 0;
  if (!(std::ifstream(file) >> value)) return {};
  return value;
}

// "anon 1234" in a file of such lines. The files that a group has read count as its memory, too, and are given up.
std::optional<double> held(const fs::path& file) {
  std::ifstream lines(file);
  std::string key;
  for (double value = 0; lines >> key >> value;) {
    if (key == "anon" || key == "total_rss") return value;
  }
  return {};
}

// The folders of our control group and of those above it: version 2, and the memory of version 1.
std::vector<fs::path> groups() {
  std::vector<fs::path> all;
  std::ifstream lines("/proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    const bool second = line.starts_with("0::");
    const std::size_t memory = line.find(":memory:");
    if (!second && memory == std::string::npos) continue;
    const fs::path root = second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    for (fs::path p = fs::path(line.substr(second ? 3 : memory + 8)).relative_path();; p = p.parent_path()) {
      all.push_back(root / p);
      if (p.empty()) break;
    }
  }
  return all;
}

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

std::optional<double> left_in_group(const fs::path& folder) {
  auto most = number_in(folder / "memory.max");
  if (!most) most = number_in(folder / "memory.limit_in_bytes");
  constexpr double kNoLimit = 1e18;  // version 1 writes the largest number of pages
  if (!most || *most > kNoLimit) return {};
  auto used = held(folder / "memory.stat");
  if (!used) used = number_in(folder / "memory.current");
  return std::max(0.0, *most - used.value_or(0));
}

std::optional<double> resident_bytes() { return kilobytes_of("/proc/self/status", "VmRSS:"); }
std::optional<double> peak_resident_bytes() { return kilobytes_of("/proc/self/status", "VmHWM:"); }

std::optional<Available> available_memory() {
  std::optional<Available> least;
  const auto offer = [&](std::optional<double> bytes, const char* source) {
    if (bytes && (!least || *bytes < least->bytes)) least = {*bytes, source};
  };
  offer(kilobytes_of("/proc/meminfo", "MemAvailable:"), "the machine has");
  for (const fs::path& group : groups()) offer(left_in_group(group), "the control group leaves");
  offer(address_space_left(), "`ulimit -v` leaves");
  return least;
}

void require_room(double bytes, const std::string& what, const std::string& help) {
  const auto available = available_memory();
  if (!available || bytes < available->bytes) return;
  throw Error(fmt::format("{} would take {} bytes of memory, and {} {}; {}", what, grouped(static_cast<i64>(bytes)),
                          available->source, grouped(static_cast<i64>(available->bytes)), help),
              Failure::size);
}

}  // namespace weft::train
