// The forms of a recurrence, the sequential loop and the stream are one function.
#include "tests/models/build.h"

using namespace weft;

namespace {

// What is not linear in the state for the classifier, and changes nothing: it sends a recurrence to the sequential
// loop.
std::string sequential(std::string text, const std::string& state) {
  const std::string step = state + ": \"";
  const auto at = text.find(step);
  REQUIRE(at != std::string::npos);
  return text.insert(at + step.size(), "0 * tanh(" + state + ") + ");
}

void same_function(const std::string& a, const std::string& b, i64 length, const std::string& form = "auto") {
  const auto x = tests::built(a),
             y = tests::built(b, form == "auto" ? std::vector<std::string>{} : std::vector{"train.form=" + form});
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

// Recurrences over x [T, D] with D = 8; `S` or the last state is the one that is sent to the loop.
struct Derived {
  const char* name;
  const char* state;  // which one the loop is forced by
  bool parallel;      // has that form too
  const char* text;
};
const char* const kHeads =
    "    dims: {H: 2, d: D / 2}\n    let: {h: \"to_heads(x, H)\", k: \"l2_norm(to_heads(x, H))\", "
    "beta: \"sigmoid(sum(to_heads(x, H), dim=-1))\", a: \"sigmoid(sum(to_heads(x * x, H), dim=-1))\", "
    "c: \"sigmoid(to_heads(x, H))\"}\n";
const Derived kDerived[] = {
    {"delta", "S", false,
     "state: {S: [H, d, d]}\n      step: {S: \"S + outer(k, beta * (h - k @ S))\"}\n      read: {y: h @ S}\n"},
    {"delta, the error in a step of its own", "S", false,
     "state: {S: {shape: [H, d, d], learned: true}}\n      step: {old: k @ S, u: beta * (h - old), S: \"S + outer(k, u)\"}\n      read: {y: h @ S + old}\n"},
    {"delta, multiplied out, other strengths", "S", false,
     "state: {S: [H, d, d]}\n      step: {S: \"S - 0.5 * beta * outer(k, k @ S) + outer(k, h) / 3\"}\n      read: {y: h @ S}\n"},
    {"gated delta", "S", false,
     "state: {S: [H, d, d]}\n      step: {G: a * S, S: \"G + outer(k, beta * (h - k @ G))\"}\n      read: {y: h @ S}\n"},
    {"gated delta, the error before the decay", "S", false,
     "state: {S: [H, d, d]}\n      step: {S: \"a * S + outer(k, beta * (h - k @ S))\"}\n      read: {y: h @ S}\n"},
    {"gated delta, the correction decays too", "S", false,
     "state: {S: [H, d, d]}\n      step: {S: \"a * (S - beta * outer(k, k @ S)) + beta * outer(k, h)\"}\n      read: {y: h @ S}\n"},
    {"read before the step, with a bonus", "S", true,
     "state: {S: [H, d, d]}\n      step: {S: \"a * S + outer(k, h)\"}\n      read: {y: \"h @ (prev(S) + outer(c * k, h))\"}\n"},
    {"rotating", "S", true,
     "state: {S: {shape: [H, d, d], init: 0.3}}\n      step: {S: \"0.9 * rotate(S, 1 / (1 + arange(d / 2))) + outer(k, h)\"}\n      read: {y: h @ S}\n"},
    {"two reads of one state", "S", true,
     "state: {S: [H, d, d]}\n      step: {S: \"(1 - a) * S + a * outer(k, h)\"}\n      read: {y: h @ S * sigmoid(k @ S)}\n"},
    {"reads of one number a head, and of what does not vary", "S", true,
     "state: {S: [H, d, d], n: [H, d]}\n      step: {S: \"a * S + outer(k, h)\", n: n + k}\n"
     "      read: {m: \"dot(h, n)\", e: 1 / (1 + arange(H)), y: h @ S * sigmoid(m) * e}\n"},
    {"a normaliser per channel", "S", true,
     "state: {S: [H, d, d], n: [H, d]}\n      step: {S: \"a * S + outer(k, h)\", n: a * n + k}\n      read: {y: \"(h @ S) / maximum(abs(dot(h, n)), 1)\"}\n"},
};
// Without heads, where rows and columns can be told apart by name.
const char* const kPlain =
    "    weights: {Wk: [D, dk], Wv: [D, dv], Wa: [D, dk]}\n    dims: {dk: 6, dv: 5}\n"
    "    let: {k: l2_norm(x @ Wk), v: x @ Wv, a: sigmoid(x @ Wa), q: x @ Wa}\n";
const Derived kPlains[] = {
    {"a decay per channel", "S", false,
     "state: {S: {shape: [dk, dv], init: 0.5}}\n      step: {S: \"a * S + outer(k, v)\"}\n      read: {y: q @ S}\n"},
    {"a decay per channel, the same at all positions", "S", false,
     "state: {S: [dk, dv]}\n      step: {S: \"S / (1 + arange(dk)) + (1 - a) * outer(k, v)\"}\n      read: {y: q @ S}\n"},
    {"a decay per channel with the delta rule", "S", false,
     "state: {S: [dk, dv]}\n      step: {G: a * S, S: \"G + outer(k, v - k @ G)\"}\n      read: {y: q @ S}\n"},
    {"transposed", "S", true,
     "state: {S: {shape: [dv, dk], learned: true}}\n      step: {S: \"0.9 * S + outer(v, k)\"}\n      read: {y: S @ q}\n"},
    {"transposed delta", "S", false,
     "state: {S: [dv, dk]}\n      step: {S: \"S + outer(v - k @ S^T, k)\"}\n      read: {y: \"dot(S, q)\"}\n"},
    {"keys that read another state", "S", true,
     "state: {S: [dk, dv], n: {shape: [dk], init: 1}}\n      step: {n: 0.9 * n + a, S: \"S + outer(k / n, v)\"}\n      read: {y: q @ S}\n"},
};
const Derived kElementwise[] = {
    {"a gate", "m", true,
     "state: {m: {shape: [D], learned: true}}\n      step: {m: \"(1 - sigmoid(x)) * m + sigmoid(x) * x\"}\n      read: {y: m}\n"},
    {"momentum", "w", true,
     "state: {m: [D], w: {shape: [D], init: 1}}\n      step: {m: 0.9 * m + x, w: \"0.99 * w - 0.1 * m\"}\n      read: {y: w * x}\n"},
    {"momentum, one step late", "w", true,
     "state: {m: {shape: [D], init: 0.3}, w: [D]}\n      step: {w: \"w - m\", m: 0.9 * m + x}\n      read: {y: w + m}\n"},
    {"a shift register", "c", true,
     "state: {a: [D], b: {shape: [D], init: 2}, c: [D]}\n      step: {c: \"b\", b: a, a: x}\n      read: {y: a + 2 * b + 3 * c}\n"},
    {"a shift register told by prev", "c", true,
     "state: {a: [D], c: [D]}\n      step: {a: x, c: \"prev(a)\"}\n      read: {y: a - c + prev(c)}\n"},
    {"a counter", "n", true, "state: {n: [], s: [D]}\n      step: {n: \"n + 1\", s: s + x}\n      read: {y: s / n}\n"},
    {"a scalar gate", "m", true,
     "state: {m: [D]}\n      step: {m: \"sigmoid(dot(x, x)) * m + x\"}\n      read: {y: m}\n"},
};

std::string described(const char* before, const Derived& d) {
  std::string out = "    out: y\n";
  if (before == kHeads) out = "    out: merge_heads(y)\n";
  if (before == kPlain) out = "    out: y @ Wo\n";
  std::string let = before;
  if (before == kPlain) let.replace(let.find("{Wk"), 1, "{Wo: [dv, D], ");
  return tests::around(let + "    recurrence:\n      over: T\n      " + d.text + out);
}

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

TEST_CASE("delta rules, decays per channel, rotations, element by element: what is derived is the loop") {
  const auto all = [](const char* before, std::span<const Derived> cases) {
    for (const Derived& d : cases) {
      CAPTURE(d.name);
      const std::string text = described(before, d), loop = sequential(text, d.state);
      for (const char* form : {"recurrent", "chunkwise", d.parallel ? "parallel" : "auto"}) {
        for (const i64 length : {1, 3, 35}) same_function(loop, text, length, form);
      }
    }
  };
  all(kHeads, kDerived);
  all(kPlain, kPlains);
  all("", kElementwise);
}

TEST_CASE("a form that does not exist is an error at the demand, with a note at the equation") {
  for (const auto& [before, cases] :
       {std::pair(kHeads, std::span<const Derived>(kDerived)), std::pair(kPlain, std::span<const Derived>(kPlains))}) {
    for (const Derived& c : cases) {
      CAPTURE(c.name);
      std::string text = described(before, c);
      text.insert(text.find("    out: "), "      forms: [chunkwise, parallel]\n");
      dsl::Diagnostics d;
      const bool built = tests::build(text, d) != nullptr;
      CAPTURE(d.render(false));
      CHECK(built == c.parallel);
      if (!c.parallel)
        CHECK(d.render(false).find("error[E0316]: the parallel form cannot be derived here") != std::string::npos);
    }
  }
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
  std::vector<std::string> models = {tests::std_file("retnet"), tests::std_file("transformer"),
                                     tests::std_file("treefold")};
  for (const char* recurrence : kRecurrences) models.push_back(tests::around(recurrence));
  for (const Derived& d : kDerived) models.push_back(described(kHeads, d));
  for (const Derived& d : kPlains) models.push_back(described(kPlain, d));
  for (const Derived& d : kElementwise) models.push_back(described("", d));
  models.push_back(
      tests::around("    weights: {w: {shape: [D, 3]}}\n    out: causal_conv(x, w) + shift(x, 2) * position()\n"
                    ""));
  models.push_back(
      tests::around("    recurrence:\n      over: T\n      state: {h: {shape: [D], learned: true}}\n"
                    "      step: {h: tanh(h + x)}\n      read: {y: h}\n    out: y\n"));
  for (const std::string& text : models) {
    CAPTURE(text);
    dsl::Diagnostics d;
    const auto model = tests::build(text, d, 16,
                                    text.find("layers:") == std::string::npos
                                        ? std::vector<std::string>{}
                                        : std::vector<std::string>{"params.D=16", "params.layers=2"});
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
  std::vector<std::string> models = {tests::std_file("retnet"),
                                     tests::std_file("transformer"),
                                     tests::std_file("treefold"),
                                     tests::around(kRecurrences[3]),
                                     tests::around("    out: softmax(x @ x^T, mask=causal_mask(T, T)) @ x\n"),
                                     tests::around("    out: (x @ x^T * decay_mask(0.9, T)) @ x\n"),
                                     tests::around("    out: cumsum(x, dim=T)\n")};
  for (const std::string& text : models) {
    CAPTURE(text);
    const auto model = tests::built(text);
    CHECK(!tests::sees_ahead(*model));
  }
}
