// Many texts at once: prompts of any length, several copies of each.
#pragma once
#include "train/writer.h"

namespace weft::train {

struct Written {
  std::string text;
  std::vector<Drawn> drawn;  // when asked for
  i64 tokens = 0;
  Draft::End end = Draft::End::none;
  std::string stop;
};

/// What is the same for all texts.
struct Writing {
  dsl::Stream& stream;
  const Tokenizer& tokenizer;
  const GenerateOptions& options;
  const Beginning* before = nullptr;  // of every prompt
  bool keeps_drawn = false;
};

/// `copies` texts after each prompt, [prompt][copy]. An empty prompt needs a beginning before it. Texts are rows of one
/// stream, up to 16 at a time; where the model cannot have rows apart, those of one length.
std::vector<std::vector<Written>> write_all(const Writing& how, std::span<const std::vector<i32>> prompts, i64 copies);

/// The beginning after one prompt.
Beginning begin(const Writing& how, const std::vector<i32>& prompt);
/// A draft whose text is collected in `to`.
Draft draft_of(const Writing& how, const Beginning& from, i64 copy, Written& to);

}  // namespace weft::train
