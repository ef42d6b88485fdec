#include "train/writer.h"

#include <algorithm>

namespace weft::train {
namespace {

constexpr std::size_t kPart = 1024;  // tokens of a prompt that are read at once

// Row `r` of logits [B, vocab], in memory that serves for every token.
const std::vector<double>& row_of(const Tensor& logits, i64 r, std::vector<double>& row) {
  const i64 V = logits.shape()[1];
  const auto take = [&](auto all) { row.assign(all.begin() + r * V, all.begin() + (r + 1) * V); };
  if (logits.dtype() == DType::f64) take(logits.values<double>());
  else take(logits.values<float>());
  return row;
}

// How much of the end of `text` begins `stop`, but for all of it.
std::size_t overlap(std::string_view text, std::string_view stop) {
  for (std::size_t n = std::min(text.size(), stop.size() - 1); n > 0; --n) {
    if (text.ends_with(stop.substr(0, n))) return n;
  }
  return 0;
}

}  // namespace

Beginning read(dsl::Stream& stream, std::span<const i32> tokens, i64 vocab, const Beginning* before) {
  check(!tokens.empty(), "generate: there is nothing to read");
  Beginning b;
  if (before) b.seen = before->seen;
  b.seen.resize(static_cast<std::size_t>(vocab));
  stream.go_on(before ? before->kept : dsl::Kept{});
  // Without a streaming form each part would compute all those before it again.
  const std::size_t part = stream.constant_work() ? kPart : tokens.size();
  Tensor logits;
  for (std::size_t at = 0; at < tokens.size(); at += part) {
    const auto now = tokens.subspan(at, std::min(part, tokens.size() - at));
    logits = stream.feed(Tensor::of_indices(now, {1, std::ssize(now)}));
  }
  for (const i32 token : tokens) b.seen[static_cast<std::size_t>(token)] = true;
  check(logits.size() == vocab, "generate: {} logits for a vocabulary of {}", logits.size(), vocab);
  b.kept = stream.kept();
  row_of(logits, 0, b.logits);
  b.last = tokens.back();
  return b;
}

Draft::Draft(const Tokenizer& tokenizer, const GenerateOptions& options, const Beginning& from, i64 copy, TextSink text,
             TokenSink token)
    : tokenizer_(tokenizer),
      options_(options),
      from_(from),
      copy_(copy),
      text_(std::move(text)),
      token_(std::move(token)),
      seen_(from.seen) {
  settle();
}

i32 Draft::draw(std::span<const double> logits) {
  weighed_.assign(logits.begin(), logits.end());
  penalise(weighed_, seen_, options_.repetition_penalty);
  const i32 token = sample(weighed_, options_, tokens_++, copy_);
  seen_[static_cast<std::size_t>(token)] = true;
  if (token_) token_({token, log_probability(logits, token)});
  pending_ += tokenizer_.decode({&token, 1});
  settle();
  return token;
}

// Passes on what can no longer be part of a text to stop at.
void Draft::settle() {
  std::size_t first = std::string::npos, held = 0;
  for (const std::string& stop : options_.stop) {
    if (const std::size_t at = pending_.find(stop); at < first) first = at, stop_ = stop;
    held = std::max(held, overlap(pending_, stop));
  }
  if (first != std::string::npos) {
    emit(first);
    end_ = End::stop;
    return;
  }
  const bool complete = tokens_ == options_.tokens;
  // A character that several tokens make is given when it is complete.
  const std::string_view safe = std::string_view(pending_).substr(0, pending_.size() - held);
  emit(complete ? pending_.size() : whole_characters(safe));
  if (complete) end_ = End::tokens;
}

void Draft::emit(std::size_t length) {
  if (length > 0 && !text_(std::string_view(pending_).substr(0, length))) end_ = End::closed;
  pending_.erase(0, length);
}

namespace {

// Leaves the rows that go on.
void keep_rows(dsl::Stream& stream, const std::vector<i64>& rows) {
  const dsl::Kept all = stream.kept();
  if (all.rows() == std::ssize(rows)) return;
  std::vector<dsl::Kept> parts;
  for (const i64 r : rows) parts.push_back(dsl::row(all, r));
  stream.go_on(dsl::joined(parts));
}

}  // namespace

void write(dsl::Stream& stream, std::span<Draft> drafts) {
  std::vector<dsl::Kept> parts;
  std::vector<Draft*> going;
  for (Draft& d : drafts) parts.push_back(d.from().kept), going.push_back(&d);
  if (parts.empty()) return;
  stream.go_on(dsl::joined(parts));
  parts.clear();
  std::vector<double> row;
  for (Tensor logits;;) {
    std::vector<i32> tokens;
    std::vector<i64> rows;
    std::vector<Draft*> still;
    for (std::size_t i = 0; i < going.size(); ++i) {
      Draft& d = *going[i];
      if (d.end() != Draft::End::none) continue;  // no token was wanted
      const i32 token = d.draw(logits ? row_of(logits, static_cast<i64>(i), row) : d.from().logits);
      if (d.end() != Draft::End::none) continue;
      tokens.push_back(token), rows.push_back(static_cast<i64>(i)), still.push_back(&d);
    }
    if (still.empty()) return;
    if (rows.size() < going.size()) keep_rows(stream, rows);
    going = std::move(still);
    logits = stream.feed(Tensor::of_indices(tokens, {std::ssize(tokens), 1}));
  }
}

i64 generate(dsl::Stream& stream, const Tokenizer& tokenizer, const GenerateOptions& options, const TextSink& sink) {
  check_options(options);
  const Beginning from = read(stream, prompt_tokens(options, tokenizer), tokenizer.vocab());
  Draft draft(tokenizer, options, from, 0, sink);
  write(stream, {&draft, 1});
  return draft.tokens();
}

}  // namespace weft::train
