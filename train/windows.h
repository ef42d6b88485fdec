// Windows of a text: those that a step learns from, in any order or stripe by stripe, and those that validate.
#pragma once
#include "dsl/model.h"
#include "train/tokens.h"

namespace weft::train {

/// `rows` windows [rows, context] of the training part for one step, from row `first_row` on. Where
/// a row starts is drawn from (seed, step, row) alone: the position in the data is the step, and
/// resuming needs nothing else. No window goes over the end of a file; a file that is shorter than one is a row with
/// nothing to be told behind its end.
dsl::Batch training_batch(const Tokens& tokens, u64 seed, i64 step, i64 first_row, i64 rows, i64 context);

/// The same where states are carried: of `all` rows each has a stripe of the text to itself and reads it window after
/// window; at the end of the stripes all start anew. Files are read one behind the other, as one text.
struct Stripes {
  i64 all, context;
  i64 windows(i64 tokens) const { return (tokens - 1) / all / context; }
  /// Which window of its stripe a row reads in step `step`, from 1 on.
  i64 window(i64 tokens, i64 step) const { return (step - 1) % windows(tokens); }
  dsl::Batch batch(const Tokens& tokens, i64 step, i64 first_row, i64 rows) const;
};

/// The validation part, whole and in order: every token of a file after its first is a target exactly once.
class ValidationBatches {
 public:
  ValidationBatches(Tokens tokens, i64 rows, i64 context);
  i64 count() const { return (windows_ + rows_ - 1) / rows_; }
  /// Targets of all batches.
  i64 targets() const { return tokens_.size() - static_cast<i64>(tokens_.pieces()); }
  /// Batch `i`: up to `rows` windows that follow each other; the last one of a file is filled up with targets
  /// of -1.
  dsl::Batch at(i64 i) const;

 private:
  Tokens tokens_;
  i64 rows_, context_, windows_ = 0;
};

}  // namespace weft::train
