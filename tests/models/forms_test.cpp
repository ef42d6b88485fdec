// The forms of a recurrence, the sequential loop and the stream are one function.
#include "tests/models/build.h"

using namespace weft;

namespace {

// What is not linear in the state for the classifier, and changes nothing: it sends a recurrence to the sequential loop.
std::string sequential(std::string text, const std::string& state) {
  const std::string step = state + ": \"";
  const auto at = text.find(step);
  REQUIRE(at != std::string::npos);
  return text.insert(at + step.size(), "0 * tanh(" + state + ") + ");
}

void same_function(const std::string& a, const std::string& b, i64 length, const std::string& form = "auto") {
  const auto x = tests::built(a), y = tests::built(b, form == "auto" ? std::vector<std::string>{} : std::vector{"train.form=" + form});
  const auto weights = tests::random_weights(*x);
  const auto batch = tests::batch(3, length);
  const tests::Step p = tests::step(*x, weights, batch), q = tests::step(*y, weights, batch);
  CAPTURE(form);
  CAPTURE(length);
  CHECK(std::abs(p.loss - q.loss) <= 1e-12 * std::abs(p.loss));
  REQUIRE(p.gradients.size() == q.gradients.size());
  for (std::size_t i = 0; i < p.gradients.size(); ++i) {
    CAPTURE(x->weights()[i].name);
    // f64: the longest sums here have some thousand terms of 1e-16 each.
    CHECK(tests::distance(p.gradients[i], q.gradients[i]) < 1e-10);
  }
}

const char* const kRecurrences[] = {
    // sum
    "    recurrence:\n      over: T\n      state: {S: [D, D]}\n      step: {S: \"S + outer(x, x)\"}\n      read: {y: x @ S}\n    out: y\n",
    // decay, constant and per head
    "    dims: {H: 2, d: D / 2}\n    let: {h: \"to_heads(x, H)\", gamma: 1 - 2 ^ (-1 - arange(H))}\n"
    "    recurrence:\n      over: T\n      state: {S: [H, d, d]}\n      step: {S: \"gamma * S + outer(h, h)\"}\n"
    "      read: {y: h @ S}\n    out: merge_heads(y)\n",
    // decay from the data, which varies with time and reaches 0
    "    weights: {w: {shape: [D, 1]}}\n    let: {a: \"sum(relu(x @ w), dim=-1) / 4\"}\n"
    "    recurrence:\n      over: T\n      state: {S: [D, D]}\n      step: {S: \"a * S - 0.5 * outer(x, x) / 3\"}\n"
    "      read: {y: x @ S}\n    out: y\n",
    // a normalised read: two states, one of them a vector, that start from weights
    "    let: {k: sigmoid(x)}\n    recurrence:\n      over: T\n"
    "      state: {S: {shape: [D, D], learned: true}, n: {shape: [D], init: 1}}\n"
    "      step: {S: \"0.8 * S + outer(k, x)\", n: 0.8 * n + k}\n"
    "      read: {y: \"(k @ S) / maximum(abs(dot(k, n)), 1)\"}\n    out: y\n"};

}  // namespace

TEST_CASE("every form of a linear recurrence is the sequential loop, gradients included") {
  for (const char* recurrence : kRecurrences) {
    CAPTURE(recurrence);
    const std::string text = tests::around(recurrence), loop = sequential(text, "S");
    for (const char* form : {"recurrent", "chunkwise", "parallel", "auto"}) {
      for (const i64 length : {1, 2, 63, 64, 65}) same_function(loop, text, length, form);
    }
  }
}

TEST_CASE("a vector state is the sequential loop") {
  const std::string text = tests::around(
      "    recurrence:\n      over: T\n      state: {m: {shape: [D], init: 0.5}, c: []}\n"
      "      step: {m: \"0.9 * m + 0.1 * x\", c: c + 1}\n      read: {y: m / c}\n    out: y\n");
  for (const i64 length : {1, 7, 65}) same_function(sequential(text, "m"), text, length, "parallel");
}

TEST_CASE("names of the step are seen in read, and a state is new there and old under prev") {
  const std::string text = tests::around(
      "    recurrence:\n      over: T\n      state: {s: [D]}\n      step: {u: 2 * x, s: u + 0.5 * s}\n"
      "      read: {y: s - prev(s) - u}\n    out: y\n");
  // s - prev(s) - u = -0.5 prev(s), and prev(s) is s one position before.
  const std::string shifted = tests::around(
      "    recurrence:\n      over: T\n      state: {s: [D]}\n      step: {s: 2 * x + 0.5 * s}\n"
      "      read: {t: s}\n    out: -0.5 * shift(t, 1)\n");
  same_function(text, shifted, 9);
}

TEST_CASE("a stream fed in random cuts gives the logits of the whole") {
  std::vector<std::string> models = {tests::std_file("retnet"), tests::std_file("transformer")};
  for (const char* recurrence : kRecurrences) models.push_back(tests::around(recurrence));
  models.push_back(tests::around("    weights: {w: {shape: [D, 3]}}\n    out: causal_conv(x, w) + shift(x, 2) * position()\n"
                                 ""));
  models.push_back(tests::around("    recurrence:\n      over: T\n      state: {h: {shape: [D], learned: true}}\n"
                                 "      step: {h: tanh(h + x)}\n      read: {y: h}\n    out: y\n"));
  for (const std::string& text : models) {
    CAPTURE(text);
    dsl::Diagnostics d;
    const auto model = tests::build(text, d, 16, text.find("layers:") == std::string::npos ? std::vector<std::string>{} : std::vector<std::string>{"params.D=16", "params.layers=2"});
    CAPTURE(d.render(false));
    if (!model) {
      CHECK(model);
      continue;
    }
    Runtime runtime;
    const auto weights = tests::random_weights(*model);
    const auto tokens = tests::batch(2, 30).tokens;
    const auto whole = model->stream(runtime, weights)->feed(tokens);
    const auto stream = model->stream(runtime, weights);
    Tensor last;
    for (i64 t = 0, n = 0; t < 30; t += n) {
      n = std::min<i64>(30 - t, 1 + static_cast<i64>(bits(Key{4}, static_cast<u64>(t)) % 7));
      last = stream->feed(tests::part(tokens, t, t + n));
    }
    CHECK(stream->position() == 30);
    CHECK(tests::distance(whole, last) < 1e-10);
  }
}

TEST_CASE("no token sees what follows it") {
  std::vector<std::string> models = {tests::std_file("retnet"), tests::std_file("transformer"), tests::around(kRecurrences[3]),
                                     tests::around("    out: softmax(x @ x^T, mask=causal_mask(T, T)) @ x\n"),
                                     tests::around("    out: (x @ x^T * decay_mask(0.9, T)) @ x\n"),
                                     tests::around("    out: cumsum(x, dim=T)\n")};
  for (const std::string& text : models) {
    CAPTURE(text);
    const auto model = tests::built(text);
    CHECK(!tests::sees_ahead(*model));
  }
}
