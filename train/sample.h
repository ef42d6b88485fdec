// The next token of a text: drawn from the logits of the model as the options say.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "train/tokenizer.h"

namespace weft::train {

struct GenerateOptions {
  i64 tokens = 400;
  double temperature = 0.8;                // 0: always the most likely token
  i64 top_k = 0;                           // only the k most likely; 0: all
  double top_p = 1;                        // only the most likely that together reach p
  double repetition_penalty = 1;           // of logits of tokens that the text has already; 1: none
  std::vector<std::string> stop = {};      // texts before which it ends
  std::optional<std::string> prompt = {};  // a line feed unless given
  u64 seed = 1;
};

/// Errors of kind `usage` for values out of range.
void check_options(const GenerateOptions& options);

/// The logits of tokens that were `seen` (one flag a token): those above 0 divided by the penalty, those below
/// multiplied (Keskar et al. 2019, CTRL).
void penalise(std::span<double> logits, const std::vector<bool>& seen, double penalty);

/// The token that generated token number `index` of copy `copy` of seed `seed` takes: logits / temperature, then
/// top_k, then top_p. It depends on the logits, the options and these three numbers alone: a shorter text is a prefix
/// of a longer one, and a copy is the same however many there are.
i32 sample(std::span<const double> logits, const GenerateOptions& options, i64 index, i64 copy = 0);

/// log softmax(logits)[token], in nats: what the model itself says, at temperature 1.
double log_probability(std::span<const double> logits, i32 token);

/// The tokens of the prompt. Without one: a line feed, or the first token where the vocabulary has
/// no line feed.
std::vector<i32> prompt_tokens(const GenerateOptions& options, const Tokenizer& tokenizer);

}  // namespace weft::train
