#include "dsl/expression_lexer.h"

#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace weft::dsl {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_white(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Longest first.
constexpr std::array<std::string_view, 23> kSymbols = {"...", "->", "//", "==", "!=", "<=", ">=", "+",
                                                       "-",   "*",  "/",  "%",  "@",  "^",  "<",  ">",
                                                       "(",   ")",  "[",  "]",  ",",  "=",  ":"};

struct Foreign {
  std::string_view symbol;
  std::string_view help;
};

/// What other languages write; looked up before the symbols.
constexpr std::array kForeign = {
    Foreign{"**", "the power is `x ^ y`"},
    Foreign{"&&", "write `and`"},
    Foreign{"||", "write `or`"},
    Foreign{"&", "write `and`"},
    Foreign{"|", "write `or`"},
    Foreign{"?", "write `a if condition else b`"},
    Foreign{"\xC3\x97", "write `*`"},                // multiplication sign
    Foreign{"\xC2\xB7", "write `*`"},                // middle dot
    Foreign{"\xE2\x88\x92", "write `-`"},            // minus sign
    Foreign{"\xE2\x8A\x99", "write `*`"},            // circled dot
    Foreign{"\xE2\x8A\x97", "write `outer(a, b)`"},  // circled times
    Foreign{"\xC2\xB2", "write `^ 2`"},              // superscript two
    Foreign{"\xE2\x89\xA4", "write `<=`"},
    Foreign{"\xE2\x89\xA5", "write `>=`"},
    Foreign{"\xE2\x86\x92", "write `->`"},
};

class Lexer {
 public:
  Lexer(const LocatedText& text, Diagnostics& diagnostics) : in_(text), text_(text.text), diagnostics_(diagnostics) {}

  std::vector<Token> run() {
    std::vector<Token> tokens;
    for (;;) {
      while (at_ < text_.size() && is_white(text_[at_])) ++at_;
      tokens.push_back(next());
      if (tokens.back().kind == Token::Kind::end) return tokens;
    }
  }

 private:
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  Token take(Token::Kind kind, size_t length) {
    Token token;
    token.kind = kind;
    token.text = std::string(text_.substr(at_, length));
    token.span = in_.span(at_, at_ + length);
    at_ += length;
    return token;
  }

  [[noreturn]] void fail(size_t begin, size_t end, const std::string& message, std::string help,
                         std::string_view code = "E0121") {
    diagnostics_.error(code, in_.span(begin, end), message).help(std::move(help));
    throw Failed{};
  }

  Token next() {
    if (at_ >= text_.size()) return take(Token::Kind::end, 0);
    const char c = peek();
    if (is_digit(c) || (c == '.' && is_digit(peek(1)))) return number();
    if (is_letter(c)) return name();
    if (c == '"' || c == '\'') return quoted();
    if (c == '^' && peek(1) == 'T' && !is_letter(peek(2)) && !is_digit(peek(2))) return transpose();
    for (const Foreign& foreign : kForeign) {
      if (text_.substr(at_).starts_with(foreign.symbol)) {
        fail(at_, at_ + foreign.symbol.size(), fmt::format("`{}` is not an operator here", foreign.symbol),
             std::string(foreign.help));
      }
    }
    if (c == '!' && peek(1) != '=') fail(at_, at_ + 1, "`!` is not an operator here", "write `not`");
    if (c == '.' && text_.substr(at_, 3) != "...") {
      const bool special = text_.substr(at_, 4) == ".inf" || text_.substr(at_, 4) == ".nan";
      fail(at_, at_ + (special ? 4 : 1), special ? "infinities and NaN are no numbers here" : "`.` stands alone", "");
    }
    for (const std::string_view symbol : kSymbols) {
      if (text_.substr(at_).starts_with(symbol)) return take(Token::Kind::symbol, symbol.size());
    }
    const size_t length = static_cast<size_t>(std::max(1, utf8_length(text_, at_)));
    const bool ascii = static_cast<unsigned char>(c) < 0x80;
    fail(at_, at_ + length, fmt::format("`{}` has no meaning in an expression", text_.substr(at_, length)),
         ascii ? "" : "names and operators are ASCII");
  }

  // x^T glued on both sides is the transpose; with a space before the `^` nobody can know.
  Token transpose() {
    if (at_ == 0 || is_white(text_[at_ - 1])) {
      fail(at_, at_ + 2, "`^T` after a space can be read in two ways",
           "write `x^T` for the transpose, `x ^ (T)` for the power", "E0125");
    }
    return take(Token::Kind::transpose, 2);
  }

  Token name() {
    size_t length = 0;
    while (is_letter(peek(length)) || is_digit(peek(length)) || (peek(length) == '.' && is_letter(peek(length + 1))))
      ++length;
    const std::string_view word = text_.substr(at_, length);
    if (word == "inf" || word == "nan" || word == "infinity" || word == "NaN") {
      fail(at_, at_ + length, "infinities and NaN are no numbers here",
           "masks select, they never multiply: use `softmax(x, mask=m)`", "E0122");
    }
    return take(Token::Kind::name, length);
  }

  Token quoted() {
    const size_t close = text_.find(peek(), at_ + 1);
    if (close == std::string_view::npos) fail(at_, at_ + 1, "this quote is not closed", "");
    Token token = take(Token::Kind::text, close + 1 - at_);
    token.text = token.text.substr(1, token.text.size() - 2);
    return token;
  }

