#include "dsl/source.h"

#include <algorithm>

#include <fmt/format.h>

namespace weft::dsl {
namespace {

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

size_t line_begin(std::string_view text, size_t offset) {
  const size_t found = offset == 0 ? std::string_view::npos : text.rfind('\n', offset - 1);
  return found == std::string_view::npos ? 0 : found + 1;
}

}  // namespace

SourcePtr make_source(std::string name, std::string text) {
  return std::make_shared<const Source>(Source{std::move(name), std::move(text)});
}

int bom_length(std::string_view text) { return text.starts_with("\xEF\xBB\xBF") ? 3 : 0; }

LineColumn place_at(const Source& source, int offset) {
  const std::string_view text = source.text;
  const size_t at = std::min(text.size(), static_cast<size_t>(std::max(offset, 0)));
  const size_t begin = line_begin(text, at);
  LineColumn result;
  result.line += static_cast<int>(std::count(text.begin(), text.begin() + static_cast<long>(begin), '\n'));
  // A byte order mark is no column: editors do not show it.
  const size_t first = begin == 0 ? std::min<size_t>(at, bom_length(text)) : begin;
  for (size_t i = first; i < at; ++i) {
    result.column += !continues(text[i]);
  }
  return result;
}

LineColumn place(const Span& span) { return span.source ? place_at(*span.source, span.begin) : LineColumn{}; }

std::string place_text(const Span& span) {
  if (!span.source) return "<no source>";
  const LineColumn at = place(span);
  return fmt::format("{}:{}:{}", printable(span.source->name), at.line, at.column);
}

std::string_view line_text(const Source& source, int line) {
  const std::string_view text = source.text;
  size_t begin = 0;
  for (int i = 1; i < line; ++i) {
    const size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) return {};
    begin = end + 1;
  }
  if (begin == 0) begin = bom_length(text);
  std::string_view result = text.substr(begin, text.find('\n', begin) - begin);
  if (result.ends_with('\r')) result.remove_suffix(1);
  return result;
}

Span join(const Span& first, const Span& last) {
  if (first.source != last.source) return first;
  return {first.source, first.begin, std::max(first.end, last.end)};
}

int utf8_length(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned lead = byte(at);
  if (lead < 0x80) return at < text.size() ? 1 : 0;
  const int length = lead >= 0xC2 && lead < 0xE0   ? 2
                     : lead >= 0xE0 && lead < 0xF0 ? 3
                     : lead >= 0xF0 && lead < 0xF5 ? 4
                                                   : 0;
  for (int i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return 0;
  }
  const unsigned second = byte(at + 1);
  // Overlong forms, surrogates and code points past U+10FFFF.
  if (lead == 0xE0 && second < 0xA0) return 0;
  if (lead == 0xED && second >= 0xA0) return 0;
  if (lead == 0xF0 && second < 0x90) return 0;
  if (lead == 0xF4 && second >= 0x90) return 0;
  return length;
}

std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const int length = utf8_length(text, i);
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080..U+009F are terminal controls too.
    const bool control =
        byte < 0x20 || byte == 0x7F || (byte == 0xC2 && length == 2 && static_cast<unsigned char>(text[i + 1]) < 0xA0);
    if (length == 0 || (control && byte != '\t' && byte != '\n')) {
      result += '?';
      i += length == 0 ? 1 : static_cast<size_t>(length);
      continue;
    }
    result.append(text.substr(i, static_cast<size_t>(length)));
    i += static_cast<size_t>(length);
  }
  return result;
}

}  // namespace weft::dsl
