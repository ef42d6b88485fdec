// Text as training data: its split, the windows of every step, the windows of the whole validation
// part.
#pragma once
#include <filesystem>
#include <span>

#include "train/data_kinds.h"
#include "train/windows.h"

namespace weft::train {

struct TextOptions {
  std::vector<std::filesystem::path> path = {};   // files and folders, or
  std::string builtin = {};                       // the name of a text inside the program
  std::vector<std::filesystem::path> valid = {};  // others, whole, for validation; none:
  double val_fraction = 0.1;                      // the last part of the text is kept for it
  std::string tokenizer = "char";                 // char | byte | bpe
  i64 vocab = 1024;                               // tokens of bpe
};

class TextData : public Data {
 public:
  // The first int((1 - f) n) tokens, for BPE those of as many bytes, and the rest; or files each.
  Tokens train, valid;

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
  std::string notes() const override { return notes_; }
  std::optional<double> target_bytes() const override;

 private:
  ValidationBatches validation_of(const TrainOptions& o) const;
  friend TextData load_text(const TextOptions&, std::string_view, const Tokenizer*);
  Tokenizer tokens_;
  std::string built_in_, notes_;
  u64 bytes_ = 0;
};

/// Reads, tokenizes and splits. `built_in` is the text that `options.builtin` names; `known` is the
/// tokenizer of a trained model, otherwise the text itself makes the vocabulary: its characters, or the pairs of its
/// training part. Files that the memory does not hold are read where they lie, by byte; by character or BPE they are an
/// error with the numbers.
TextData load_text(const TextOptions& options, std::string_view built_in = {}, const Tokenizer* known = nullptr);

/// From the section `data`. What one option cannot judge alone is an error with its place.
TextOptions text_options(const dsl::Settings& data);

}  // namespace weft::train
