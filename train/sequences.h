// Sequences that stand by themselves, each with what is to be told about it: the lines of a file, tasks made by a rule.
#pragma once
#include <span>

#include "train/data_kinds.h"

namespace weft::train {

/// Tokens, and as many targets (-1: not counted), or one: the class of the sequence.
struct Example {
  std::vector<i32> tokens, targets;
};

/// Rows as long as the longest, rounded up to 16, at most `length`: few lengths, for each has a plan of its own. Behind
/// the end of shorter ones stand -1 where sequences are classified, and else the token 0, which a causal model cannot
/// see; no target counts there.
dsl::Batch batch_of(std::span<const Example> examples, bool classes, i64 length);

/// Number `i` of an endless series that goes through 0 .. n-1 again and again, each time in another order.
i64 shuffled(Key key, i64 i, i64 n);

/// Data of such rows. Which they are is up to the two below: sequences by a rule, or examples that are there.
class Sequences : public Data {
 public:
  i64 length(const TrainOptions&) const override { return length_; }
  dsl::Batch training(const TrainOptions& options, i64 step, i64 part) const override;
  i64 validations(const TrainOptions& options) const override;
  dsl::Batch validation(const TrainOptions& options, i64 i) const override;

 protected:
  /// Row `row` of the `rows` of a step, drawn from these numbers alone.
  virtual Example learned(u64 seed, i64 step, i64 row, i64 rows) const = 0;
  virtual Example validated(i64 i) const = 0;
  virtual i64 valid_count() const = 0;
  i64 length_ = 0;  // of the longest
};

/// A task whose sequences a rule makes. Those of validation are always the same; the hash of a sequence decides which
/// part it belongs to, so that training never sees one of them.
class Task : public Sequences {
 public:
  std::string unit() const override { return sizes.classes ? "sequence" : "answer"; }
  std::string amount() const override;
  std::vector<Floor> floors() const override { return {{"chance", {}, chance_}}; }

 protected:
  /// Everything that the rule depends on is in `source`.
  Task(std::string source, dsl::DataSizes sizes, i64 length, i64 valid, double chance);
  /// One sequence, of numbers drawn under `key` alone.
  virtual Example make(Key key) const = 0;

 private:
  enum class Part { training, validation };
  Example drawn(Key key, Part part) const;
  Example learned(u64 seed, i64 step, i64 row, i64 rows) const override;
  Example validated(i64 i) const override;
  i64 valid_count() const override { return valid_; }
  i64 valid_;
  double chance_;
};

/// Examples that are there: training goes through all of them in an order of its own, again and again.
class Examples : public Sequences {
 protected:
  /// Call when both are there.
  void measure();
  std::vector<Example> train_, valid_;

 private:
  Example learned(u64 seed, i64 step, i64 row, i64 rows) const override;
  Example validated(i64 i) const override { return valid_[static_cast<std::size_t>(i)]; }
  i64 valid_count() const override { return std::ssize(valid_); }
};

/// Whether example `i` of `n` is among the `kept` ones for validation. Files are sorted more often than not: which ones
/// are kept is drawn, always the same.
bool held_out(i64 i, i64 n, i64 kept);

/// The option `valid` of all tasks.
dsl::Option valid_option();

}  // namespace weft::train
