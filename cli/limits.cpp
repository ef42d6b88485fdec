// How much memory there is: what the machine has, what the control group leaves, what the process may take.
#include <sys/resource.h>
#include <CLI/CLI.hpp>

#include <charconv>
#include <fstream>
#include <sstream>

#include "cli/memory.h"

namespace weft::cli {
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
  struct rlimit space {};
  if (::getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY) {
    const double used = kilobytes_of("/proc/self/status", "VmSize:").value_or(0);
    offer(std::max(0.0, static_cast<double>(space.rlim_cur) - used), "`ulimit -v` leaves");
  }
  return least;
}

double parsed_bytes(const std::string& text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  std::string unit(parsed.ptr, end);
  unit.erase(0, std::min(unit.find_first_not_of(' '), unit.size()));
  constexpr std::string_view kPrefixes = "kMGT";
  const bool binary = unit.ends_with("iB");
  if (binary) unit.resize(unit.size() - 2);
  else if (unit.ends_with("B")) unit.pop_back();
  if (unit == "K") unit = "k";
  const std::size_t prefix = unit.size() == 1 ? kPrefixes.find(unit[0]) : std::string_view::npos;
  const bool sound = unit.empty() || prefix != std::string_view::npos;
  check(parsed.ec == std::errc() && number > 0 && sound, "`{}` is no size of memory: write it as 512M, 2G or 1.5GiB",
        text);
  for (std::size_t i = 0; !unit.empty() && i <= prefix; ++i) number *= binary ? 1024 : 1000;
  return number;
}

void add_max_mem(CLI::App& app, double& most) {
  app.add_option_function<std::string>(
         "--max-mem",
         [&most](const std::string& text) {
           try {
             most = parsed_bytes(text);
           } catch (const Error& e) {
             throw CLI::ValidationError("--max-mem", e.what());
           }
         },
         "SIZE, such as 2G: refuse what would need more memory (exit 6); else what the machine has left")
      ->allow_extra_args(false);
}

}  // namespace weft::cli
