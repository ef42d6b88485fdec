// Which class the classifier finds for a state, however its update is written.
#include "dsl/classify.h"

#include "tests/dsl/front.h"

using namespace weft;
using namespace weft::dsl;

namespace {

struct Variant {
  const char* states;
  const char* step;
  const char* classes;  // in the order of declaration
};

const char* const kMatrix = "S: [H, dk, dv]";

// `equations` as inside `{...}`, or a block that begins with a new line.
std::string classes_of(const char* states, const std::string& equations, std::string* reason = nullptr) {
  const std::string step = equations.starts_with("\n") ? equations : "{" + equations + "}";
  Diagnostics d;
  const std::string text =
      std::string("schema: 1\ndefs:\n  f:\n    in: {x: [T, D]}\n    recurrence:\n      over: T\n      state: {") +
      states + "}\n      step: " + step + "\n      read: {y: x}\n    out: y\nmodel: [f]\n";
  const File file = parse_file(make_source("test.yaml", text), d);
  INFO(d.render(false));
  REQUIRE(!d.has_errors());
  REQUIRE(file.defs.size() == 1);
  REQUIRE(file.defs[0].recurrence);
  std::string all;
  for (const StateForm& f : classify(*file.defs[0].recurrence)) {
    all += (all.empty() ? "" : ", ") + std::string(name(f.kind));
    if (reason) *reason = f.reason;
  }
  return all;
}

const Variant kVariants[] = {
    // sums
    {kMatrix, R"-(S: "S + outer(k, v)")-", "sum"},
    {kMatrix, R"-(S: "outer(k, v) + S")-", "sum"},
    {kMatrix, R"-(S: "S + B - C")-", "sum"},
    {kMatrix, R"-(S: "-(-S) + outer(k, v)")-", "sum"},
    {kMatrix, R"-(S: "prev(S) + outer(k, v)")-", "sum"},
    {kMatrix, R"-(kv: "outer(k, v)", S: S + kv)-", "sum"},
    {kMatrix, R"-(old: S, S: "old + 0.5 * outer(k, v) / n")-", "sum"},
    {"n: [dk]", "n: n + k", "sum"},
    // decays
    {kMatrix, R"-(S: "a * S + outer(k, v)")-", "decay"},
    {kMatrix, R"-(S: "(1 - g) * S + g * outer(k, v)")-", "decay"},
    {kMatrix, R"-(S: "S / z + outer(k, v)")-", "decay"},
    {kMatrix, R"-(S: "S - g * S + outer(k, v)")-", "decay"},
    {kMatrix, R"-(S: "S + S + outer(k, v)")-", "decay"},
    {kMatrix, R"-(S: "a * (b * S + outer(k, v))")-", "decay"},
    {kMatrix, R"-(G: a * S, S: "G * b + outer(k, v)")-", "decay"},
    {kMatrix, R"-(S: "g * outer(k, v) - (g - 1) * S")-", "decay"},
    {kMatrix, R"-(S: "a * S + outer(v, k)^T")-", "decay"},
    {kMatrix, R"-(S: "-S + outer(k, v)")-", "decay"},
    // element by element
    {"h: [D]", R"-(h: "(1 - g) * h + g * b")-", "elementwise"},
    {"h: [D]", R"-(h: "h + g * (b - h)")-", "elementwise"},
    {"h: []", R"-(h: "h / 2 + 1")-", "elementwise"},
    {kMatrix, R"-(S: "a * S + B")-", "elementwise"},
    // what is not used again
    {kMatrix, R"-(S: "outer(k, v)")-", "constant"},
    {"a: [D], b: [D]", "b: a, a: x", "constant, constant"},
    {"a: [D], b: [D]", "a: x, b: prev(a)", "constant, constant"},
    // rotations
    {kMatrix, R"-(S: "gamma * rotate(S, theta) + outer(k, v)")-", "rotating decay"},
    {kMatrix, R"-(S: "rotate(gamma * S, theta) + outer(k, v)")-", "rotating decay"},
    // the delta rule
    {kMatrix, R"-(S: "S + outer(k, beta * (v - k @ S))")-", "delta"},
    {kMatrix, R"-(S: "S - beta * outer(k, k @ S) + beta * outer(k, v)")-", "delta"},
    {kMatrix, R"-(old: k @ S, S: "S + outer(k, beta * (v - old))")-", "delta"},
    {kMatrix, R"-(old: k @ S, u: beta * (v - old), S: "S + outer(k, u)")-", "delta"},
    {kMatrix, R"-(S: "S + outer(beta * k, v) - outer(beta * k, k @ S)")-", "delta"},
    {"S: [dv, dk]", R"-(S: "S + outer(beta * (v - S @ k), k)")-", "delta"},
    {"S: [dv, dk]", R"-(S: "S + outer(beta * (v - k @ S^T), k)")-", "delta"},
    {"S: [H, dv, dk]", R"-(S: "S + outer(beta * (v - dot(S, k)), k)")-", "delta"},
    {kMatrix, R"-(G: a * S, S: "G + outer(k, beta * (v - k @ G))")-", "gated delta"},
    {kMatrix, R"-(S: "a * S + outer(k, beta * (v - k @ S))")-", "gated delta"},
    {kMatrix, R"-(S: "a * S + outer(k, beta * (v - k @ (a * S)))")-", "gated delta"},
    {kMatrix, R"-(S: "a * (S - beta * outer(k, k @ S)) + beta * outer(k, v)")-", "gated delta"},
    // matrices in front of the state
    {"h: [D]", "h: h @ W + x", "dense affine"},
    {"S: [dk, dv]", R"-(S: "A @ S + outer(k, v)")-", "dense affine"},
    {"S: [D, D]", R"-(S: "S + S^T + outer(k, v)")-", "dense affine"},
    // what is not linear
    {kMatrix, R"-(S: "tanh(S) + outer(k, v)")-", "nonlinear"},
    {kMatrix, R"-(S: "S * S")-", "nonlinear"},
    {kMatrix, R"-(S: "S / (1 + S)")-", "nonlinear"},
    {kMatrix, R"-(S: "1 / S + outer(k, v)")-", "nonlinear"},
    {kMatrix, R"-(S: "S ^ 2")-", "nonlinear"},
    {kMatrix, R"-(z: sigmoid(S), S: "S / z + outer(k, v)")-", "nonlinear"},
    {kMatrix, R"-(S: "outer(k @ S, k @ S)")-", "nonlinear"},
    {"h: [D]", R"-(h: "maximum(h, x)")-", "nonlinear"},
    // systems
    {"m: [D], w: [D]", R"-(m: 0.9 * m + x, w: w - m)-", "elementwise, sum"},
    {"S: [dk, dv], n: [dk]", R"-(n: n + k, S: "S + outer(k / (1 + n), v)")-", "sum, sum"},
    {"W: [dk, dv], M: [dk, dv]", R"-(M: "a * M + outer(k, v - k @ W)", W: W + M)-", "system, system"},
    {"a: [D], b: [D], c: [D]", "a: a + b, b: b + c, c: c + a", "system, system, system"},
    {"h: [D], m: [D]", R"-(h: tanh(h), m: 0.5 * m + h)-", "nonlinear, elementwise"},
};

}  // namespace

