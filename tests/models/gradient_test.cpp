// `grad(f, S)`: the derived gradient against differences of the objective, the class of the rule it makes, and the same
// rule written by hand.
#include "tests/models/build.h"

using namespace weft;

namespace {

constexpr i64 kB = 2, kT = 5;

struct Objective {
  const char* name;
  const char* state;      // its shape
  const char* before;     // equations of the step above the update, each on a line of its own
  const char* objective;  // f
  const char* value;      // f where `grad` is more generous than an equation; else empty
  const char* gradient;   // by hand; empty: compared with differences alone
  const char* kind;       // the class of S - 0.3 * grad(f, S)
};

const char* const kMatrix = "[H, dk, dv]";
const char* const kVector = "[H, dk]";
const char* const kRow = "[n]";

const Objective kSix[] = {
    {"squared error: the delta rule", kMatrix, "", "0.5 * sum((k @ S - v) ^ 2, dim=dv)", "", "outer(k, k @ S - v)",
     "delta"},
    {"squared error with decay: the gated delta rule", kMatrix, "",
     "0.5 * sum((k @ S - v) ^ 2, dim=dv) + 0.5 * b * sum(S ^ 2)",
     "0.5 * sum((k @ S - v) ^ 2, dim=dv) + 0.5 * b * sum(sum(S ^ 2, dim=dv), dim=dk)", "outer(k, k @ S - v) + b * S",
     "gated delta"},
    {"inner product: the sum rule", kMatrix, "", "-dot(k @ S, v)", "", "-outer(k, v)", "sum"},
    {"inner product with decay", kMatrix, "", "-dot(k @ S, v) + 0.5 * b * sum(S ^ 2)",
     "-dot(k @ S, v) + 0.5 * b * sum(sum(S ^ 2, dim=dv), dim=dk)", "b * S - outer(k, v)", "decay"},
    {"logistic loss", kMatrix, "", "softplus(-b * dot(k @ S, v))", "", "-b * sigmoid(-b * dot(k @ S, v)) * outer(k, v)",
     "nonlinear"},
    {"a vector: the normalised least mean square", kVector, "", "0.5 * (dot(k, S) - b) ^ 2 / (1 + dot(k, k))", "",
     "(dot(k, S) - b) / (1 + dot(k, k)) * k", "dense affine"},
};

// One for each rule of differentiation.
const Objective kObjectives[] = {
    {"keys on the right", "[H, dv, dk]", "", "0.5 * sum((dot(S, k) - v) ^ 2, dim=dv)", "", "outer(dot(S, k) - v, k)",
     "delta"},
    {"transposed", "[H, dv, dk]", "", "0.5 * sum((k @ S^T - v) ^ 2, dim=dv)", "", "outer(k @ S^T - v, k)", "delta"},
    {"names of the step", kMatrix, "old: k @ S\n        err: old - v\n", "0.5 * dot(err, err)", "", "outer(k, err)",
     "delta"},
    {"a name that is read twice", kMatrix, "old: k @ S\n        p: tanh(old)\n        r: p * old\n",
     "sum(r * p, dim=dv)", "", "", "nonlinear"},
    {"mean", kMatrix, "", "mean((k @ S - v) ^ 2)", "mean((k @ S - v) ^ 2, dim=dv)", "2 * outer(k, k @ S - v) / dv",
     "delta"},
    {"an even cotangent", kMatrix, "", "sum(k @ S)", "sum(k @ S, dim=dv)", "outer(k, 0 * v + 1)", "sum"},
    {"the whole matrix", kMatrix, "", "sum(S * outer(k, v))", "sum(sum(S * outer(k, v), dim=dv), dim=dk)",
     "outer(k, v)", "sum"},
    {"outer of reads", kMatrix, "", "sum(outer(k @ S, k) * outer(v, k))",
     "sum(sum(outer(k @ S, k) * outer(v, k), dim=dk), dim=dv)", "", "sum"},
    {"reads of both sides", kMatrix, "", "dot(k @ S, v) * dot(k @ tanh(S), v)", "", "", "nonlinear"},
    {"a matrix times the state", kMatrix, "", "sum((S @ M) ^ 2)", "sum(sum((S @ M) ^ 2, dim=n), dim=dk)",
     "2 * (S @ M) @ M^T", "dense affine"},
    {"the state times itself", kMatrix, "", "sum((S^T @ S) ^ 2)", "sum(sum((S^T @ S) ^ 2, dim=-1), dim=-1)", "",
     "nonlinear"},
    {"inner products of rows", kMatrix, "", "sum(dot(S, S) ^ 2)", "sum(dot(S, S) ^ 2, dim=dk)", "4 * dot(S, S) * S",
     "nonlinear"},
    {"powers", kMatrix, "", "sum((1 + S * S) ^ 1.5) + sum((2 + tanh(S)) ^ b)",
     "sum(sum((1 + S * S) ^ 1.5 + (2 + tanh(S)) ^ b, dim=dv), dim=dk)", "", "nonlinear"},
    {"quotients", kMatrix, "", "dot(k @ S, v) / (2 + dot(k @ S, k @ S))", "", "", "nonlinear"},
    {"functions of elements", kMatrix, "",
     "sum(exp(S) + log(1.5 + sigmoid(S)) + log1p(S * S) + reciprocal(2 + square(S)) + sqrt(1 + S * S) + rsqrt(1 + S * S))",
     "sum(sum(exp(S) + log(1.5 + sigmoid(S)) + log1p(S * S) + reciprocal(2 + square(S)) + sqrt(1 + S * S) + rsqrt(1 + S * S), dim=dv), dim=dk)",
     "", "nonlinear"},
    {"more functions of elements", kMatrix, "",
     "sum(relu(S) * softplus(S) + log_sigmoid(S) + abs(S) + sin(S) * cos(2 * S) + swish(S) + tanh(S))",
     "sum(sum(relu(S) * softplus(S) + log_sigmoid(S) + abs(S) + sin(S) * cos(2 * S) + swish(S) + tanh(S), dim=dv), dim=dk)",
     "", "nonlinear"},
    {"the larger, the smaller", kMatrix, "", "sum(maximum(k @ S, v) - minimum(2 * (k @ S), b))",
     "sum(maximum(k @ S, v) - minimum(2 * (k @ S), b), dim=dv)", "", "nonlinear"},
    {"a vector by itself", kRow, "", "0.5 * dot(S - x, S - x)", "", "S - x", "elementwise"},
    {"a vector behind a matrix", kRow, "", "0.5 * sum((A @ (S - x)) ^ 2)", "0.5 * sum((A @ (S - x)) ^ 2, dim=m)",
     "(A @ (S - x)) @ A", "dense affine"},
    {"a vector before a matrix", kRow, "", "0.5 * sum(((S - x) @ A^T) ^ 2)", "0.5 * sum(((S - x) @ A^T) ^ 2, dim=m)",
     "((S - x) @ A^T) @ A", "dense affine"},
    {"broadcast over heads", kRow, "", "dot(S, x) * sum(b, dim=H) + sum(b * dot(S, S), dim=H)", "",
     "(x + 2 * S) * sum(b, dim=H)", "elementwise"},
};

std::string text(const Objective& c, const std::string& update, const std::string& read) {
  return "schema: 1\ndefs:\n  f:\n    in: {k: [H, T, dk], v: [H, T, dv], b: [H, T], x: [T, n], M: [dv, n], A: [m, n]}\n"
         "    recurrence:\n      over: T\n      state: {S: " +
         std::string(c.state) + "}\n      step:\n        " + (*c.before ? c.before + std::string("        ") : "") +
         "S: " + update + "\n      read:\n        y: " + read + "\n    out: y\nmodel: [{embed: {width: 2}}]\n";
}

using Tensors = dsl::Function::Tensors;

Tensor numbers(const std::string& name, const Shape& shape) {
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.7 * normal(Key{11}.fold(name), i);
  return Tensor::from(values, shape, DType::f64);
}

Tensors inputs(i64 length, const std::string& state) {
  const i64 H = 2, dk = 3, dv = 4, n = 5, m = 2;
  Tensors t = {{"k", numbers("k", {kB, H, length, dk})}, {"v", numbers("v", {kB, H, length, dv})},
               {"b", numbers("b", {kB, H, length})},     {"x", numbers("x", {kB, length, n})},
               {"M", numbers("M", {kB, dv, n})},         {"A", numbers("A", {kB, m, n})}};
  const Shape shape = state == kMatrix   ? Shape{kB, H, dk, dv}
                      : state == kVector ? Shape{kB, H, dk}
                      : state == kRow    ? Shape{kB, n}
                                         : Shape{kB, H, dv, dk};
  t["initial.S"] = numbers("S", shape);
  return t;
}

struct Computed {
  std::string kind;
  std::map<std::string, Tensor> results;
};

Computed compute(const std::string& description, const Tensors& given, bool gradients = false) {
  CAPTURE(description);
  dsl::Diagnostics d;
  const dsl::Description whole(dsl::make_source("test.yaml", description), {}, tests::surroundings(), d);
  dsl::Asked asked{.def = "f", .with_tensors = true, .gradients = gradients};
  for (const auto& [name, tensor] : given) asked.given[name] = tensor.shape();
  const auto f = whole.function(asked, 16, d);
  CAPTURE(d.render(false));
  REQUIRE(f);
  CHECK(f->faults(given) == "");
  Computed all;
  const Runtime runtime({.parallel = "serial"});
  for (auto& [name, tensor] : (*f)(runtime, DType::f64, {}, given)) all.results[name] = tensor;
  asked.explain = true;
  dsl::Diagnostics quiet;
  const auto explained = whole.function(asked, 16, quiet);
  REQUIRE(explained);
  all.kind = explained->recurrences().at(0).states.at(0).kind;
  return all;
}

double total(const Tensor& t) {
  double sum = 0;
  for (i64 i = 0; i < t.size(); ++i) sum += t.at(i);
  return sum;
}

Tensor moved(const Tensor& t, i64 at, double by) {
  std::vector<double> values;
  for (i64 i = 0; i < t.size(); ++i) values.push_back(t.at(i) + (i == at ? by : 0));
  return Tensor::from(values, t.shape(), DType::f64);
}

// S - (S - grad f) against central differences of f, which is read from a state that stays.
void equals_differences(const Objective& c) {
  const std::string name = c.name;
  CAPTURE(name);
  const Tensors given = inputs(1, c.state);
  const Tensor S = given.at("initial.S");
  const std::string read = std::string(c.state) == kRow ? "x" : "b";
  const Tensor after =
      compute(text(c, "S - grad(" + std::string(c.objective) + ", S)", read), given).results.at("final.S");
  const std::string value = *c.value ? c.value : c.objective;
  const std::string fixed = text(c, "1 * S", value + " + 0 * " + (read == "x" ? "dot(x, x)" : "b"));
  dsl::Diagnostics d;
  const dsl::Description whole(dsl::make_source("test.yaml", fixed), {}, tests::surroundings(), d);
  dsl::Asked asked{.def = "f", .with_tensors = true};
  for (const auto& [input, tensor] : given) asked.given[input] = tensor.shape();
  const auto f = whole.function(asked, 16, d);
  CAPTURE(d.render(false));
  REQUIRE(f);
  const Runtime runtime({.parallel = "serial"});
  const auto at = [&](i64 i, double by) {
    Tensors moved_inputs = given;
    moved_inputs["initial.S"] = moved(S, i, by);
    return total((*f)(runtime, DType::f64, {}, moved_inputs).at(0).second);
  };
  double worst = 0, size = 1e-3;
  for (i64 i = 0; i < S.size(); ++i) {
    // Two steps and Richardson's extrapolation: the error is h^4, 1e-12, beside the 1e-16 / h of rounding.
    constexpr double h = 1e-3;
    const double one = (at(i, h) - at(i, -h)) / (2 * h), two = (at(i, 2 * h) - at(i, -2 * h)) / (4 * h);
    const double slope = (4 * one - two) / 3, derived = S.at(i) - after.at(i);
    worst = std::max(worst, std::abs(slope - derived));
    size = std::max(size, std::abs(slope));
  }
  CHECK(worst / size < 1e-7);
}

// Values, final states and gradients of the derived rule and the one by hand.
void equals_hand(const Objective& c) {
  const std::string name = c.name;
  CAPTURE(name);
  const std::string read = std::string(c.state) == kMatrix         ? "k @ S"
                           : std::string(c.state) == "[H, dv, dk]" ? "dot(S, k)"
                                                                   : "S * 2";
  const Tensors given = inputs(kT, c.state);
  const auto rule = [&](const std::string& gradient) {
    return compute(text(c, "S - 0.3 * (" + gradient + ")", read), given, true);
  };
  const Computed derived = rule("grad(" + std::string(c.objective) + ", S)");
  CHECK(derived.kind == c.kind);
  if (!*c.gradient) return;
  const Computed hand = rule(c.gradient);
  CHECK(hand.kind == derived.kind);
  REQUIRE(hand.results.size() == derived.results.size());
  for (const auto& [output, tensor] : hand.results) {
    CAPTURE(output);
    CHECK(tests::distance(tensor, derived.results.at(output)) < 1e-12);
  }
}

}  // namespace

