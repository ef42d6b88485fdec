#include "cli/output.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>

#include <nlohmann/json.hpp>

namespace weft::cli {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string scaled(double value, const char* unit) {
  constexpr const char* kPrefixes[] = {"", "k", "M", "G", "T", "P"};
  int p = 0;
  while (value >= 1000 && p < 5) value /= 1000, ++p;
  return fmt::format("{:.{}f} {}{}", value, p == 0 ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0, kPrefixes[p], unit);
}

}  // namespace

bool colored(int stream) {
  if (!variable("NO_COLOR").empty()) return false;
  if (!variable("FORCE_COLOR").empty() || !variable("CLICOLOR_FORCE").empty()) return true;
  const std::string term = variable("TERM");
  return !term.empty() && term != "dumb" && ::isatty(stream) == 1;
}

std::string paint(const std::string& text, Paint how, int stream) {
  if (!colored(stream)) return text;
  return (how == Paint::error ? "\033[1;31m" : "\033[2m") + text + "\033[0m";
}

std::string bytes_text(double bytes) { return scaled(bytes, bytes < 1000 ? "bytes" : "B"); }
std::string flops_text(double flops) { return scaled(flops, "FLOP"); }

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

void write_new(const std::filesystem::path& file, std::string_view text) {
  check(!std::filesystem::exists(file), "{} exists already", file.string());
  std::ofstream out(file);
  out << text << std::flush;
  if (!out) throw Error(fmt::format("{} cannot be written", file.string()), Failure::data);
}

void print_json(const nlohmann::ordered_json& document) {
  std::cout << document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
}

void report(const dsl::Diagnostics& diagnostics, bool json) {
  if (json) print_json(diagnostics.json());
  else if (!diagnostics.empty()) std::cerr << diagnostics.render(colored(2));
}

void report_errors(const dsl::Diagnostics& diagnostics, bool json) {
  if (diagnostics.has_errors() || !json) report(diagnostics, json);
  if (diagnostics.has_errors()) throw Reported{diagnostics.exit_code()};
}

void report(const std::string& message, const std::string& help, bool json) {
  if (json) {
    const auto none = nlohmann::ordered_json::array();
    nlohmann::ordered_json one = {
        {"code", ""}, {"severity", "error"}, {"message", message}, {"notes", none}, {"help", help}};
    print_json({{"errors", 1}, {"diagnostics", nlohmann::ordered_json::array({one})}});
    return;
  }
  std::cerr << paint("error", Paint::error) << ": " << message << "\n";
  if (!help.empty()) std::cerr << "  = help: " << help << "\n";
}

}  // namespace weft::cli