  // (0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?
  Token number() {
    const size_t begin = at_;
    size_t n = 0;
    const auto digits = [&] {
      const size_t from = n;
      while (is_digit(peek(n))) ++n;
      return n - from;
    };
    if (peek() == '.') fail(begin, begin + 1, "a number begins with a digit", "write `0.5` instead of `.5`", "E0122");
    const size_t leading = digits();
    if (peek(n) == '_')
      fail(begin, begin + n + 1, "numbers have no underscores", "write the digits without `_`", "E0122");
    if (peek() == '0' && leading == 1 && (peek(1) == 'x' || peek(1) == 'X' || peek(1) == 'o' || peek(1) == 'b')) {
      fail(begin, begin + 2, "numbers are decimal", "write the number in decimal digits", "E0122");
    }
    if (peek() == '0' && leading > 1)
      fail(begin, begin + n, "a number has no leading zero", "remove the zero", "E0122");
    bool integer = true;
    if (peek(n) == '.') {
      integer = false;
      ++n;
      if (digits() == 0)
        fail(begin, begin + n, "a digit must follow the point", "write `1.0` instead of `1.`", "E0122");
    }
    if (peek(n) == 'e' || peek(n) == 'E') {
      ++n;
      if (peek(n) == '+' || peek(n) == '-') ++n;
      if (digits() == 0) fail(begin, begin + n, "the exponent has no digits", "", "E0122");
    }
    if (is_letter(peek(n)) || peek(n) == '.') {
      fail(begin, begin + n + 1, fmt::format("`{}` is no number", text_.substr(begin, n + 1)),
           "write `*` between a number and a name", "E0122");
    }
    return value(integer, n);
  }

  Token value(bool integer, size_t length) {
    const size_t begin = at_;
    Token token = take(Token::Kind::number, length);
    const char* first = token.text.data();
    const char* last = first + token.text.size();
    if (std::from_chars(first, last, token.number).ec != std::errc{}) {
      fail(begin, begin + length, fmt::format("`{}` is too large or too small for a number", token.text), "", "E0122");
    }
    const bool plain = token.text.find_first_of("eE") == std::string::npos;
    if (integer && plain) {
      if (std::from_chars(first, last, token.whole).ec != std::errc{}) {
        fail(begin, begin + length, fmt::format("`{}` is too large for a whole number", token.text), "", "E0122");
      }
      token.integer = true;
    } else if (integer && token.number <= 9007199254740992.0 && token.number == std::floor(token.number)) {
      // `2e4` is whole; past 2^53 a double no longer knows which whole number was meant.
      token.integer = true;
      token.whole = static_cast<i64>(token.number);
    }
    return token;
  }

  const LocatedText& in_;
  std::string_view text_;
  Diagnostics& diagnostics_;
  size_t at_ = 0;
};

}  // namespace

Span LocatedText::span(size_t begin, size_t end) const {
  const int first = offsets[begin];
  if (end <= begin) return {source, first, first};
  // From the last byte, not from the byte after it: that one may stand on the next line.
  return {source, first, std::max(first, offsets[end - 1]) + 1};
}

bool is_reserved(std::string_view word) {
  for (const std::string_view reserved :
       {"and", "or", "not", "if", "else", "true", "false", "inf", "nan", "infinity", "NaN"}) {
    if (word == reserved) return true;
  }
  return false;
}

bool is_name(std::string_view text) {
  for (const char c : text) {
    if (!is_letter(c) && !is_digit(c)) return false;
  }
  return !text.empty() && !is_digit(text[0]) && !is_reserved(text);
}

std::optional<LocatedText> located_text(const Yaml& scalar, Diagnostics& diagnostics) {
  if (!scalar.is_scalar()) {
    Diagnostic& d =
        diagnostics.error("E0120", scalar.span, fmt::format("an expression was expected, not {}", kind_name(scalar)));
    if (scalar.flow)
      d.help(
          "an expression that begins with a bracket needs quotes; an equation with commas needs a "
          "line of its own");
    return {};
  }
  if (scalar.text.size() > static_cast<size_t>(kExpressionBytes)) {
    diagnostics
        .error("E0123", scalar.span,
               fmt::format("an expression of {} bytes; at most {} are allowed", scalar.text.size(), kExpressionBytes))
        .help("name its parts in `let`");
    return {};
  }
  LocatedText result{scalar.text, source_offsets(scalar), scalar.span.source};
  // An escape may stand for several bytes of text, and no caret could point into it.
  if (scalar.quoted && scalar.span.source && scalar.span.source->text[static_cast<size_t>(scalar.span.begin)] == '"') {
    const auto begin = static_cast<size_t>(scalar.span.begin);
    const size_t slash = scalar.span.source->text.find('\\', begin);
    if (slash < static_cast<size_t>(scalar.span.end)) {
      const int at = static_cast<int>(slash);
      diagnostics.error("E0121", {scalar.span.source, at, at + 1}, "an expression has no escapes")
          .help("write it without quotes, or in single quotes");
      return {};
    }
  }
  return result;
}

std::optional<std::vector<Token>> tokenize(const LocatedText& text, Diagnostics& diagnostics) {
  try {
    return Lexer(text, diagnostics).run();
  } catch (const Failed&) {
    return {};
  }
}

}  // namespace weft::dsl
