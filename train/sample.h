// Text from a model: a token is drawn from the logits, fed back, and so on.
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "dsl/model.h"
#include "train/tokenizer.h"

namespace weft::train {

struct GenerateOptions {
  i64 tokens = 400;
  double temperature = 0.8;                // 0: always the most likely token
  i64 top_k = 0;                           // only the k most likely; 0: all
  double top_p = 1;                        // only the most likely that together reach p
  std::optional<std::string> prompt = {};  // a line feed unless given
  u64 seed = 1;
};

/// Errors of kind `usage` for values out of range.
void check_options(const GenerateOptions& options);

/// The token that generated token number `index` of seed `seed` takes: logits / temperature, then
/// top_k, then top_p. It depends on the logits, the options and these two numbers alone, so a
/// shorter text is a prefix of a longer one.
i32 sample(std::span<const double> logits, const GenerateOptions& options, i64 index);

/// The tokens of the prompt. Without one: a line feed, or the first token where the vocabulary has
/// no line feed.
std::vector<i32> prompt_tokens(const GenerateOptions& options, const Tokenizer& tokenizer);

/// Gives the text of every generated token to `sink`, which answers whether to go on; of a character that several
/// tokens make, when it is complete. The prompt is not repeated. Returns the number of tokens generated.
using TextSink = std::function<bool(std::string_view piece)>;
i64 generate(dsl::Stream& stream, const Tokenizer& tokenizer, const GenerateOptions& options, const TextSink& sink);

}  // namespace weft::train
