// What a model learns from: a text, the lines of a file, or sequences that a rule makes. Everything that trains sees
// batches and what a loss on them means.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "dsl/model.h"
#include "train/floors.h"
#include "train/job.h"
#include "train/tokenizer.h"

namespace weft::train {

class Data {
 public:
  virtual ~Data() = default;

  std::string source;    // for messages: the path, "the built-in text `weft`", "recall of 40 pairs"
  std::string hash;      // of all that its batches follow from, 16 hexadecimal digits
  dsl::DataSizes sizes;  // with classes, a sequence has one target

  /// Whether rows are windows of `train.context` tokens; else the data say how long they are.
  virtual bool has_windows() const { return false; }
  /// Tokens of the longest row.
  virtual i64 length(const TrainOptions& options) const = 0;
  /// Throws an error with the numbers when a run with these options cannot be.
  virtual void check_run(const TrainOptions& options) const;
  /// The rows that part `part` of step `step` learns from, [batch, T]. They follow from (seed, step, row) alone:
  /// resuming needs nothing else.
  virtual dsl::Batch training(const TrainOptions& options, i64 step, i64 part) const = 0;
  /// Under `carry_state`: the place in its stripe that every row of a step begins at.
  virtual i64 position(const TrainOptions&, i64 /*step*/) const { return 0; }
  /// Batches of the whole validation part, the same in every run; each target once. None: nothing is kept for it.
  virtual i64 validations(const TrainOptions& options) const = 0;
  virtual dsl::Batch validation(const TrainOptions& options, i64 i) const = 0;

  /// What a target is: "character", "answer".
  virtual std::string unit() const = 0;
  /// "1,003,854 characters to learn from, 111,540 to validate".
  virtual std::string amount() const = 0;
  virtual std::vector<Floor> floors() const = 0;
  /// Lines: a loss of the whole validation part, and where it stands among the floors.
  virtual std::string meaning(const dsl::LossSum& loss) const;

  /// Of a text, which a model can write, too; null otherwise.
  virtual const Tokenizer* tokenizer() const { return nullptr; }
  /// What a run keeps to read such data by: tokens and names of classes. Null where they follow from the options.
  virtual const Tokenizer* vocabulary() const { return tokenizer(); }
  /// Lines that a person should read before training, each ended; mostly empty.
  virtual std::string notes() const { return {}; }
  /// Bytes of text behind a target of the validation part, on average; nothing where targets are no text.
  virtual std::optional<double> target_bytes() const { return {}; }
  /// A word to begin with that the model has not learned by heart; may be empty.
  virtual std::string example_prompt() const { return {}; }
  /// The whole text when it is part of the program: a run keeps a copy.
  virtual std::string_view built_in() const { return {}; }

  Data() = default;
  Data(const Data&) = default;
  Data(Data&&) = default;
  Data& operator=(const Data&) = default;
  Data& operator=(Data&&) = default;
};

/// FNV-1a, 16 hexadecimal digits: it tells a changed file from the one before; nothing here defends against a forger.
class Hash {
 public:
  void add(std::string_view bytes);
  std::string text() const;

 private:
  u64 value_ = 0xcbf29ce484222325ULL;
};
std::string hash_of(std::string_view bytes);

}  // namespace weft::train
