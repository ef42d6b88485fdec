// What a loss means: how well the text can be guessed without a network.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "train/tokenizer.h"
#include "train/tokens.h"

namespace weft::train {

/// How well it goes without a network.
struct Floor {
  std::string name;                      // "2-gram"
  std::optional<double> nats, accuracy;  // per target; the share of targets that are told
};

/// Cross-entropy in nats per token on the validation text of three models fitted to the training
/// text.
struct Floors {
  double uniform = 0;  // every token of the vocabulary alike: ln(vocab)
  double unigram = 0;  // by how often each token occurs
  double bigram = 0;   // by how often it follows the one before
};

/// Counts plus 0.05 each, as in the published floors of Tiny Shakespeare; every validation token
/// after the first of a file is predicted once, exactly as the model is.
Floors measure_floors(const Tokens& train, const Tokens& valid, i64 vocab);

/// Bytes of text behind each of these targets, on average.
double bytes_a_target(const Tokens& valid, const Tokenizer& tokenizer);

std::vector<Floor> listed(const Floors& floors);

/// Two lines: the loss in nats and bits, for targets of several bytes on average also by byte, which alone can be held
/// against a model with other tokens; and where it stands among the floors.
std::string meaning(double loss, i64 tokens, const Floors& floors, const std::string& unit,
                    std::optional<double> bytes = {});

}  // namespace weft::train
