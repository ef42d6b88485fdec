#include "train/sample.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/key.h"
#include "engine/loops.h"
#include "engine/math.h"

namespace weft::train {
namespace {

struct Candidate {
  i32 token;
  double weight;  // its probability, up to a common factor
};

// Of equals the one with the smaller token, so that the order is one and the same everywhere.
bool likelier(const Candidate& a, const Candidate& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.token < b.token;
}

// In the order of tokens. f32 is enough for a draw, and vector code: of 16,384 tokens f64 took 0.1 ms
// (`perf record ./build/weft generate RUN`).
void weigh(std::span<const double> logits, double temperature, std::vector<Candidate>& all) {
  const double top = *std::max_element(logits.begin(), logits.end());
  static thread_local std::vector<float> weights;
  weights.resize(logits.size());
  const double* x = logits.data();
  float* w = weights.data();
  loop(best_isa(), 0, std::ssize(logits),
       [=](i64 i) { w[i] = weft::exp(static_cast<float>((x[i] - top) / temperature)); });
  all.resize(logits.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = {static_cast<i32>(i), static_cast<double>(weights[i])};
}

double total(const std::vector<Candidate>& all) {
  return std::accumulate(all.begin(), all.end(), 0.0, [](double sum, const Candidate& c) { return sum + c.weight; });
}

void keep_top_k(std::vector<Candidate>& all, i64 k) {
  if (k <= 0 || k >= std::ssize(all)) return;
  std::partial_sort(all.begin(), all.begin() + k, all.end(), likelier);
  all.resize(static_cast<std::size_t>(k));
}

// From the likeliest on, as many as it takes; no more are sorted than a few times these.
void keep_top_p(std::vector<Candidate>& all, double p) {
  if (p == 1) return;
  const double wanted = p * total(all);
  double sum = 0;
  std::size_t kept = 0, sorted = 0;
  while (kept < all.size() && (kept == 0 || sum < wanted)) {
    if (kept == sorted) {
      const auto first = all.begin() + static_cast<std::ptrdiff_t>(sorted);
      sorted = std::min(all.size(), std::max<std::size_t>(64, 4 * sorted));
      const auto last = all.begin() + static_cast<std::ptrdiff_t>(sorted);
      std::nth_element(first, last, all.end(), likelier);
      std::sort(first, last, likelier);
    }
    sum += all[kept++].weight;
  }
  all.resize(kept);
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
  check(options.repetition_penalty > 0, "generate.repetition_penalty must be above 0 ({})", options.repetition_penalty);
  for (const std::string& text : options.stop)
    check(!text.empty(), "generate.stop: a text to stop at must hold at least one character");
  check(!options.prompt || !options.prompt->empty(), "generate.prompt must hold at least one character");
}

void penalise(std::span<double> logits, const std::vector<bool>& seen, double penalty) {
  if (penalty == 1) return;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (seen[i]) logits[i] = logits[i] > 0 ? logits[i] / penalty : logits[i] * penalty;
  }
}

double log_probability(std::span<const double> logits, i32 token) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const double z : logits) sum += std::exp(z - top);
  return logits[static_cast<std::size_t>(token)] - top - std::log(sum);
}

i32 sample(std::span<const double> logits, const GenerateOptions& options, i64 index, i64 copy) {
  check(!logits.empty(), "sample: no logits");
  check_logits(logits);
  if (options.temperature == 0) {
    return static_cast<i32>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  }
  static thread_local std::vector<Candidate> all;  // kept, because its pages cost more than what is written to them
  weigh(logits, options.temperature, all);
  keep_top_k(all, options.top_k);
  keep_top_p(all, options.top_p);
  Key key = Key{options.seed}.fold("generate");
  if (copy > 0) key = key.fold("copy").fold(static_cast<u64>(copy));  // the first is what a single text is
  double left = uniform(key, static_cast<u64>(index)) * total(all);
  i32 token = all.front().token;
  for (const Candidate& c : all) {
    if (c.weight == 0) continue;
    token = c.token;
    if ((left -= c.weight) < 0) break;  // if never: rounding used up the weights, and the last is taken
  }
  return token;
}

std::vector<i32> prompt_tokens(const GenerateOptions& options, const Tokenizer& tokenizer) {
  if (options.prompt) return tokenizer.encode(*options.prompt, "the prompt", Failure::usage);
  if (tokenizer.knows("\n")) return tokenizer.encode("\n", "the prompt");
  return {0};
}

}  // namespace weft::train