TEST_CASE("the gradients of six objectives are their differences") {
  for (const Objective& c : kSix) equals_differences(c);
}

TEST_CASE("a rule told by its objective has the class and the values of the same rule written out") {
  for (const Objective& c : kSix) equals_hand(c);
}

TEST_CASE("every rule of differentiation gives the differences of its objective") {
  for (const Objective& c : kObjectives) {
    equals_differences(c);
    equals_hand(c);
  }
}

TEST_CASE("what the step assigned above the gradient is followed, and told by prev where it must") {
  const auto loss = [](const std::string& step) {
    const auto model = tests::built(tests::around(
        "    recurrence:\n      over: T\n      state: {S: [D, D], m: {shape: [D], init: 0.3}}\n      step:\n" + step +
        "      read: {y: x @ S + m}\n    out: y\n"));
    return tests::step(*model, tests::random_weights(*model), tests::batch(2, 9)).loss;
  };
  const auto same = [&](const std::string& above, const std::string& objective, const std::string& gradient) {
    const auto with = [&](const std::string& g) { return loss(above + "        S: 0.9 * S - 0.1 * " + g + "\n"); };
    CAPTURE(objective);
    CHECK(with("grad(" + objective + ", S)") == doctest::Approx(with(gradient)).epsilon(1e-13));
  };
  // m is new in the objective, and reads S
  same("        m: 0.5 * m + x @ S\n", "0.5 * dot(m, m)", "outer(x, m)");
  // a was made with the m before the step
  same("        a: m * (x @ S)\n        m: 0.5 * m + x\n", "sum(a * m, dim=D)", "outer(x, m * prev(m))");
  // what stands behind stop_gradient is constant
  same("        m: 0.5 * m + x\n", "dot(x @ S, stop_gradient(tanh(x @ S)) - m)", "outer(x, tanh(x @ S) - m)");
}

