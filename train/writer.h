// Texts from a model: a token is drawn from the logits, fed back, and so on; several texts side by side, as rows of one
// stream.
#pragma once
#include <functional>

#include "dsl/model.h"
#include "train/sample.h"

namespace weft::train {

/// What a text goes on from: tokens that the model has read, and what it says comes next.
struct Beginning {
  dsl::Kept kept;              // one row
  std::vector<double> logits;  // of the token that follows
  std::vector<bool> seen;      // a flag a token of the vocabulary: whether it was among them
  i32 last = 0;                // the last of them
};

/// Reads `tokens`, after `before` where there is one. In parts of 1,024: the memory that reading takes has a limit.
Beginning read(dsl::Stream& stream, std::span<const i32> tokens, i64 vocab, const Beginning* before = nullptr);

struct Drawn {
  i32 token;
  double log_probability;  // nats, by the model itself: temperature 1, no penalty, nothing left out
};
/// Where text goes as it is written; answers whether to go on.
using TextSink = std::function<bool(std::string_view piece)>;
using TokenSink = std::function<void(const Drawn&)>;

/// One text while it is written.
class Draft {
 public:
  enum class End { none, tokens, stop, closed };

  /// `tokenizer`, `options` and `from` must outlive it.
  Draft(const Tokenizer& tokenizer, const GenerateOptions& options, const Beginning& from, i64 copy, TextSink text,
        TokenSink token = {});
  const Beginning& from() const { return from_; }
  /// Why it is complete: all tokens are there, it came to a text to stop at, or its sink wants no more.
  End end() const { return end_; }
  /// Tokens drawn, those of the text it stopped at included.
  i64 tokens() const { return tokens_; }
  const std::string& stop() const { return stop_; }
  /// Draws the next token from these logits.
  i32 draw(std::span<const double> logits);

 private:
  void settle();
  void emit(std::size_t length);
  const Tokenizer& tokenizer_;
  const GenerateOptions& options_;
  const Beginning& from_;
  i64 copy_;
  TextSink text_;
  TokenSink token_;
  std::vector<bool> seen_;
  std::vector<double> weighed_;
  std::string pending_;  // may be the start of a text to stop at
  std::string stop_;
  i64 tokens_ = 0;
  End end_ = End::none;
};

/// Completes the drafts side by side: each step of the stream takes one token of every one that has not ended. Where
/// the stream cannot have rows apart all begin at one position.
void write(dsl::Stream& stream, std::span<Draft> drafts);

/// One text after the prompt of the options; the prompt is not repeated. Returns the number of tokens generated.
i64 generate(dsl::Stream& stream, const Tokenizer& tokenizer, const GenerateOptions& options, const TextSink& sink);

}  // namespace weft::train
