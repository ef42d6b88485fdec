// Text as training data: its split, the windows of every step, the windows of the whole validation
// part.
#pragma once
#include <filesystem>
#include <span>

#include "train/data_kinds.h"

namespace weft::train {

struct TextOptions {
  std::filesystem::path path = {};   // a file, or
  std::string builtin = {};          // the name of a text inside the program
  std::filesystem::path valid = {};  // another file, whole, for validation; none:
  double val_fraction = 0.1;         // the last part of the text is kept for it
  std::string tokenizer = "char";    // char | byte
};

class TextData : public Data {
 public:
  std::vector<i32> train, valid;  // the first int((1 - f) n) tokens, and the rest; or a file each

  bool has_windows() const override { return true; }
  i64 length(const TrainOptions& o) const override { return o.context; }
  void check_run(const TrainOptions& o) const override;
  dsl::Batch training(const TrainOptions& o, i64 step, i64 part) const override;
  i64 position(const TrainOptions& o, i64 step) const override;
  i64 validations(const TrainOptions& o) const override;
  dsl::Batch validation(const TrainOptions& o, i64 i) const override;
  std::string unit() const override { return tokens_.unit(); }
  std::string amount() const override;
  std::vector<Floor> floors() const override;
  std::string meaning(const dsl::LossSum& loss) const override;
  const Tokenizer* tokenizer() const override { return &tokens_; }
  std::string example_prompt() const override;
  std::string_view built_in() const override { return built_in_; }

 protected:
  friend TextData load_text(const TextOptions&, std::string_view, const Tokenizer*);
  Tokenizer tokens_;
  std::string built_in_;
};

/// Reads, tokenizes and splits. `built_in` is the text that `options.builtin` names; `known` is the
/// tokenizer of a trained model, otherwise the text's own characters make the vocabulary.
TextData load_text(const TextOptions& options, std::string_view built_in = {}, const Tokenizer* known = nullptr);

/// From the section `data`. What one option cannot judge alone is an error with its place.
TextOptions text_options(const dsl::Settings& data);

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