TEST_CASE("a gradient whose parts do not combine is an error, not another gradient") {
  // 2 * c * S with c [D] of the rows: the names of S [D, D] do not say which D is meant.
  dsl::Diagnostics d;
  const std::string text = tests::around(
      "    recurrence:\n      over: T\n      state: {S: [D, D]}\n      step: {S: \"S - grad(dot(x, dot(S, S)), S)\"}\n"
      "      read: {y: x @ S}\n    out: y\n");
  CHECK(!tests::build(text, d));
  CHECK(d.render(false).find("error[E0320]: `dot(x, dot(S, S))` cannot be differentiated here") != std::string::npos);
  CHECK(d.render(false).find("do not combine by the names of their dimensions") != std::string::npos);
}

TEST_CASE("a gradient that grows without end is refused, not written") {
  std::string step = "        p0: k @ S\n";
  for (int i = 1; i < 40; ++i) step += fmt::format("        p{0}: tanh(p{1}) * p{1}\n", i, i - 1);
  const Objective c{"", kMatrix, "", "sum(p39)", "", "", ""};
  std::string whole = text(c, "S - grad(sum(p39), S)", "b");
  whole.insert(whole.find("        S: "), step);
  dsl::Diagnostics d;
  const dsl::Description description(dsl::make_source("test.yaml", whole), {}, tests::surroundings(), d);
  dsl::Asked asked{.def = "f", .with_tensors = true};
  for (const auto& [name, tensor] : inputs(1, kMatrix)) asked.given[name] = tensor.shape();
  CHECK(!description.function(asked, 16, d));
  CHECK(d.render(false).find("its gradient has more than 1000 parts") != std::string::npos);
}
