// Text as training data: its split, the windows of every step, the windows of the whole validation
// part.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "dsl/model.h"
#include "train/tokenizer.h"

namespace weft::train {

/// FNV-1a, 16 hexadecimal digits: it tells a changed file from the one before; nothing here defends against a forger.
std::string hash_text(std::string_view text);

struct TextOptions {
  std::filesystem::path path = {};  // a file, or
  std::string builtin = {};         // the name of a text inside the program
  std::string tokenizer = "char";   // char | byte
  double val_fraction = 0.1;        // the last part of the text, kept for validation
};

struct TextData {
  std::string source;  // for messages: the path or "the built-in text `weft`"
  std::string hash;    // of the bytes, 16 hexadecimal digits
  Tokenizer tokenizer;
  std::vector<i32> train, valid;  // the first int((1 - f) n) tokens, and the rest
  std::string built_in;           // the text itself when it is built in: a run keeps a copy
};

/// Reads, tokenizes and splits. `built_in` is the text that `options.builtin` names; `known` is the
/// tokenizer of a trained model, otherwise the text's own characters make the vocabulary.
TextData load_text(const TextOptions& options, std::string_view built_in = {}, const Tokenizer* known = nullptr);

/// Both parts are long enough for windows of `context` tokens and their targets; the error says
/// both numbers.
void check_length(const TextData& text, i64 context);

/// `rows` windows [rows, context] of the training part for one step, from row `first_row` on. Where
/// a row starts is drawn from (seed, step, row) alone: the position in the data is the step, and
/// resuming needs nothing else.
dsl::Batch training_batch(std::span<const i32> tokens, u64 seed, i64 step, i64 first_row, i64 rows, i64 context);

/// The same where states are carried: of `all` rows each has a stripe of the text to itself and reads it window after
/// window; at the end of the stripes all start anew.
struct Stripes {
  i64 all, context;
  i64 windows(std::size_t tokens) const { return (static_cast<i64>(tokens) - 1) / all / context; }
  /// Which window of its stripe a row reads in step `step`, from 1 on.
  i64 window(std::size_t tokens, i64 step) const { return (step - 1) % windows(tokens); }
  dsl::Batch batch(std::span<const i32> tokens, i64 step, i64 first_row, i64 rows) const;
};

/// The validation part, whole and in order: every token after the first is a target exactly once.
class ValidationBatches {
 public:
  ValidationBatches(std::span<const i32> tokens, i64 rows, i64 context);
  i64 count() const { return (windows_ + rows_ - 1) / rows_; }
  /// Batch `i`: up to `rows` windows that follow each other; the last one is filled up with targets
  /// of -1.
  dsl::Batch at(i64 i) const;

 private:
  std::span<const i32> tokens_;
  i64 rows_, context_, windows_;
};

}  // namespace weft::train
