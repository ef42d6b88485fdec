#include "dsl/scalar.h"

namespace weft::dsl {
namespace {

bool is_white(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Folding changes white space only, so the other characters of text and source are the same in the
// same order.
ScalarScan align(std::string_view source, size_t at, std::string_view text) {
  ScalarScan scan;
  scan.offsets.reserve(text.size() + 1);
  for (const char c : text) {
    if (is_white(c)) {
      scan.offsets.push_back(static_cast<int>(at));
      if (c == ' ' && at < source.size() && source[at] == ' ') ++at;
      continue;
    }
    while (at < source.size() && is_white(source[at])) ++at;
    scan.offsets.push_back(static_cast<int>(at));
    if (at < source.size()) ++at;
  }
  scan.offsets.push_back(static_cast<int>(at));
  scan.end = static_cast<int>(at);
  return scan;
}

// How many bytes an escape has in the source and how many in the text.
struct Escape {
  size_t source;
  size_t text;
};

Escape escape_at(std::string_view source, size_t at) {
  const char c = at + 1 < source.size() ? source[at + 1] : '\0';
  const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  unsigned long code = c == 'N' ? 0x85 : c == '_' ? 0xA0 : c == 'L' || c == 'P' ? 0x2028 : 0;
  if (digits > 0) code = std::stoul("0" + std::string(source.substr(at + 2, digits)), nullptr, 16);
  return {2 + digits, code < 0x80 ? 1u : code < 0x800 ? 2u : code < 0x10000 ? 3u : 4u};
}

ScalarScan scan_quoted(std::string_view source, size_t begin, std::string_view text) {
  ScalarScan scan;
  const char quote = source[begin];
  size_t at = begin + 1;
  while (at < source.size() && source[at] != '\n') {
    if (source[at] == quote && !(quote == '\'' && source.substr(at, 2) == "''")) break;
    const bool escaped = (quote == '"' && source[at] == '\\') || source[at] == '\'';
    const Escape step = !escaped || (quote == '"' && source[at] == '\'') ? Escape{1, 1}
                        : quote == '\''                                  ? Escape{2, 1}
                                                                         : escape_at(source, at);
    scan.offsets.insert(scan.offsets.end(), step.text, static_cast<int>(at));
    at += step.source;
  }
  scan.closed = at < source.size() && source[at] == quote;
  scan.offsets.resize(text.size(), static_cast<int>(at));
  scan.offsets.push_back(static_cast<int>(at));
  scan.end = static_cast<int>(at) + (scan.closed ? 1 : 0);
  return scan;
}

}  // namespace

ScalarScan scan_scalar(std::string_view source, int begin, Yaml::Style style, std::string_view text) {
  const auto at = static_cast<size_t>(begin);
  if (style == Yaml::Style::quoted) return scan_quoted(source, at, text);
  if (style == Yaml::Style::plain) return align(source, at, text);
  const size_t header = source.find('\n', at);  // the text begins on the line after `|`
  return align(source, header == std::string_view::npos ? source.size() : header + 1, text);
}

std::vector<int> source_offsets(const Yaml& scalar) {
  if (!scalar.span.source) return std::vector<int>(scalar.text.size() + 1, scalar.span.begin);
  return scan_scalar(scalar.span.source->text, scalar.span.begin, scalar.style, scalar.text).offsets;
}

}  // namespace weft::dsl
