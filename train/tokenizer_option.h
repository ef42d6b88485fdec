// The options `tokenizer` and `vocab`, which all data that are texts have.
#pragma once
#include <string>
#include <utility>

#include "train/make_option.h"
#include "train/tokenizer.h"

namespace weft::train {

inline Option tokenizer_option() {
  return word(
      "tokenizer", "char", {"char", "byte", "bpe"},
      "char: Unicode characters of the text, sorted; byte: 256 of them, any file; bpe: bytes, and the pairs that "
      "are commonest in the training part, merged again and again.");
}

inline Option vocab_option() {
  Option vocab = whole("vocab", "", Bpe::kBytes + 1, "Tokens of `bpe`, the 256 bytes included; unless given, 1024.",
                       Bpe::kMostTokens);
  vocab.fallback = {};  // a description that says all defaults must not say one that contradicts its tokenizer
  return vocab;
}

/// The kind and, for BPE, the size. A size without BPE is an error with its place.
inline std::pair<std::string, i64> tokenizer_asked(const Settings& data, const std::string& section) {
  constexpr i64 kUsual = 1024;
  const std::string kind = data.word(section + ".tokenizer"), vocab = section + ".vocab";
  check(!data.has(vocab) || kind == "bpe", "{}: `vocab` is for `tokenizer: bpe`; the vocabulary of `{}` is what it is",
        dsl::place_text(data.span(vocab)), kind);
  return {kind, data.has(vocab) ? data.whole(vocab) : kUsual};
}

}  // namespace weft::train
