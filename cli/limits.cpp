// `--max-mem SIZE`: a limit of the user's own.
#include <CLI/CLI.hpp>

#include <charconv>

#include "cli/memory.h"

namespace weft::cli {

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
