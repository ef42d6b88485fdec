// Text to tokens and back: by character (Unicode code points of the text, sorted) or by byte (256
// of them).
#pragma once
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/error.h"

namespace weft::train {

class Tokenizer {
 public:
  static Tokenizer bytes();
  /// The characters of `text`, in order of their code points. Bytes that are not UTF-8 are an error
  /// that names `source` and the byte.
  static Tokenizer characters(std::string_view text, const std::string& source);
  /// What `json` wrote.
  static Tokenizer from_json(std::string_view json, const std::string& source);
  std::string json() const;

  bool by_byte() const { return pieces_.empty(); }
  /// "character" or "byte".
  std::string unit() const { return by_byte() ? "byte" : "character"; }
  i64 vocab() const { return by_byte() ? 256 : static_cast<i64>(pieces_.size()); }
  /// Errors name `source`, the place and the character that is not in the vocabulary.
  std::vector<i32> encode(std::string_view text, const std::string& source, Failure kind = Failure::data) const;
  std::string decode(std::span<const i32> tokens) const;
  /// Whether `encode` would succeed.
  bool knows(std::string_view text) const;

  friend bool operator==(const Tokenizer&, const Tokenizer&) = default;

 private:
  std::vector<std::string> pieces_;  // the UTF-8 of every character, by token; empty: by byte
  std::map<std::string, i32, std::less<>> tokens_;
};

}  // namespace weft::train
