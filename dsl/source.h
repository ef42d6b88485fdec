#pragma once
// Source text and places in it. Everything that can be reported carries a Span.

#include <memory>
#include <string>
#include <string_view>

namespace weft::dsl {

/// A text as it was read, byte for byte, and the name to show for it.
struct Source {
  std::string name;
  std::string text;
};

using SourcePtr = std::shared_ptr<const Source>;

SourcePtr make_source(std::string name, std::string text);

/// The half-open byte range [begin, end) of a source.
struct Span {
  std::shared_ptr<const Source> source;
  int begin = 0;
  int end = 0;
};

/// 1-based line and column; columns count code points, so that an editor agrees.
struct LineColumn {
  int line = 1;
  int column = 1;
};

LineColumn place_at(const Source& source, int offset);
LineColumn place(const Span& span);

/// "file:line:col", or "<no source>" for a span that has none.
std::string place_text(const Span& span);

/// The bytes of the line (1-based), without its line end.
std::string_view line_text(const Source& source, int line);

/// From the begin of `first` to the end of `last`, both in one source.
Span join(const Span& first, const Span& last);

/// The text with control characters and invalid UTF-8 replaced by '?': safe for terminals and JSON.
std::string printable(std::string_view text);

/// Length of the valid UTF-8 sequence at `at`; 0 when the bytes there are not strict UTF-8.
int utf8_length(std::string_view text, size_t at);

/// 3 when the text starts with a UTF-8 byte order mark, else 0.
int bom_length(std::string_view text);

}  // namespace weft::dsl
