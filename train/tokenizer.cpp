#include "train/tokenizer.h"

#include <nlohmann/json.hpp>
#include <set>

#include "dsl/source.h"
#include "train/file.h"

namespace weft::train {
namespace {

// Calls `take(character, number of characters before it)` for every UTF-8 character.
template <class Take> void each_character(std::string_view text, const std::string& source, Failure kind, Take take) {
  i64 count = 0;
  for (std::size_t i = 0; i < text.size(); ++count) {
    const int n = dsl::utf8_length(text, i);
    if (n == 0) {
      throw Error(fmt::format("{}: byte {} (0x{:02x}) is not UTF-8; the tokenizer `byte` takes any file", source, i,
                              static_cast<unsigned char>(text[i])),
                  kind);
    }
    take(text.substr(i, static_cast<std::size_t>(n)), count);
    i += static_cast<std::size_t>(n);
  }
}

std::string code_point(std::string_view character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(character[i])); };
  unsigned value = byte(0);
  if (character.size() > 1) value &= 0x7fu >> character.size();
  for (std::size_t i = 1; i < character.size(); ++i) value = value << 6 | (byte(i) & 63);
  return fmt::format("U+{:04X}", value);
}

}  // namespace

Tokenizer Tokenizer::bytes() { return {}; }

Tokenizer Tokenizer::characters(std::string_view text, const std::string& source) {
  // Bytewise order of UTF-8 is the order of code points.
  std::set<std::string, std::less<>> seen;
  each_character(text, source, Failure::data, [&](std::string_view character, i64) {
    if (seen.find(character) == seen.end()) seen.emplace(character);
  });
  if (seen.empty()) fail_data("{}: is empty, there are no characters to learn", source);
  Tokenizer tokenizer;
  for (const std::string& character : seen) {
    tokenizer.tokens_.emplace(character, static_cast<i32>(tokenizer.pieces_.size()));
    tokenizer.pieces_.push_back(character);
  }
  return tokenizer;
}

Tokenizer Tokenizer::from_json(std::string_view json, const std::string& source) {
  try {
    const nlohmann::json stored = nlohmann::json::parse(json);
    const std::string kind = stored.at("tokenizer").get<std::string>();
    if (kind == "byte") return bytes();
    if (kind == "char") {
      std::string all;
      const auto pieces = stored.at("characters").get<std::vector<std::string>>();
      for (const std::string& piece : pieces) all += piece;
      Tokenizer tokenizer = characters(all, source);
      if (tokenizer.pieces_ == pieces) return tokenizer;
      fail_data("{}: the characters of its tokenizer are not sorted", source);
    }
    fail_data("{}: unknown tokenizer {}", source, kind);
  } catch (const nlohmann::json::exception&) {
    fail_data("{}: its tokenizer is damaged", source);
  }
}

std::string Tokenizer::json() const {
  if (by_byte()) return R"({"tokenizer":"byte"})";
  return nlohmann::json{{"tokenizer", "char"}, {"characters", pieces_}}.dump();
}

std::vector<i32> Tokenizer::encode(std::string_view text, const std::string& source, Failure kind) const {
  std::vector<i32> tokens;
  tokens.reserve(text.size());
  if (by_byte()) {
    for (const char c : text) tokens.push_back(static_cast<unsigned char>(c));
    return tokens;
  }
  each_character(text, source, kind, [&](std::string_view character, i64 place) {
    const auto found = tokens_.find(character);
    if (found == tokens_.end()) {
      throw Error(fmt::format("{}: character {} is '{}' ({}), which is not among the {} the model was trained on",
                              source, place + 1, dsl::printable(character), code_point(character), pieces_.size()),
                  kind);
    }
    tokens.push_back(found->second);
  });
  return tokens;
}

std::string Tokenizer::decode(std::span<const i32> tokens) const {
  std::string text;
  for (const i32 token : tokens) {
    check(token >= 0 && token < vocab(), "tokenizer: token {} of a vocabulary of {}", token, vocab());
    if (by_byte()) {
      text += static_cast<char>(token);
    } else {
      text += pieces_[static_cast<std::size_t>(token)];
    }
  }
  return text;
}

bool Tokenizer::knows(std::string_view text) const {
  try {
    encode(text, {});
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace weft::train
