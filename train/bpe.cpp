#include "train/bpe.h"

#include <algorithm>
#include <array>
#include <queue>

namespace weft::train {
namespace {

enum class ByteKind : char { letter, digit, blank, other };

constexpr std::array<ByteKind, 256> kinds_of_bytes() {
  std::array<ByteKind, 256> all{};
  for (std::size_t c = 0; c < all.size(); ++c) {
    const bool letter = c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool blank = c == ' ' || (c >= '\t' && c <= '\r');
    all[c] = letter                 ? ByteKind::letter
             : blank                ? ByteKind::blank
             : c >= '0' && c <= '9' ? ByteKind::digit
                                    : ByteKind::other;
  }
  return all;
}

ByteKind kind_at(std::string_view text, std::size_t i) {
  static constexpr std::array<ByteKind, 256> kKinds = kinds_of_bytes();
  return kKinds[static_cast<unsigned char>(text[i])];
}

u64 key_of(Bpe::Pair pair) { return static_cast<u64>(pair.first) << 32 | static_cast<u64>(pair.second); }

// Replaces the pair from left to right.
void replace(std::vector<i32>& symbols, Bpe::Pair pair, i32 made) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < symbols.size(); ++kept) {
    const bool here = i + 1 < symbols.size() && symbols[i] == pair.first && symbols[i + 1] == pair.second;
    symbols[kept] = here ? made : symbols[i];
    i += here ? 2 : 1;
  }
  symbols.resize(kept);
}

// Counts of all pairs, kept up to date merge by merge. The heap is lazy: a count only falls once it is there, so that
// an entry is never too low, and one that is too high goes back with the count of today.
class Pairs {
 public:
  explicit Pairs(const Bpe::Words& words) {
    for (const auto& [text, count] : words.counts()) {
      Word word{{}, count};
      for (const char c : text) word.symbols.push_back(static_cast<unsigned char>(c));
      words_.push_back(std::move(word));
    }
    std::vector<Bpe::Pair> all;
    for (std::size_t w = 0; w < words_.size(); ++w)
      count(
          w, [&](Bpe::Pair) { return true; }, all);
    push(all);
  }

  // The commonest pair that occurs at least twice; nothing is left where it is {-1, -1}.
  Bpe::Pair commonest() {
    while (!heap_.empty()) {
      const Entry top = heap_.top();
      heap_.pop();
      const i64 now = pairs_.at(key_of(top.pair)).count;
      if (now == top.count && now >= 2) return top.pair;
      if (now >= 2 && now != top.count) heap_.push({now, top.pair});
    }
    return {-1, -1};
  }

  void merge(Bpe::Pair pair, i32 made) {
    const std::vector<std::size_t> where = std::move(pairs_.at(key_of(pair)).words);
    std::vector<Bpe::Pair> fresh;
    for (const std::size_t w : where) {
      std::vector<i32> after = words_[w].symbols;
      replace(after, pair, made);
      if (after.size() == words_[w].symbols.size()) continue;  // an earlier merge took it
      each(words_[w], [&](Bpe::Pair p) { pairs_.at(key_of(p)).count -= words_[w].count; });
      words_[w].symbols = std::move(after);
      count(
          w, [&](Bpe::Pair p) { return p.first == made || p.second == made; }, fresh);
    }
    push(fresh);
  }

 private:
  struct Word {
    std::vector<i32> symbols;
    i64 count;
  };
  struct Counted {
    i64 count = 0;
    std::vector<std::size_t> words;  // those it was ever in
  };
  struct Entry {
    i64 count;
    Bpe::Pair pair;
    bool operator<(const Entry& other) const { return count != other.count ? count < other.count : pair > other.pair; }
  };

  template <class F> static void each(const Word& word, F f) {
    for (std::size_t i = 0; i + 1 < word.symbols.size(); ++i) f(Bpe::Pair(word.symbols[i], word.symbols[i + 1]));
  }
  // Adds the pairs of a word; those that `is_new` says are new to it are noted there, too.
  template <class IsNew> void count(std::size_t w, IsNew is_new, std::vector<Bpe::Pair>& fresh) {
    each(words_[w], [&](Bpe::Pair p) {
      Counted& c = pairs_[key_of(p)];
      c.count += words_[w].count;
      if (!is_new(p)) return;
      if (c.words.empty()) fresh.push_back(p);
      if (c.words.empty() || c.words.back() != w) c.words.push_back(w);
    });
  }
  void push(const std::vector<Bpe::Pair>& fresh) {
    for (const Bpe::Pair& p : fresh) heap_.push({pairs_.at(key_of(p)).count, p});
  }

