// Text to tokens and back: by character (Unicode code points of the text, sorted), by byte (256 of them), or by BPE,
// whose tokens are learned from the text.
#pragma once
#include <array>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "train/bpe.h"

namespace weft::train {

class Tokenizer {
 public:
  enum class Kind { chars, bytes, bpe };

  /// Names of the classes, in their order, where texts are classified: a run keeps them with its tokens.
  std::vector<std::string> labels;

  static Tokenizer bytes() { return {}; }
  /// The characters of `text`, in order of their code points. Bytes that are not UTF-8 are an error
  /// that names `source` and the byte.
  static Tokenizer characters(std::string_view text, const std::string& source);
  static Tokenizer of(Bpe bpe);
  /// What `json` wrote, or older versions did. A text that is anything else is an error with its byte.
  static Tokenizer from_json(std::string_view json, const std::string& source);
  std::string json() const;

  Kind kind() const { return kind_; }
  /// The word for it in a description: "char", "byte", "bpe".
  std::string name() const;
  /// "character", "byte" or "token".
  std::string unit() const;
  i64 vocab() const;
  /// Errors name `source`, the place and the character that is not in the vocabulary.
  std::vector<i32> encode(std::string_view text, const std::string& source, Failure kind = Failure::data) const;
  std::string decode(std::span<const i32> tokens) const;
  /// The bytes of a token.
  std::string piece(i32 token) const;
  /// Whether `encode` would succeed.
  bool knows(std::string_view text) const;

  friend bool operator==(const Tokenizer& a, const Tokenizer& b) { return a.json() == b.json(); }

 private:
  friend class TokenizerMaker;
  void take_characters(std::vector<std::string> sorted);
  i32 token_of(std::string_view character) const;  // -1: there is none
  Kind kind_ = Kind::bytes;
  std::vector<std::string> pieces_;  // of characters: the UTF-8 of each, by token
  std::map<std::string, i32, std::less<>> tokens_;
  std::array<i32, 128> ascii_{};  // the same of ASCII, -1: none; a search took a third of the time to the first step
  std::shared_ptr<const Bpe> bpe_;
};

/// Makes a tokenizer from texts, given one after the other.
class TokenizerMaker {
 public:
  /// `kind` is a word of a description; `vocab` is what BPE may have.
  TokenizerMaker(std::string kind, i64 vocab) : kind_(std::move(kind)), vocab_(vocab) {}
  void add(std::string_view text, const std::string& source);
  Tokenizer made(const std::string& source) const;

 private:
  std::string kind_;
  i64 vocab_;
  std::set<std::string, std::less<>> seen_;  // characters
  std::array<bool, 128> seen_ascii_{};
  Bpe::Words words_;
};

/// The number of one character of UTF-8.
unsigned code_point(std::string_view character);

/// The length of `text` without a character at its end that is not complete: what may be shown of a text that goes on.
std::size_t whole_characters(std::string_view text);

}  // namespace weft::train
