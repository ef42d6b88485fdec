#include "train/writer.h"

#include <doctest/doctest.h>

#include <set>

#include "tests/train/bigram.h"
#include "train/state_file.h"
#include "train/texts.h"

using namespace weft;
using namespace weft::train;

namespace {

// A model that has learned nothing writes any text; here it writes one that is known.
struct Dictated {
  Tokenizer tokenizer = Tokenizer::characters("abcdef.", "letters");
  std::vector<std::string> pieces;
  Draft::End end = Draft::End::none;
  std::string stop;
  i64 tokens = 0;

  Dictated(const std::string& text, std::vector<std::string> stops, i64 limit = 100) {
    const GenerateOptions options{.tokens = limit, .temperature = 0, .stop = std::move(stops)};
    const Beginning from{{}, {}, std::vector<bool>(7), 0};
    Draft draft(tokenizer, options, from, 0, [&](std::string_view piece) {
      pieces.emplace_back(piece);
      return true;
    });
    for (const i32 token : tokenizer.encode(text, "text")) {
      if (draft.end() != Draft::End::none) break;
      std::vector<double> logits(7);
      logits[static_cast<std::size_t>(token)] = 1;
      draft.draw(logits);
    }
    end = draft.end(), stop = draft.stop(), tokens = draft.tokens();
  }
  std::string text() const {
    std::string all;
    for (const std::string& p : pieces) all += p;
    return all;
  }
};

// Logits that differ: else every prompt would have the same text, which follows the draws alone.
std::vector<Tensor> strong(const Bigram& model) {
  std::vector<Tensor> weights = model.initial_weights(1, DType::f64);
  std::vector<double> table;
  for (const double x : weights[0].values<double>()) table.push_back(20 * x);
  weights[0] = Tensor::from(table, weights[0].shape(), DType::f64);
  return weights;
}

struct Desk {
  Practice p;
  const Tokenizer& tokenizer = *p.text.tokenizer();
  std::unique_ptr<dsl::Stream> stream = p.model.stream(p.runtime, strong(p.model));
  std::vector<i32> tokens(const std::string& text) const { return tokenizer.encode(text, "text"); }
  std::string alone(const std::string& prompt, GenerateOptions options) {
    options.prompt = prompt;
    std::string text;
    generate(*stream, tokenizer, options, [&](std::string_view piece) { return text += piece, true; });
    return text;
  }
};

}  // namespace

TEST_CASE("a text ends before a text to stop at, which may have come in many tokens") {
  const Dictated d("abcabdeff", {"abd", "ff"});
  CHECK(d.text() == "abc");
  CHECK(d.end == Draft::End::stop);
  CHECK(d.stop == "abd");
  CHECK(d.tokens == 6);
}

TEST_CASE("what may begin a text to stop at is held back, and given out once it does not") {
  CHECK(Dictated("ababac", {"abac"}).text() == "ab");
  CHECK(Dictated("ababc", {"abac"}).pieces == std::vector<std::string>{"ab", "abc"});
  CHECK(Dictated("dab", {"abc"}, 3).text() == "dab");  // complete: nothing more can come
  CHECK(Dictated("dab", {"abc"}, 3).end == Draft::End::tokens);
}

TEST_CASE("of two texts to stop at the earlier one ends the text") {
  const Dictated d("fabcd", {"bc", "abc"});
  CHECK(d.text() == "f");
  CHECK(d.stop == "abc");
}

TEST_CASE("no tokens are no draws") {
  CHECK(Dictated("abc", {}, 0).tokens == 0);
  CHECK(Dictated("abc", {}, 0).end == Draft::End::tokens);
}

TEST_CASE("prompts of different length and copies, side by side, give the texts that they give alone") {
  Desk desk;
  const GenerateOptions options{.tokens = 40, .temperature = 1, .repetition_penalty = 1.2, .stop = {"bb"}, .seed = 4};
  std::vector<std::string> prompts;
  std::vector<std::vector<i32>> tokens;
  for (int i = 0; i < 23; ++i) {  // more than the rows of one stream
    prompts.push_back(practice_text(60).substr(static_cast<std::size_t>(i), static_cast<std::size_t>(1 + i % 7)));
    tokens.push_back(desk.tokens(prompts.back()));
  }
  const Writing how{*desk.stream, desk.tokenizer, options};
  const auto two = write_all(how, tokens, 2), eight = write_all(how, tokens, 8);
  std::set<i64> lengths;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    CHECK(two[i][0].text == desk.alone(prompts[i], options));
    CHECK(two[i][1].text == eight[i][1].text);
    CHECK(two[i][1].text != two[i][0].text);
    for (const Written& w : eight[i]) lengths.insert(w.tokens);
  }
  CHECK(lengths.size() > 4);  // rows end at different times
}

TEST_CASE("a state in a file is what was saved, and is refused by other weights and another description") {
  Desk desk;
  const Owner owner{"w1", "d1", "best.safetensors"};
  const Beginning from = read(*desk.stream, desk.tokens("abca"), desk.tokenizer.vocab());
  const fs::path file = desk.p.folder / "s";
  save_state(file, from, owner);
  const Beginning again = load_state(file, owner, desk.tokenizer.vocab());
  CHECK(again.logits == from.logits);
  CHECK(again.seen == from.seen);
  CHECK(again.last == from.last);
  CHECK(again.kept.positions == std::vector<i64>{4});
  const auto refused = [&](const Owner& other, i64 vocab) {
    const auto e = caught([&] { load_state(file, other, vocab); });
    CHECK(e.failure == Failure::data);
    return e.message;
  };
  CHECK(contains(refused({"w2", "d1", "best.safetensors"}, 7),
                 "is a state of other weights: theirs have the hash \"w1\", those of best.safetensors have \"w2\""));
  CHECK(contains(refused({"w1", "d2", "best.safetensors"}, 7), "is a state of another description"));
  CHECK(contains(refused(owner, 3), "logits, the vocabulary has 3"));
  save_weights(file, desk.p.model.weights(), desk.p.model.initial_weights(1, DType::f32), {});
  CHECK(contains(refused(owner, 7), "is no state that `weft generate --save-state` wrote"));
}

TEST_CASE("weights that differ in one bit, in a name or in a shape have another hash") {
  const std::vector<dsl::Weight> a = {{"a", {2}}}, b = {{"b", {2}}}, column = {{"a", {2, 1}}};
  const Tensor t = Tensor::from({1, 2}, {2}, DType::f32), u = Tensor::from({1, 2.0000002}, {2}, DType::f32);
  const std::string hash = hash_of_weights(a, {t});
  CHECK(hash_of_weights(a, {t}) == hash);
  CHECK(hash_of_weights(a, {u}) != hash);
  CHECK(hash_of_weights(b, {t}) != hash);
  CHECK(hash_of_weights(column, {t.reshaped({2, 1})}) != hash);
}