TEST_CASE("the class of a state does not depend on how its update is written") {
  for (const Variant& v : kVariants) {
    CAPTURE(v.states);
    CAPTURE(v.step);
    CHECK(classes_of(v.states, v.step) == v.classes);
  }
}

TEST_CASE("what is not linear is told with its part of the equation") {
  std::string reason;
  classes_of(kMatrix, R"-(S: "a * S + tanh(k @ S)")-", &reason);
  CHECK(reason == "`tanh(k @ S)` is not linear in `S`");
  classes_of("m: [D], w: [D]", "m: m + w, w: w - m", &reason);
  CHECK(reason == "`w` and `m` read each other");
}

TEST_CASE("names that read two others each are looked at once, not 2^60 times") {
  const auto chain = [](const std::string& first, const char* op, const std::string& update) {
    std::string step = "\n        p0: " + first + "\n        p1: " + first + "\n";
    for (int i = 2; i < 60; ++i) step += fmt::format("        p{}: p{} {} p{}\n", i, i - 1, op, i - 2);
    return step + "        S: " + update;
  };
  std::string reason;
  CHECK(classes_of(kMatrix, chain("sigmoid(k)", "*", "S + outer(p59, v)")) == "sum");
  CHECK(classes_of(kMatrix, chain("k @ S", "*", "S + outer(k, p59)")) == "nonlinear");
  CHECK(classes_of(kMatrix, chain("k @ S", "+", "S + outer(k, p59)"), &reason) == "dense affine");
  CHECK(reason == "the update of `S` has more than 256 terms");
}
