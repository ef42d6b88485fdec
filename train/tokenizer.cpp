#include "train/tokenizer.h"

#include <nlohmann/json.hpp>

#include "dsl/source.h"
#include "train/crc32c.h"
#include "train/file.h"
#include "train/json_reader.h"

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

constexpr std::size_t kMostJson = 32 << 20;  // bytes; a tokenizer of every character there is has 11 MB
constexpr u64 kVersion = 1;

std::string checksum(std::string_view json) { return fmt::format("{:08x}", crc32c(json)); }

// Texts in quotes; the control characters that JSON does not allow are escaped.
std::string texts(const std::vector<std::string>& all) { return nlohmann::json(all).dump(); }

// What a stored tokenizer says, each value checked as it is read, with its place.
struct Stored {
  std::string kind, crc;
  std::optional<u64> version;
  std::vector<std::string> characters, labels;
  Bpe bpe;

  Stored(std::string_view text, const std::string& source) : in_(text, 0, source) {
    std::set<std::string> seen;
    in_.object([&](std::string key, std::size_t at) {
      if (!seen.insert(key).second) in_.fail(at, fmt::format("\"{}\" stands twice", dsl::printable(key)));
      if (key == "tokenizer") kind = in_.string("the kind of the tokenizer");
      else if (key == "version") read_version();
      else if (key == "characters") in_.list("the characters", [&] { read_sorted(characters, true); });
      else if (key == "labels") in_.list("the labels", [&] { read_sorted(labels, false); });
      else if (key == "merges") in_.list("the merges", [&] { read_merge(); });
      else if (key == "crc32c") crc = in_.string("a checksum");
      else in_.fail(at, fmt::format("a tokenizer has no \"{}\"", dsl::printable(key)));
    });
    in_.finish();
    const auto only = [&](const char* key, const char* of) {
      if (seen.contains(key) != (kind == of))
        in_.fail(0, fmt::format("\"{}\" belongs to the tokenizer `{}`, and this one is `{}`", key, of, kind));
    };
    if (kind != "byte" && kind != "char" && kind != "bpe")
      in_.fail(0, fmt::format("a tokenizer is byte, char or bpe, not `{}`", dsl::printable(kind)));
    only("characters", "char");
    only("merges", "bpe");
    if (kind == "char" && characters.empty()) in_.fail(0, "it has no characters");
    if (seen.contains("version") != seen.contains("crc32c")) in_.fail(0, "a version and a checksum come together");
  }
  [[noreturn]] void fail(const std::string& what) const { in_.fail(0, what); }

 private:
  void read_version() {
    in_.space();
    const std::size_t at = in_.at();
    version = in_.whole("the version");
    if (*version != kVersion)
      in_.fail(at, fmt::format("it has the version {}, this program knows {}", *version, kVersion));
  }
  void read_sorted(std::vector<std::string>& to, bool character) {
    in_.space();
    const std::size_t at = in_.at();
    std::string text = in_.string(character ? "a character" : "a label");
    if (character && (text.empty() || dsl::utf8_length(text, 0) != static_cast<int>(text.size())))
      in_.fail(at, "one character is expected");
    if (!to.empty() && !(to.back() < text)) in_.fail(at, "they are not in their order, each once");
    to.push_back(std::move(text));
  }
  void read_merge() {
    in_.space();
    const std::size_t at = in_.at();
    std::vector<u64> pair;
    in_.list("a merge", [&] {
      if (pair.size() == 2) in_.fail(in_.at(), "a merge has two tokens");
      pair.push_back(in_.whole("a token"));
    });
    if (pair.size() != 2) in_.fail(at, "a merge has two tokens");
    constexpr u64 kMost = Bpe::kMostTokens;
    const std::string fault = pair[0] >= kMost || pair[1] >= kMost
                                  ? fmt::format("a token is less than {}", kMost)
                                  : bpe.add({static_cast<i32>(pair[0]), static_cast<i32>(pair[1])});
    if (!fault.empty()) in_.fail(at, fault);
  }
  JsonReader in_;
};

}  // namespace

Tokenizer Tokenizer::characters(std::string_view text, const std::string& source) {
  TokenizerMaker maker("char", 0);
  maker.add(text, source);
  return maker.made(source);
}

Tokenizer Tokenizer::of(Bpe bpe) {
  Tokenizer tokenizer;
  tokenizer.kind_ = Kind::bpe;
  tokenizer.bpe_ = std::make_shared<const Bpe>(std::move(bpe));
  return tokenizer;
}

void Tokenizer::take_characters(std::vector<std::string> sorted) {
  kind_ = Kind::chars;
  pieces_ = std::move(sorted);
  for (const std::string& piece : pieces_) tokens_.emplace(piece, static_cast<i32>(tokens_.size()));
  for (std::size_t c = 0; c < ascii_.size(); ++c) {
    const auto found = tokens_.find(std::string(1, static_cast<char>(c)));
    ascii_[c] = found == tokens_.end() ? -1 : found->second;
  }
}

