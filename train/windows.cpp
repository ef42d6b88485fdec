#include "train/windows.h"

#include <algorithm>

#include "engine/key.h"

namespace weft::train {
namespace {

// Windows of `context` tokens and the targets one further on.
class Rows {
 public:
  Rows(const Tokens& tokens, i64 rows, i64 context) : tokens_(tokens), rows_(rows), context_(context) {}

  // From `start` on, at most up to `end`. What fills up a row comes after every real token of it, where a causal model
  // cannot see it: any token will do.
  void add(i64 start, i64 end) {
    const auto n = static_cast<std::size_t>(std::min(context_, end - 1 - start)),
               context = static_cast<std::size_t>(context_);
    window_.resize(n + 1);
    tokens_.read(start, window_);
    inputs_.insert(inputs_.end(), window_.begin(), window_.end() - 1);
    targets_.insert(targets_.end(), window_.begin() + 1, window_.end());
    inputs_.insert(inputs_.end(), context - n, 0);
    targets_.insert(targets_.end(), context - n, -1);
  }
  dsl::Batch batch() const {
    return {Tensor::of_indices(inputs_, {rows_, context_}), Tensor::of_indices(targets_, {rows_, context_})};
  }

 private:
  const Tokens& tokens_;
  i64 rows_, context_;
  std::vector<i32> window_, inputs_, targets_;
};

// The numbers 0 .. total-1 dealt out to the files of a text, in turn: `ends[p]` of them to the first p + 1.
struct Shares {
  std::vector<i64> ends;
  template <class Share> Shares(const Tokens& tokens, Share share) {
    for (std::size_t p = 0; p < tokens.pieces(); ++p) ends.push_back(total() + share(tokens.end(p) - tokens.begin(p)));
  }
  i64 total() const { return ends.empty() ? 0 : ends.back(); }
  // The file that number `i` belongs to, and which of its own it is.
  std::pair<std::size_t, i64> of(i64 i) const {
    const auto p = static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), i) - ends.begin());
    return {p, p == 0 ? i : i - ends[p - 1]};
  }
};

// Windows that follow each other, for every target of a file once.
Shares windows_of(const Tokens& tokens, i64 context) {
  return {tokens, [=](i64 n) { return (n - 1 + context - 1) / context; }};
}

}  // namespace

dsl::Batch training_batch(const Tokens& tokens, u64 seed, i64 step, i64 first_row, i64 rows, i64 context) {
  // A window needs one token more than the context; a shorter file is one, if it has a target.
  const Shares starts(tokens, [&](i64 n) { return n < 2 ? 0 : std::max<i64>(1, n - context); });
  check(starts.total() > 0, "training_batch: {} tokens have no window", tokens.size());
  const Key key = Key{seed}.fold("data").fold(static_cast<u64>(step));
  Rows batch(tokens, rows, context);
  for (i64 row = first_row; row < first_row + rows; ++row) {
    const u64 drawn = bits(key, static_cast<u64>(row)) % static_cast<u64>(starts.total());
    const auto [file, start] = starts.of(static_cast<i64>(drawn));
    batch.add(tokens.begin(file) + start, tokens.end(file));
  }
  return batch.batch();
}

dsl::Batch Stripes::batch(const Tokens& tokens, i64 step, i64 first_row, i64 rows) const {
  const i64 stripe = (tokens.size() - 1) / all;
  Rows batch(tokens, rows, context);
  for (i64 row = first_row; row < first_row + rows; ++row)
    batch.add(row * stripe + window(tokens.size(), step) * context, tokens.size());
  return batch.batch();
}

ValidationBatches::ValidationBatches(Tokens tokens, i64 rows, i64 context)
    : tokens_(std::move(tokens)), rows_(rows), context_(context), windows_(windows_of(tokens_, context).total()) {}

dsl::Batch ValidationBatches::at(i64 i) const {
  const i64 rows = std::min(rows_, windows_ - i * rows_);
  check(i >= 0 && rows > 0, "validation: batch {} of {}", i, count());
  const Shares windows = windows_of(tokens_, context_);
  Rows batch(tokens_, rows, context_);
  for (i64 row = i * rows_; row < i * rows_ + rows; ++row) {
    const auto [file, window] = windows.of(row);
    batch.add(tokens_.begin(file) + window * context_, tokens_.end(file));
  }
  return batch.batch();
}

}  // namespace weft::train
