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

Task::Task(std::string from, dsl::DataSizes known, i64 length, i64 valid, double chance)
    : length_(length), valid_(valid), chance_(chance) {
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

dsl::Batch Task::batch(i64 rows, Part part, const std::function<Key(i64)>& key) const {
  std::vector<Example> examples;
  for (i64 row = 0; row < rows; ++row) examples.push_back(drawn(key(row), part));
  return batch_of(examples, sizes.classes.has_value(), length_);
}

dsl::Batch Task::training(const TrainOptions& o, i64 step, i64 part) const {
  const Key key = Key{o.seed}.fold("data").fold(static_cast<u64>(step));
  return batch(o.batch, Part::training, [&](i64 row) { return key.fold(static_cast<u64>(part * o.batch + row)); });
}

i64 Task::validations(const TrainOptions& o) const { return (valid_ + o.batch - 1) / o.batch; }

dsl::Batch Task::validation(const TrainOptions& o, i64 i) const {
  const i64 first = i * o.batch;
  return batch(std::min(o.batch, valid_ - first), Part::validation,
               [&](i64 row) { return Key{}.fold("validation").fold(static_cast<u64>(first + row)); });
}

std::string Task::amount() const { return fmt::format("ever new ones to learn from, {} to validate", grouped(valid_)); }

void Examples::measure() {
  for (const auto* part : {&train_, &valid_}) {
    for (const Example& e : *part) length_ = std::max(length_, static_cast<i64>(e.tokens.size()));
  }
}

dsl::Batch Examples::training(const TrainOptions& o, i64 step, i64 part) const {
  const i64 first = ((step - 1) * o.accumulate + part) * o.batch;
  std::vector<Example> rows;
  for (i64 row = 0; row < o.batch; ++row) {
    const i64 i = shuffled(Key{o.seed}.fold("data"), first + row, std::ssize(train_));
    rows.push_back(train_[static_cast<std::size_t>(i)]);
  }
  return batch_of(rows, sizes.classes.has_value(), length_);
}

i64 Examples::validations(const TrainOptions& o) const { return (std::ssize(valid_) + o.batch - 1) / o.batch; }

dsl::Batch Examples::validation(const TrainOptions& o, i64 i) const {
  const i64 first = i * o.batch, rows = std::min(o.batch, static_cast<i64>(std::ssize(valid_)) - first);
  return batch_of(std::span(valid_).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(rows)),
                  sizes.classes.has_value(), length_);
}

dsl::Option valid_option() {
  return whole("valid", "1000", 1, "Sequences to validate on, the same in every run.", kMost);
}

}  // namespace weft::train
