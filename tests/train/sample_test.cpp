#include "train/sample.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "tests/train/bigram.h"
#include "train/writer.h"

using namespace weft;
using namespace weft::train;

namespace {

std::string text_of(const GenerateOptions& options) {
  Practice p;
  const auto weights = p.model.initial_weights(1, DType::f32);
  const auto stream = p.model.stream(p.runtime, weights);
  std::string text;
  CHECK(generate(*stream, *p.text.tokenizer(), options, [&](std::string_view piece) { return text += piece, true; }) ==
        options.tokens);
  return text;
}

// How often each of n draws gives each token.
std::vector<double> frequencies(const std::vector<double>& logits, const GenerateOptions& options, i64 n = 20000) {
  std::vector<double> counts(logits.size());
  for (i64 i = 0; i < n; ++i)
    counts[static_cast<std::size_t>(sample(logits, options, i))] += 1.0 / static_cast<double>(n);
  return counts;
}

}  // namespace

TEST_CASE("tokens are drawn as often as the softmax of logits over temperature says") {
  const std::vector<double> logits{0, 1, -1, 2};
  for (const double temperature : {0.5, 1.0, 2.0}) {
    double sum = 0;
    for (const double z : logits) sum += std::exp(z / temperature);
    const auto counts = frequencies(logits, {.temperature = temperature});
    for (std::size_t i = 0; i < logits.size(); ++i) {
      CHECK(std::abs(counts[i] - std::exp(logits[i] / temperature) / sum) < 0.015);  // 4 sigma of 20,000 draws
    }
  }
}

TEST_CASE("temperature 0 takes the likeliest token, of equals the first") {
  CHECK(sample(std::vector<double>{1, 5, 5, 2}, {.temperature = 0}, 3) == 1);
}

TEST_CASE("top_k and top_p leave only the likeliest tokens") {
  const std::vector<double> logits{0, 1, -1, 2};  // probabilities 0.087 0.237 0.032 0.644
  const auto two = frequencies(logits, {.temperature = 1, .top_k = 2});
  CHECK(two[0] + two[2] == 0);
  CHECK(two[1] > 0.2);
  const auto most = frequencies(logits, {.temperature = 1, .top_p = 0.6});
  CHECK(most[3] == doctest::Approx(1));
  const auto three = frequencies(logits, {.temperature = 1, .top_p = 0.9});
  CHECK(three[2] == 0);
  CHECK(three[0] > 0.05);
  const std::vector<double> equal(5, 1.5);  // of equals the first
  const auto first = frequencies(equal, {.temperature = 1, .top_k = 2}), half = frequencies(equal, {.top_p = 0.5});
  CHECK(first[0] + first[1] == doctest::Approx(1));
  CHECK(half[0] + half[1] + half[2] == doctest::Approx(1));
}

TEST_CASE("the penalty divides logits above 0 of seen tokens and multiplies those below, and no others") {
  std::vector<double> logits{2, 2, -2, -2, 0};
  penalise(logits, {true, false, true, false, true}, 1.25);
  CHECK(logits == std::vector<double>{1.6, 2, -2.5, -2, 0});
}

TEST_CASE("a log probability is that of the softmax of all logits") {
  CHECK(log_probability(std::vector<double>{0, std::log(3.0)}, 1) == doctest::Approx(std::log(0.75)));
  CHECK(log_probability(std::vector<double>{1000, 0}, 0) == doctest::Approx(0));
}

TEST_CASE("copies of a text have draws of their own, the first those of a single text") {
  const std::vector<double> flat(1000);
  std::set<i32> tokens;
  for (i64 copy = 0; copy < 8; ++copy) tokens.insert(sample(flat, {.temperature = 1, .seed = 3}, 5, copy));
  CHECK(tokens.size() >= 7);
  CHECK(tokens.contains(sample(flat, {.temperature = 1, .seed = 3}, 5)));
}

TEST_CASE("logits that are not numbers end generation with an error") {
  CHECK(caught([] { sample(std::vector<double>{0, NAN}, {}, 0); }).failure == Failure::diverged);
  CHECK(sample(std::vector<double>{0, -INFINITY}, {}, 0) == 0);
}

TEST_CASE("the same seed repeats, another differs, and a shorter text is a prefix of a longer one") {
  const std::string text = text_of({.tokens = 100, .seed = 1});
  CHECK(text.size() == 100);
  CHECK(text_of({.tokens = 100, .seed = 1}) == text);
  CHECK(text_of({.tokens = 40, .seed = 1}) == text.substr(0, 40));
  CHECK(text_of({.tokens = 100, .seed = 2}) != text);
}

TEST_CASE("a prompt with an unknown character is refused, and no prompt means a line feed") {
  const Tokenizer t = Tokenizer::characters("ab\n", "text"), no_line = Tokenizer::characters("xy", "text");
  CHECK(caught([&] { prompt_tokens({.prompt = "abc"}, t); }).failure == Failure::usage);
  CHECK(prompt_tokens({}, t) == std::vector<i32>{0});
  CHECK(prompt_tokens({}, no_line) == std::vector<i32>{0});
  CHECK_THROWS_AS(check_options({.prompt = ""}), Error);
  CHECK_THROWS_AS(check_options({.temperature = -1}), Error);
  CHECK_THROWS_AS(check_options({.top_p = 0}), Error);
  CHECK_THROWS_AS(check_options({.repetition_penalty = 0}), Error);
  CHECK_THROWS_AS(check_options({.stop = {"a", ""}}), Error);
}

TEST_CASE("the sink can end the text") {
  Practice p;
  const auto stream = p.model.stream(p.runtime, p.model.initial_weights(1, DType::f32));
  i64 pieces = 0;
  CHECK(generate(*stream, *p.text.tokenizer(), {.tokens = 100}, [&](std::string_view) { return ++pieces < 7; }) == 7);
}

namespace {

// Whatever it is fed, the next token is the next byte of a text.
struct Dictation final : dsl::Stream {
  explicit Dictation(std::string text) : text(std::move(text)) {}
  Tensor feed(const Tensor&) override {
    std::vector<double> logits(256, 0.0);
    logits[static_cast<unsigned char>(text[place++])] = 1;
    return Tensor::from(logits, {1, 256}, DType::f64);
  }
  i64 position() const override { return static_cast<i64>(place); }
  dsl::Kept kept() const override { return {}; }
  void go_on(const dsl::Kept&) override {}
  bool rows_apart() const override { return true; }
  std::size_t state_bytes() const override { return 0; }
  bool constant_work() const override { return true; }
  std::string text;
  std::size_t place = 0;
};

std::vector<std::string> pieces_of_bytes(const std::string& text) {
  Dictation stream(text);
  std::vector<std::string> pieces;
  const i64 count = generate(stream, Tokenizer::bytes(), {.tokens = std::ssize(text), .temperature = 0},
                             [&](std::string_view piece) { return pieces.emplace_back(piece), true; });
  CHECK(count == std::ssize(text));
  return pieces;
}

}  // namespace

TEST_CASE("a character of several tokens is shown when it is complete, and no byte is lost") {
  CHECK(pieces_of_bytes("a\xc3\xa9!") == std::vector<std::string>{"a", "\xc3\xa9", "!"});
  CHECK(pieces_of_bytes("\xff\xe2\x82z") == std::vector<std::string>{"\xff", "\xe2\x82z"});
  CHECK(pieces_of_bytes("x\xf0\x9f") == std::vector<std::string>{"x", "\xf0\x9f"});  // at the end all comes
}
