// A strict reader of JSON text that tells the byte of every mistake. The caller says what it
// expects and where.
#pragma once
#include <algorithm>
#include <string>
#include <string_view>

#include "dsl/source.h"
#include "train/file.h"

namespace weft::train {

class JsonReader {
 public:
  /// `first` is the byte of the file at which `text` starts; `file` begins messages and must
  /// outlive the reader.
  JsonReader(std::string_view text, u64 first, const std::string& file) : text_(text), first_(first), file_(file) {
    for (std::size_t i = 0; i < text_.size();) {
      const int n = dsl::utf8_length(text_, i);
      if (n == 0) fail(i, "the text is not UTF-8");
      i += static_cast<std::size_t>(n);
    }
  }

  [[noreturn]] void fail(std::size_t at, const std::string& what) const {
    fail_data("{}: byte {}: {}", file_, first_ + at, what);
  }
  std::size_t at() const { return at_; }
  u64 position(std::size_t at) const { return first_ + at; }
  /// Passes over white space.
  void space() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }
  /// Nothing but space may follow.
  void finish() {
    space();
    if (at_ != text_.size()) fail(at_, "something follows the JSON object");
  }

  /// Whether a quote comes next.
  bool quoted() const { return peek() == '"'; }
  /// A text in quotes; `what` names it in messages.
  std::string string(std::string_view what) {
    if (!accept('"')) fail(at_, fmt::format("{} in quotes is expected", what));
    const std::size_t begin = at_ - 1;
    std::string value;
    for (;;) {
      if (at_ >= text_.size()) fail(begin, "a quote is not closed");
      const char c = text_[at_++];
      if (c == '"') return value;
      if (static_cast<unsigned char>(c) < 0x20) fail(at_ - 1, "a control character in quotes must be escaped");
      if (c != '\\') {
        value += c;
        continue;
      }
      escape(value);
    }
  }

  /// A whole number from 0 up, written without sign, fraction or exponent.
  u64 whole(std::string_view what) {
    space();
    const std::size_t begin = at_;
    u64 value = 0;
    for (; peek() >= '0' && peek() <= '9'; ++at_) {
      const u64 digit = static_cast<u64>(peek() - '0');
      if (value > (~u64{0} - digit) / 10) fail(begin, fmt::format("{} is larger than 64 bits", what));
      value = value * 10 + digit;
    }
    const bool fraction = peek() == '.' || peek() == 'e' || peek() == 'E';
    if (at_ == begin || fraction) fail(begin, fmt::format("{} must be a whole number from 0 up", what));
    if (text_[begin] == '0' && at_ - begin > 1) fail(begin, fmt::format("{} has a leading zero", what));
    return value;
  }

  /// An object: `on_key(name, at)` reads each value.
  template <class OnKey> void object(OnKey on_key) {
    expect('{', "to open an object");
    if (accept('}')) return;
    do {
      space();
      const std::size_t at = at_;
      std::string key = string("a name");
      expect(':', "after a name");
      on_key(std::move(key), at);
    } while (accept(','));
    expect('}', "to close an object");
  }

  /// A list: `on_item()` reads each element.
  template <class OnItem> void list(std::string_view what, OnItem on_item) {
    expect('[', fmt::format("to open {}", what));
    if (accept(']')) return;
    do {
      on_item();
    } while (accept(','));
    expect(']', fmt::format("to close {}", what));
  }

  /// A value that no rule knows: skipped, but well-formed, with at most `depth` objects and lists
  /// inside each other.
  void skip(int depth) {
    space();
    if (depth == 0 && (peek() == '{' || peek() == '[')) fail(at_, "the nesting is too deep");
    if (peek() == '"') return void(string("a value"));
    if (peek() == '{') return object([&](std::string, std::size_t) { skip(depth - 1); });
    if (peek() == '[') return list("a list", [&] { skip(depth - 1); });
    for (const std::string_view word : {"true", "false", "null"}) {
      if (text_.substr(at_, word.size()) != word) continue;
      at_ += word.size();
      return;
    }
    const std::size_t begin = at_;
    at_ = std::min(text_.find_first_not_of("0123456789+-.eE", at_), text_.size());
    if (at_ == begin) fail(at_, "a value is expected");
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool accept(char c) {
    space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c, std::string_view where) {
    if (accept(c)) return;
    fail(at_, at_ >= text_.size() ? fmt::format("the text ends where '{}' is expected {}", c, where)
                                  : fmt::format("'{}' is expected {}", c, where));
  }

  void escape(std::string& to) {
    constexpr std::string_view kCodes = "\"\\/bfnrt", kMeans = "\"\\/\b\f\n\r\t";
    const char code = peek();
    ++at_;
    if (code == 'u') return unicode_escape(to);
    const std::size_t known = code ? kCodes.find(code) : std::string_view::npos;
    if (known == std::string_view::npos) fail(at_ - 2, "unknown escape in quotes");
    to += kMeans[known];
  }

  unsigned hex4() {
    unsigned value = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) fail(at_, "four hexadecimal digits are expected after \\u");
      value = value * 16 + static_cast<unsigned>(digit);
    }
    return value;
  }

  void unicode_escape(std::string& to) {
    const std::size_t at = at_ - 2;
    unsigned c = hex4();
    if (c >= 0xdc00 && c < 0xe000) fail(at, "half of a surrogate pair");
    if (c >= 0xd800 && c < 0xdc00) {
      if (text_.substr(at_, 2) != "\\u") fail(at, "half of a surrogate pair");
      at_ += 2;
      const unsigned low = hex4();
      if (low < 0xdc00 || low >= 0xe000) fail(at, "half of a surrogate pair");
      c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    const auto put = [&](unsigned byte) { to += static_cast<char>(byte); };
    if (c < 0x80) return put(c);
    if (c < 0x800) {
      put(0xc0 | c >> 6);
    } else {
      if (c < 0x10000) {
        put(0xe0 | c >> 12);
      } else {
        put(0xf0 | c >> 18), put(0x80 | (c >> 12 & 63));
      }
      put(0x80 | (c >> 6 & 63));
    }
    put(0x80 | (c & 63));
  }

  std::string_view text_;
  u64 first_;
  const std::string& file_;
  std::size_t at_ = 0;
};

}  // namespace weft::train
