#include "train/sample.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/key.h"

namespace weft::train {
namespace {

struct Candidate {
  i32 token;
  double weight;  // its probability, up to a common factor
};

// Likeliest first, equals in order of their tokens, so that the order is one and the same
// everywhere.
std::vector<Candidate> candidates(std::span<const double> logits, double temperature) {
  const double top = *std::max_element(logits.begin(), logits.end());
  std::vector<Candidate> all;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    all.push_back({static_cast<i32>(i), std::exp((logits[i] - top) / temperature)});
  }
  std::stable_sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) { return a.weight > b.weight; });
  return all;
}

double total(const std::vector<Candidate>& all) {
  return std::accumulate(all.begin(), all.end(), 0.0, [](double sum, const Candidate& c) { return sum + c.weight; });
}

void keep_top_p(std::vector<Candidate>& all, double p) {
  const double wanted = p * total(all);
  double sum = 0;
  std::size_t kept = 0;
  while (kept < all.size() && sum < wanted) sum += all[kept++].weight;
  all.resize(std::max<std::size_t>(1, kept));
}

void check_logits(std::span<const double> logits) {
  for (std::size_t i = 0; i < logits.size(); ++i) {
    // Minus infinity is a legal way to forbid a token; a row of nothing else has no largest element
    // to begin with.
    if (std::isnan(logits[i]) || logits[i] == INFINITY) {
      throw Error(fmt::format("generate: the logit of token {} is {}", i, logits[i]), Failure::diverged);
    }
  }
}

}  // namespace

void check_options(const GenerateOptions& options) {
  check(options.tokens >= 0, "generate.tokens must be 0 or more ({})", options.tokens);
  check(options.temperature >= 0, "generate.temperature must be 0 or more ({})", options.temperature);
  check(options.top_k >= 0, "generate.top_k must be 0 or more ({})", options.top_k);
  check(options.top_p > 0 && options.top_p <= 1, "generate.top_p must be above 0 and at most 1 ({})", options.top_p);
  check(!options.prompt || !options.prompt->empty(), "generate.prompt must hold at least one character");
}

i32 sample(std::span<const double> logits, const GenerateOptions& options, i64 index) {
  check(!logits.empty(), "sample: no logits");
  check_logits(logits);
  if (options.temperature == 0) {
    return static_cast<i32>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  }
  std::vector<Candidate> all = candidates(logits, options.temperature);
  if (options.top_k > 0 && options.top_k < static_cast<i64>(all.size())) {
    all.resize(static_cast<std::size_t>(options.top_k));
  }
  if (options.top_p < 1) keep_top_p(all, options.top_p);
  double left = uniform(Key{options.seed}.fold("generate"), static_cast<u64>(index)) * total(all);
  for (const Candidate& c : all) {
    left -= c.weight;
    if (left < 0) return c.token;
  }
  return all.front().token;  // rounding used up the weights before the draw
}

std::vector<i32> prompt_tokens(const GenerateOptions& options, const Tokenizer& tokenizer) {
  if (options.prompt) return tokenizer.encode(*options.prompt, "the prompt", Failure::usage);
  if (tokenizer.knows("\n")) return tokenizer.encode("\n", "the prompt");
  return {0};
}

i64 generate(dsl::Stream& stream, const Tokenizer& tokenizer, const GenerateOptions& options, const TextSink& sink) {
  check_options(options);
  std::vector<i32> tokens = prompt_tokens(options, tokenizer);
  std::vector<double> row;
  std::string text;  // bytes of a character that is not complete: they wait for the rest of it
  for (i64 index = 0; index < options.tokens; ++index) {
    const Tensor logits = stream.feed(Tensor::of_indices(tokens, {1, static_cast<i64>(tokens.size())}));
    check(logits.size() == tokenizer.vocab(), "generate: {} logits for a vocabulary of {}", logits.size(),
          tokenizer.vocab());
    const Tensor wide = logits.converted(DType::f64);
    const auto values = wide.values<double>();
    row.assign(values.begin(), values.end());
    tokens = {sample(row, options, index)};
    text += tokenizer.decode(tokens);
    const std::size_t whole = whole_characters(text);
    if (!sink(std::string_view(text).substr(0, whole))) return index + 1;
    text.erase(0, whole);
  }
  if (!text.empty()) sink(text);
  return options.tokens;
}

}  // namespace weft::train