i32 Tokenizer::token_of(std::string_view character) const {
  if (character.size() == 1) return ascii_[static_cast<std::size_t>(character[0])];
  const auto found = tokens_.find(character);
  return found == tokens_.end() ? -1 : found->second;
}

void TokenizerMaker::add(std::string_view text, const std::string& source) {
  if (kind_ == "bpe") words_.add(text);
  if (kind_ != "char") return;
  // Bytewise order of UTF-8 is the order of code points.
  each_character(text, source, Failure::data, [&](std::string_view character, i64) {
    if (character.size() == 1 && std::exchange(seen_ascii_[static_cast<std::size_t>(character[0])], true)) return;
    if (seen_.find(character) == seen_.end()) seen_.emplace(character);
  });
}

Tokenizer TokenizerMaker::made(const std::string& source) const {
  if (kind_ == "bpe") return Tokenizer::of(Bpe::learn(words_, vocab_));
  Tokenizer tokenizer;
  if (kind_ == "byte") return tokenizer;
  if (seen_.empty()) fail_data("{}: is empty, there are no characters to learn", source);
  tokenizer.take_characters({seen_.begin(), seen_.end()});
  return tokenizer;
}

Tokenizer Tokenizer::from_json(std::string_view json, const std::string& source) {
  const std::string name = source + ": its tokenizer";
  if (json.size() > kMostJson) fail_data("{} has {} bytes, {} is the most", name, json.size(), kMostJson);
  Stored stored(json, name);
  Tokenizer tokenizer;
  if (stored.kind == "bpe") tokenizer = of(std::move(stored.bpe));
  if (stored.kind == "char") tokenizer.take_characters(std::move(stored.characters));
  tokenizer.labels = std::move(stored.labels);
  const std::string again = tokenizer.json();  // every value, in the one form that the checksum is of
  if (stored.version && !(stored.crc.size() == 8 && again.ends_with(stored.crc + "\"}")))
    stored.fail(fmt::format("the checksum {} is not that of its values", dsl::printable(stored.crc)));
  return tokenizer;
}

std::string Tokenizer::json() const {
  std::string json = fmt::format(R"({{"tokenizer":"{}","version":{})", name(), kVersion);
  if (kind_ == Kind::chars) json += R"(,"characters":)" + texts(pieces_);
  if (kind_ == Kind::bpe) {
    json += R"(,"merges":[)";
    for (const Bpe::Pair& p : bpe_->merges())
      json += fmt::format("{}[{},{}]", json.back() == '[' ? "" : ",", p.first, p.second);
    json += "]";
  }
  if (!labels.empty()) json += R"(,"labels":)" + texts(labels);
  return json + fmt::format(R"(,"crc32c":"{}"}})", checksum(json));
}

std::string Tokenizer::name() const { return kind_ == Kind::chars ? "char" : kind_ == Kind::bytes ? "byte" : "bpe"; }

std::string Tokenizer::unit() const {
  return kind_ == Kind::chars ? "character" : kind_ == Kind::bytes ? "byte" : "token";
}

i64 Tokenizer::vocab() const {
  return kind_ == Kind::chars ? std::ssize(pieces_) : kind_ == Kind::bytes ? Bpe::kBytes : bpe_->vocab();
}

std::vector<i32> Tokenizer::encode(std::string_view text, const std::string& source, Failure kind) const {
  if (kind_ == Kind::bpe) return bpe_->encode(text);
  std::vector<i32> tokens;
  tokens.reserve(text.size());
  if (kind_ == Kind::bytes) {
    for (const char c : text) tokens.push_back(static_cast<unsigned char>(c));
    return tokens;
  }
  each_character(text, source, kind, [&](std::string_view character, i64 place) {
    tokens.push_back(token_of(character));
    if (tokens.back() < 0) {
      throw Error(fmt::format("{}: character {} is '{}' (U+{:04X}), which is not among the {} the model was trained on",
                              source, place + 1, dsl::printable(character), code_point(character), pieces_.size()),
                  kind);
    }
  });
  return tokens;
}

std::string Tokenizer::piece(i32 token) const {
  check(token >= 0 && token < vocab(), "tokenizer: token {} of a vocabulary of {}", token, vocab());
  if (kind_ == Kind::bytes) return std::string(1, static_cast<char>(token));
  return kind_ == Kind::bpe ? bpe_->piece(token) : pieces_[static_cast<std::size_t>(token)];
}

std::string Tokenizer::decode(std::span<const i32> tokens) const {
  std::string text;
  for (const i32 token : tokens) text += piece(token);
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

unsigned code_point(std::string_view character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(character[i])); };
  unsigned value = byte(0);
  if (character.size() > 1) value &= 0x7fu >> character.size();
  for (std::size_t i = 1; i < character.size(); ++i) value = value << 6 | (byte(i) & 63);
  return value;
}

std::size_t whole_characters(std::string_view text) {
  const std::size_t n = text.size();
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, n); ++back) {
    const auto lead = static_cast<unsigned char>(text[n - back]);
    if ((lead & 0xc0) == 0x80) continue;
    const std::size_t wants = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 1;
    return lead < 0xf5 && back < wants ? n - back : n;
  }
  return n;
}

}  // namespace weft::train