  std::vector<Word> words_;
  std::unordered_map<u64, Counted> pairs_;
  std::priority_queue<Entry> heap_;
};

}  // namespace

std::size_t word_length(std::string_view text, std::size_t at) {
  std::size_t i = at;
  if (text[i] == ' ' && i + 1 < text.size() && kind_at(text, i + 1) != ByteKind::blank) ++i;
  const ByteKind kind = kind_at(text, i);
  for (++i; i < text.size() && i - at < Bpe::kLongest && kind_at(text, i) == kind;) ++i;
  // The last space of several belongs to the word behind it.
  const bool joins = kind == ByteKind::blank && i - at > 1 && text[i - 1] == ' ' && i < text.size();
  return joins && kind_at(text, i) != ByteKind::blank ? i - at - 1 : i - at;
}

void Bpe::Words::add(std::string_view text) {
  text = text.substr(0, left_);
  left_ -= text.size();
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t n = word_length(text, i);
    ++counts_[std::string(text.substr(i, n))];
    i += n;
  }
}

Bpe Bpe::learn(const Words& words, i64 vocab) {
  Bpe bpe;
  Pairs pairs(words);
  while (bpe.vocab() < vocab) {
    const Pair pair = pairs.commonest();
    if (pair.first < 0) break;
    const std::string fault = bpe.add(pair);
    check(fault.empty(), "bpe: {}", fault);
    pairs.merge(pair, static_cast<i32>(bpe.vocab() - 1));
  }
  return bpe;
}

std::string Bpe::add(Pair pair) {
  const auto known = [&](i32 token) { return token >= 0 && token < vocab(); };
  if (!known(pair.first) || !known(pair.second))
    return fmt::format("there are only the tokens 0 to {} so far", vocab() - 1);
  if (vocab() == kMostTokens) return fmt::format("more than {} tokens", kMostTokens);
  std::string both = piece(pair.first) + piece(pair.second);
  if (both.size() > kLongest)
    return fmt::format("the token would have {} bytes, {} is the most", both.size(), kLongest);
  if (!made_.emplace(key_of(pair), static_cast<i32>(vocab())).second) return "the pair is merged already";
  merges_.push_back(pair);
  pieces_.push_back(std::move(both));
  return {};
}

std::vector<std::string> Bpe::byte_pieces() {
  std::vector<std::string> all;
  for (int byte = 0; byte < kBytes; ++byte) all.emplace_back(1, static_cast<char>(byte));
  return all;
}

std::vector<i32> Bpe::encode(std::string_view text) const {
  constexpr std::size_t kRemembered = 1 << 16;  // words; a text has most of them again and again
  std::unordered_map<std::string_view, std::vector<i32>> known;
  std::vector<i32> tokens;
  for (std::size_t i = 0; i < text.size();) {
    const std::string_view word = text.substr(i, word_length(text, i));
    i += word.size();
    if (known.size() == kRemembered) known.clear();
    const auto [at, first] = known.try_emplace(word);
    if (first) at->second = encode_word(word);
    tokens.insert(tokens.end(), at->second.begin(), at->second.end());
  }
  return tokens;
}

// The merges in the order they were learned in, as if each went over the whole word.
std::vector<i32> Bpe::encode_word(std::string_view word) const {
  std::vector<i32> symbols;
  for (const char c : word) symbols.push_back(static_cast<unsigned char>(c));
  for (;;) {
    i32 first = static_cast<i32>(vocab());
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto found = made_.find(key_of({symbols[i], symbols[i + 1]}));
      if (found != made_.end()) first = std::min(first, found->second);
    }
    if (first == vocab()) return symbols;
    replace(symbols, merges_[static_cast<std::size_t>(first - kBytes)], first);
  }
}

}  // namespace weft::train
