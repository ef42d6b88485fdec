// Byte-level BPE (Gage 1994; Sennrich, Haddow and Birch 2016, arXiv:1508.07909): tokens are the 256 bytes, and then,
// one for each merge, two tokens side by side. Every byte is a token, so that any text goes there and back.
#pragma once
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/error.h"

namespace weft::train {

class Bpe {
 public:
  static constexpr i64 kBytes = 256;
  static constexpr i64 kMostTokens = 65536;  // two bytes each in memory
  /// Bytes of a word, and so of a token: what a file can make of a list of merges is bounded, and a word is encoded in
  /// bounded time. Of Tiny Shakespeare the longest word has 17.
  static constexpr std::size_t kLongest = 64;
  using Pair = std::pair<i32, i32>;

  /// Words of texts and how often each occurs: all that is learned from.
  class Words {
   public:
    /// Only the first 32 MiB of all texts count: more would not change the frequent pairs, but could fill the memory.
    void add(std::string_view text);
    const std::unordered_map<std::string, i64>& counts() const { return counts_; }

   private:
    std::unordered_map<std::string, i64> counts_;
    std::size_t left_ = std::size_t{32} << 20;
  };

  Bpe() = default;
  /// Merges the commonest pair, again and again; of equal ones that with the smallest first token, then second. Ends at
  /// `vocab` tokens, or earlier where no pair occurs twice.
  static Bpe learn(const Words& words, i64 vocab);

  /// Appends the merge of two tokens. Not possible, with the reason: for unknown tokens, for a pair that is merged
  /// already, for more than `kLongest` bytes or `kMostTokens` tokens. Empty: done.
  std::string add(Pair pair);
  const std::vector<Pair>& merges() const { return merges_; }

  i64 vocab() const { return static_cast<i64>(pieces_.size()); }
  /// The bytes of a token.
  const std::string& piece(i32 token) const { return pieces_[static_cast<std::size_t>(token)]; }
  std::vector<i32> encode(std::string_view text) const;

 private:
  std::vector<i32> encode_word(std::string_view word) const;
  std::vector<Pair> merges_;
  std::vector<std::string> pieces_ = byte_pieces();
  std::unordered_map<u64, i32> made_;  // by pair
  static std::vector<std::string> byte_pieces();
};

/// The length of the word that begins at `at`. A text is cut into words first, and no merge crosses a cut: bytes of one
/// kind (letters and everything above ASCII; digits; white space; all others), with the single space before them.
std::size_t word_length(std::string_view text, std::size_t at);

}  // namespace weft::train
