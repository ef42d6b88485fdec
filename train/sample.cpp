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

// Of equals the one with the smaller token, so that the order is one and the same everywhere.
bool likelier(const Candidate& a, const Candidate& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.token < b.token;
}

// Candidates from the likeliest on, as far as they are asked for: a draw seldom goes far, and a vocabulary is large.
class Likeliest {
 public:
  explicit Likeliest(std::vector<Candidate> all) : rest_(std::move(all)) {
    std::make_heap(rest_.begin(), rest_.end(), after);
  }
  bool empty() const { return rest_.empty(); }
  Candidate next() {
    std::pop_heap(rest_.begin(), rest_.end(), after);
    const Candidate c = rest_.back();
    rest_.pop_back();
    return c;
  }

 private:
  static bool after(const Candidate& a, const Candidate& b) { return likelier(b, a); }
  std::vector<Candidate> rest_;
};

std::vector<Candidate> candidates(std::span<const double> logits, double temperature) {
  const double top = *std::max_element(logits.begin(), logits.end());
  std::vector<Candidate> all(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    all[i] = {static_cast<i32>(i), std::exp((logits[i] - top) / temperature)};
  }
  return all;
}

double total(const std::vector<Candidate>& all) {
  return std::accumulate(all.begin(), all.end(), 0.0, [](double sum, const Candidate& c) { return sum + c.weight; });
}

void keep_top_k(std::vector<Candidate>& all, i64 k) {
  if (k <= 0 || k >= std::ssize(all)) return;
  std::nth_element(all.begin(), all.begin() + k, all.end(), likelier);
  all.resize(static_cast<std::size_t>(k));
}

void keep_top_p(std::vector<Candidate>& all, double p) {
  if (p == 1) return;
  const double wanted = p * total(all);
  Likeliest likeliest(std::move(all));
  all.clear();
  double sum = 0;
  do {
    all.push_back(likeliest.next());
    sum += all.back().weight;
  } while (sum < wanted && !likeliest.empty());
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
  std::vector<Candidate> all = candidates(logits, options.temperature);
  keep_top_k(all, options.top_k);
  keep_top_p(all, options.top_p);
  Key key = Key{options.seed}.fold("generate");
  if (copy > 0) key = key.fold("copy").fold(static_cast<u64>(copy));  // the first is what a single text is
  double left = uniform(key, static_cast<u64>(index)) * total(all);
  Likeliest likeliest(std::move(all));
  const Candidate first = likeliest.next();
  Candidate c = first;
  while ((left -= c.weight) >= 0 && !likeliest.empty()) c = likeliest.next();
  return left < 0 ? c.token : first.token;  // else rounding used up the weights before the draw
}

std::vector<i32> prompt_tokens(const GenerateOptions& options, const Tokenizer& tokenizer) {
  if (options.prompt) return tokenizer.encode(*options.prompt, "the prompt", Failure::usage);
  if (tokenizer.knows("\n")) return tokenizer.encode("\n", "the prompt");
  return {0};
}

}  // namespace weft::train
