#pragma once
// Tokens of an expression, each with its place in the source.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/diagnostic.h"
#include "dsl/expression.h"

namespace weft::dsl {

struct Token {
  enum class Kind { number, name, text, symbol, transpose, end };
  Kind kind = Kind::end;
  std::string text;  // a symbol or word as written; the content of a text
  Span span;
  double number = 0;
  bool integer = false;
  i64 whole = 0;
};

/// Text with the source place of every byte.
struct LocatedText {
  std::string_view text;
  std::vector<int> offsets;
  SourcePtr source;

  Span span(size_t begin, size_t end) const;
};

/// The text of a scalar, ready to be read as an expression; nothing (reported) when it cannot be.
std::optional<LocatedText> located_text(const Yaml& scalar, Diagnostics& diagnostics);

/// All tokens and an end token; nothing at the first error, reported.
std::optional<std::vector<Token>> tokenize(const LocatedText& text, Diagnostics& diagnostics);

/// `and`, `if`, `true`, ...: words that cannot be names.
bool is_reserved(std::string_view word);

}  // namespace weft::dsl
