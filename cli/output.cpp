#include "cli/output.h"

#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include <nlohmann/json.hpp>

namespace weft::cli {

bool colored(int stream) {
  const char *off = std::getenv("NO_COLOR"), *term = std::getenv("TERM");
  if ((off && *off) || !term || std::string_view(term) == "dumb") return false;
  return ::isatty(stream) == 1;
}

std::string paint(const std::string& text, Paint how, int stream) {
  if (!colored(stream)) return text;
  return (how == Paint::error ? "\033[1;31m" : "\033[2m") + text + "\033[0m";
}

std::string grouped(i64 number) {
  std::string s = std::to_string(number);
  for (i64 at = static_cast<i64>(s.size()) - 3; at > (number < 0 ? 1 : 0); at -= 3) s.insert(static_cast<std::size_t>(at), ",");
  return s;
}

namespace {
std::string scaled(double value, const char* unit) {
  constexpr const char* kPrefixes[] = {"", "k", "M", "G", "T", "P"};
  int p = 0;
  while (value >= 1000 && p < 5) value /= 1000, ++p;
  return fmt::format("{:.{}f} {}{}", value, p == 0 ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0, kPrefixes[p], unit);
}
}  // namespace

std::string bytes_text(double bytes) { return scaled(bytes, bytes < 1000 ? "bytes" : "B"); }
std::string flops_text(double flops) { return scaled(flops, "FLOP"); }

void report(const dsl::Diagnostics& diagnostics, bool json) {
  if (json) std::cout << diagnostics.json().dump(2) << "\n";
  else if (!diagnostics.empty()) std::cerr << diagnostics.render(colored(2));
}

}  // namespace weft::cli
