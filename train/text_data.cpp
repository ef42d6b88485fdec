#include "train/text_data.h"

#include <algorithm>

#include "train/file.h"

namespace weft::train {

std::string hash_text(std::string_view text) {
  u64 h = 0xcbf29ce484222325ULL;
  for (const unsigned char c : text) h = (h ^ c) * 0x100000001b3ULL;
  return fmt::format("{:016x}", h);
}

TextData load_text(const TextOptions& options, std::string_view built_in, const Tokenizer* known) {
  check(options.path.empty() != options.builtin.empty(), "data.text: give either `path` or `builtin`");
  check(options.val_fraction >= 0 && options.val_fraction < 1, "data.text: val_fraction must be from 0 to below 1 ({})",
        options.val_fraction);
  TextData data;
  std::string text;
  if (options.builtin.empty()) {
    data.source = options.path.string();
    text = read_file(options.path);
  } else {
    data.source = fmt::format("the built-in text `{}`", options.builtin);
    text = built_in;
    data.built_in = text;
  }
  if (text.empty()) fail_data("{}: is empty, there is nothing to learn", data.source);
  data.hash = hash_text(text);
  data.tokenizer = known                         ? *known
                   : options.tokenizer == "byte" ? Tokenizer::bytes()
                                                 : Tokenizer::characters(text, data.source);
  std::vector<i32> tokens = data.tokenizer.encode(text, data.source);
  const auto cut = tokens.begin() + static_cast<i64>((1 - options.val_fraction) * static_cast<double>(tokens.size()));
  data.valid.assign(cut, tokens.end());
  tokens.erase(cut, tokens.end());
  data.train = std::move(tokens);
  return data;
}

void check_length(const TextData& text, i64 context) {
  const i64 n = static_cast<i64>(text.train.size());
  if (n < context + 1) {
    fail_data("{}: the training part has {} {}s, a context of {} needs at least {}", text.source, n,
              text.tokenizer.unit(), context, context + 1);
  }
  if (text.valid.size() == 1) {
    fail_data(
        "{}: the validation part has 1 {}, at least 2 are needed: raise val_fraction, or set it to "
        "0",
        text.source, text.tokenizer.unit());
  }
}

dsl::Batch training_batch(std::span<const i32> tokens, u64 seed, i64 step, i64 first_row, i64 rows, i64 context) {
  const i64 starts = static_cast<i64>(tokens.size()) - context;  // a window needs one token more than the context
  check(starts > 0, "training_batch: {} tokens do not hold a window of {}", tokens.size(), context + 1);
  const Key key = Key{seed}.fold("data").fold(static_cast<u64>(step));
  std::vector<i32> inputs, targets;
  inputs.reserve(static_cast<std::size_t>(rows * context));
  targets.reserve(static_cast<std::size_t>(rows * context));
  for (i64 row = first_row; row < first_row + rows; ++row) {
    const auto start = tokens.begin() + static_cast<i64>(bits(key, static_cast<u64>(row)) % static_cast<u64>(starts));
    inputs.insert(inputs.end(), start, start + context);
    targets.insert(targets.end(), start + 1, start + context + 1);
  }
  return {Tensor::of_indices(inputs, {rows, context}), Tensor::of_indices(targets, {rows, context})};
}

dsl::Batch Stripes::batch(std::span<const i32> tokens, i64 step, i64 first_row, i64 rows) const {
  const i64 stripe = (static_cast<i64>(tokens.size()) - 1) / all;
  std::vector<i32> inputs, targets;
  for (i64 row = first_row; row < first_row + rows; ++row) {
    const auto start = tokens.begin() + row * stripe + window(tokens.size(), step) * context;
    inputs.insert(inputs.end(), start, start + context);
    targets.insert(targets.end(), start + 1, start + context + 1);
  }
  return {Tensor::of_indices(inputs, {rows, context}), Tensor::of_indices(targets, {rows, context})};
}

ValidationBatches::ValidationBatches(std::span<const i32> tokens, i64 rows, i64 context)
    : tokens_(tokens), rows_(rows), context_(context) {
  const i64 targets = std::max<i64>(0, static_cast<i64>(tokens.size()) - 1);
  windows_ = (targets + context - 1) / context;
}

dsl::Batch ValidationBatches::at(i64 i) const {
  const i64 rows = std::min(rows_, windows_ - i * rows_);
  check(i >= 0 && rows > 0, "validation: batch {} of {}", i, count());
  const std::size_t size = static_cast<std::size_t>(rows * context_);
  // Padding comes after every real token of its row, where a causal model cannot see it: any token
  // will do.
  std::vector<i32> inputs(size, 0), targets(size, -1);
  const i64 first = i * rows_ * context_;
  const i64 n = std::min<i64>(rows * context_, static_cast<i64>(tokens_.size()) - 1 - first);
  std::copy_n(tokens_.begin() + first, n, inputs.begin());
  std::copy_n(tokens_.begin() + first + 1, n, targets.begin());
  return {Tensor::of_indices(inputs, {rows, context_}), Tensor::of_indices(targets, {rows, context_})};
}

}  // namespace weft::train
