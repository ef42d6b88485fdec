// What a loss means: how well the text can be guessed without a network.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/error.h"

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
/// after the first is predicted once, exactly as the model is.
Floors measure_floors(std::span<const i32> train, std::span<const i32> valid, i64 vocab);

std::vector<Floor> listed(const Floors& floors);

/// Two lines: the loss in nats and bits, and where it stands among the floors.
std::string meaning(double loss, i64 tokens, const Floors& floors, const std::string& unit);

}  // namespace weft::train
