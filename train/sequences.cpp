#include "train/sequences.h"

#include <algorithm>

#include "train/make_option.h"
#include "train/terminal.h"

namespace weft::train {
namespace {

constexpr i64 kMultiple = 16;  // of the lengths of rows

}  // namespace

dsl::Batch batch_of(const std::span<const Example> examples, bool classes, i64 length) {
  std::size_t longest = 1;
  for (const Example& e : examples) longest = std::max(longest, e.tokens.size());
  const i64 rows = std::ssize(examples), rounded = (static_cast<i64>(longest) + kMultiple - 1) / kMultiple * kMultiple;
  const auto T = static_cast<std::size_t>(std::max(static_cast<i64>(longest), std::min(rounded, length)));
  std::vector<i32> tokens, targets;
  for (const Example& e : examples) {
    tokens.insert(tokens.end(), e.tokens.begin(), e.tokens.end());
    tokens.insert(tokens.end(), T - e.tokens.size(), classes ? -1 : 0);
    targets.insert(targets.end(), e.targets.begin(), e.targets.end());
    if (!classes) targets.insert(targets.end(), T - e.targets.size(), -1);
  }
  return {Tensor::of_indices(tokens, {rows, static_cast<i64>(T)}),
          Tensor::of_indices(targets, classes ? Shape{rows} : Shape{rows, static_cast<i64>(T)})};
}

i64 shuffled(Key key, i64 i, i64 n) {
  const u64 round = static_cast<u64>(i / n), place = static_cast<u64>(i % n);
  return static_cast<i64>(permuted(key.fold("shuffle").fold(round), place, static_cast<u64>(n)));
}

dsl::Batch Sequences::training(const TrainOptions& o, i64 step, i64 part) const {
  std::vector<Example> rows;
  for (i64 row = part * o.batch; row < (part + 1) * o.batch; ++row)
    rows.push_back(learned(o.seed, step, row, o.batch * o.accumulate));
  return batch_of(rows, sizes.classes.has_value(), length_);
}

i64 Sequences::validations(const TrainOptions& o) const { return (valid_count() + o.batch - 1) / o.batch; }

dsl::Batch Sequences::validation(const TrainOptions& o, i64 i) const {
  std::vector<Example> rows;
  for (i64 row = i * o.batch; row < std::min((i + 1) * o.batch, valid_count()); ++row) rows.push_back(validated(row));
  return batch_of(rows, sizes.classes.has_value(), length_);
}

Task::Task(std::string from, dsl::DataSizes known, i64 length, i64 valid, double chance)
    : valid_(valid), chance_(chance) {
  length_ = length;
  source = std::move(from);
  hash = hash_of(source);
  sizes = known;
}

// An eighth of all sequences is for validation. Where a rule makes only a few there may be none of one part.
Example Task::drawn(Key key, Part part) const {
  constexpr u64 kTries = 200;
  Example e;
  for (u64 i = 0; i < kTries; ++i) {
    e = make(key.fold(i));
    Key hash;
    for (const i32 token : e.tokens) hash = hash.fold(static_cast<u64>(token));
    if ((hash.value % 8 == 0) == (part == Part::validation)) break;
  }
  return e;
}

Example Task::learned(u64 seed, i64 step, i64 row, i64) const {
  const Key key = Key{seed}.fold("data").fold(static_cast<u64>(step));
  return drawn(key.fold(static_cast<u64>(row)), Part::training);
}

Example Task::validated(i64 i) const {
  return drawn(Key{}.fold("validation").fold(static_cast<u64>(i)), Part::validation);
}

std::string Task::amount() const { return fmt::format("ever new ones to learn from, {} to validate", grouped(valid_)); }

void Examples::measure() {
  for (const auto* part : {&train_, &valid_}) {
    for (const Example& e : *part) length_ = std::max(length_, static_cast<i64>(e.tokens.size()));
  }
}

Example Examples::learned(u64 seed, i64 step, i64 row, i64 rows) const {
  const i64 i = shuffled(Key{seed}.fold("data"), (step - 1) * rows + row, std::ssize(train_));
  return train_[static_cast<std::size_t>(i)];
}

bool held_out(i64 i, i64 n, i64 kept) {
  return static_cast<i64>(permuted(Key{}.fold("lines"), static_cast<u64>(i), static_cast<u64>(n))) < kept;
}

dsl::Option valid_option() {
  return whole("valid", "1000", 1, "Sequences to validate on, the same in every run.", kMost);
}

}  // namespace weft::train
