#include "train/bpe.h"

#include <doctest/doctest.h>

#include <chrono>
#include <map>

#include "engine/key.h"
#include "models/library.h"
#include "tests/train/temporary.h"
#include "train/tokenizer.h"

using namespace weft;
using namespace weft::train;

namespace {

Bpe learned(std::string_view text, i64 vocab) {
  Bpe::Words words;
  words.add(text);
  return Bpe::learn(words, vocab);
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t n = word_length(text, i);
    all.emplace_back(text.substr(i, n));
    i += n;
  }
  return all;
}

// The definition, word by word: count all pairs anew, take the commonest, replace it everywhere.
std::vector<Bpe::Pair> learned_slowly(std::string_view text, std::size_t merges) {
  std::vector<std::vector<i32>> words;
  for (const std::string& word : words_of(text)) {
    words.emplace_back();
    for (const char c : word) words.back().push_back(static_cast<unsigned char>(c));
  }
  std::vector<Bpe::Pair> all;
  while (all.size() < merges) {
    std::map<Bpe::Pair, i64> counts;  // in order of the pairs: the first of equal counts is the smallest
    for (const auto& w : words)
      for (std::size_t i = 0; i + 1 < w.size(); ++i) ++counts[{w[i], w[i + 1]}];
    auto best = counts.end();
    for (auto it = counts.begin(); it != counts.end(); ++it)
      if (best == counts.end() || it->second > best->second) best = it;
    if (best == counts.end() || best->second < 2) break;
    const Bpe::Pair pair = best->first;
    for (auto& w : words) {
      std::vector<i32> next;
      for (std::size_t i = 0; i < w.size(); ++i) {
        const bool here = i + 1 < w.size() && w[i] == pair.first && w[i + 1] == pair.second;
        next.push_back(here ? 256 + static_cast<i32>(all.size()) : w[i]);
        i += here ? 1 : 0;
      }
      w = next;
    }
    all.push_back(pair);
  }
  return all;
}

std::string random_bytes(u64 seed, std::size_t n, int kinds) {
  std::string text;
  for (std::size_t i = 0; i < n; ++i)
    text += static_cast<char>(bits(Key{seed}, i) % static_cast<u64>(kinds) * 256 / static_cast<u64>(kinds));
  return text;
}

std::string decoded(const Bpe& bpe, const std::vector<i32>& tokens) {
  std::string text;
  for (const i32 token : tokens) text += bpe.piece(token);
  return text;
}

}  // namespace

TEST_CASE("a text is cut into words of one kind of byte with the single space before them") {
  CHECK(words_of("The cat's 12  hats,\n\nfor é€ \t x ") == std::vector<std::string>{"The", " cat", "'", "s", " 12", " ",
                                                                                    " hats", ",", "\n\n", "for", " é€",
                                                                                    " \t", " x", " "});
  CHECK(words_of(std::string(150, 'a')) ==
        std::vector<std::string>{std::string(64, 'a'), std::string(64, 'a'), std::string(22, 'a')});
}

TEST_CASE("the first merges of a small text are those found by hand, ties going to the smallest pair") {
  // aa: 2 x "aab" = 2; ab: 2 + 1 = 3; then (a, ab): 2, and nothing else occurs twice.
  const Bpe bpe = learned("aab,aab,ab", 300);
  CHECK(bpe.merges() == std::vector<Bpe::Pair>{{'a', 'b'}, {'a', 256}});
  CHECK(learned("xy,ab,xy,ab", 257).merges() == std::vector<Bpe::Pair>{{'a', 'b'}});
  CHECK(learned("abcdef", 300).vocab() == 256);  // no pair occurs twice
}

TEST_CASE("merges are those of the definition, which counts all pairs anew each time") {
  const std::string text(models::builtin_text().substr(0, 6000));
  CHECK(learned(text, 256 + 150).merges() == learned_slowly(text, 150));
  for (u64 seed = 0; seed < 6; ++seed) {  // few kinds of bytes: many ties and runs of one byte
    const std::string random = random_bytes(seed, 400, 3 + static_cast<int>(seed));
    CHECK(learned(random, 256 + 60).merges() == learned_slowly(random, 60));
  }
}

TEST_CASE("any bytes go there and back, also those that were never seen and those that are not UTF-8") {
  const Bpe bpe = learned(models::builtin_text().substr(0, 100'000), 700);
  CHECK(bpe.vocab() == 700);
  for (u64 seed = 0; seed < 50; ++seed) {
    const std::string text = random_bytes(seed, bits(Key{seed}, 9) % 5000, seed % 2 ? 256 : 7);
    CHECK(decoded(bpe, bpe.encode(text)) == text);
  }
  for (const char* text : {"", "\xff\xfe\x80 \xc3", "\xed\xa0\x80", "naïve 😀 \xf0\x9f", "the the the"}) {
    CHECK(decoded(bpe, bpe.encode(text)) == text);
  }
  const std::string_view own = models::builtin_text().substr(0, 100'000);
  CHECK(bpe.encode(own).size() < own.size() / 2);  // and known text gets shorter
}

TEST_CASE("a megabyte makes 1,024 tokens in seconds, and is encoded in less") {
  const std::string_view text = models::builtin_text().substr(0, 1'000'000);
  const auto begun = std::chrono::steady_clock::now();
  const Bpe bpe = learned(text, 1024);
  const auto learned_at = std::chrono::steady_clock::now();
  CHECK(bpe.vocab() == 1024);
  CHECK(decoded(bpe, bpe.encode(text)) == text);
  const std::chrono::duration<double> learning = learned_at - begun,
                                      encoding = std::chrono::steady_clock::now() - learned_at;
  MESSAGE("learned in " << learning.count() << " s, encoded and decoded in " << encoding.count() << " s");
  CHECK(learning.count() < 30);  // counting all pairs anew takes minutes
  CHECK(encoding.count() < 30);
}

TEST_CASE("one word of a million equal bytes is no trouble: words end, so its tokens do") {
  const std::string run(1'000'000, 'a');
  const Bpe bpe = learned(run, 400);
  for (i32 t = 0; t < bpe.vocab(); ++t) CHECK(bpe.piece(t).size() <= Bpe::kLongest);
  CHECK(decoded(bpe, bpe.encode(run)) == run);
  CHECK(bpe.encode(run).size() < 20'000);
}

TEST_CASE("a merge that cannot be is refused with the reason") {
  Bpe bpe;
  CHECK(bpe.add({'a', 256}) == "there are only the tokens 0 to 255 so far");
  CHECK(bpe.add({-1, 'a'}) == "there are only the tokens 0 to 255 so far");
  CHECK(bpe.add({'a', 'a'}).empty());
  CHECK(bpe.add({'a', 'a'}) == "the pair is merged already");
  for (i32 t = 256; t < 261; ++t) CHECK(bpe.add({t, t}).empty());  // 4, 8, .. 64 bytes
  CHECK(bpe.add({261, 261}) == "the token would have 128 bytes, 64 is the most");
}
