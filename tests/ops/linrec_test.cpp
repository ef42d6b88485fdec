// Linear recurrences: the loop of the definition, and every form against the recurrent one.
#include "ops/linrec.h"

#include "engine/gradcheck.h"
#include "tests/ops/differences.h"

using namespace weft;
using namespace weft::tests;

namespace {

struct Case {
  const char* name;
  Shape decay, beta;  // {-1}: absent
  bool erase = false, initial = true, keys_of_length_one = false;
  const char *read = "after", *error = "decayed";
  Shape lead = {2};
  i64 K = 5, V = 3;
};

constexpr i64 kT = -7;  // stands for the length in the shapes of a case
const Shape kNone = {-1};
const Case kCases[] = {
    {"sum", kNone, kNone},
    {"one decay", {2, 1, 1}, kNone},
    {"decay of the data", {2, kT, 1}, kNone},
    {"decay, read before", {kT, 1}, kNone, false, true, false, "before"},
    {"per channel", {2, kT, 5}, kNone},
    {"one per channel, from zeros", {1, 5}, kNone, false, false},
    {"per channel, read before", {2, kT, 5}, kNone, false, true, false, "before"},
    {"delta", kNone, {2, kT}, false, true, true},
    {"delta with an eraser", kNone, kNone, true, true, true},
    {"gated delta", {2, kT, 1}, {2, kT}, false, true, true},
    {"gated delta, error before", {2, kT, 1}, {kT}, false, true, true, "after", "before"},
    {"all of it, read before", {2, kT, 1}, {2, 1}, true, true, true, "before", "before"},
    {"gated delta per channel", {2, kT, 5}, {2, kT}, true, true, true},
    {"few heads, many columns", {1, kT, 1}, {1, kT}, false, true, true, "after", "decayed", {1}, 4, 130},
};

Shape filled(Shape shape, i64 length) {
  std::ranges::replace(shape, kT, length);
  return shape;
}

// Decays in 0 .. 1 and beta in 0 .. 2, with the exact values at which quotients and logarithms break.
Tensor gates(const Shape& shape, u64 seed, double high) {
  std::vector<double> values = numbers(random(shape, seed));
  const double special[] = {0, high, 1, 1e-6};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const u64 dice = bits(Key{seed}.fold("special"), i) % 12;
    values[i] = dice < 4 ? special[dice] : high * (0.5 + 0.5 * values[i]);
  }
  return Tensor::from(values, shape, DType::f64);
}
Tensor unit_rows(const Tensor& x) {
  std::vector<double> values = numbers(x);
  const std::size_t K = static_cast<std::size_t>(x.shape().back());
  for (std::size_t r = 0; r < values.size(); r += K) {
    double square = 0;
    for (std::size_t i = 0; i < K; ++i) square += values[r + i] * values[r + i];
    for (std::size_t i = 0; i < K; ++i) values[r + i] /= std::sqrt(square);
  }
  return Tensor::from(values, x.shape(), DType::f64);
}

Application application(const Case& c, i64 length, const char* form, i64 chunk) {
  const Op& op = row<ops::Linrec>();
  Application a{&op,
                op.complete({{"form", std::string(form)},
                             {"chunk", chunk},
                             {"read", std::string(c.read)},
                             {"error", std::string(c.error)}}),
                {},
                {}};
  const auto wide = [&](std::initializer_list<i64> core) {
    Shape s = c.lead;
    s.insert(s.end(), core);
    return s;
  };
  const auto key = [&](u64 seed) {
    const Tensor x = random(wide({length, c.K}), seed);
    return c.keys_of_length_one ? unit_rows(x) : x;
  };
  a.inputs = {random(wide({length, c.K}), 1),
              key(2),
              random(wide({length, c.V}), 3),
              c.decay == kNone ? Tensor() : gates(filled(c.decay, length), 4, 1),
              c.beta == kNone ? Tensor() : gates(filled(c.beta, length), 5, 2),
              c.initial ? random(wide({c.K, c.V}), 6) : Tensor(),
              c.erase ? key(7) : Tensor()};
  return a;
}

std::vector<Tensor> values(const Application& a, DType dtype = DType::f64) {
  Evaluation e = evaluate(runtime(), dtype, a);
  for (std::size_t i = 0; i < a.inputs.size(); ++i) {
    if (a.takes_gradient(i)) e.outputs.push_back(e.gradients[i]);
  }
  return e.outputs;
}

std::vector<Tensor> outputs(const Application& a) {
  return evaluate(runtime(), DType::f64, a, {.gradients = false}).outputs;
}

// Relative to the largest element of the tensor.
double relative(const Tensor& a, const Tensor& b) {
  if (!a || !b) return bool(a) == bool(b) ? 0 : HUGE_VAL;
  double worst = 0, size = 1e-300;
  for (i64 i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a.at(i) - b.at(i))) return HUGE_VAL;
    worst = std::max(worst, std::abs(a.at(i) - b.at(i)));
    size = std::max(size, std::abs(b.at(i)));
  }
  return worst / size;
}

// The definition, written down: y and the final state of lead index `n`.
struct Loop {
  std::vector<double> y, S;
};
Loop loop(const Case& c, const Application& a, i64 length, i64 n) {
  const i64 K = c.K, V = c.V;
  // Element x of position t of input `i`, which has `steps` positions of `width` elements and may lack the lead index.
  const auto at = [&](std::size_t i, i64 t, i64 x, i64 steps, i64 width) {
    const bool shared = a.inputs[i].size() == steps * width;
    return a.inputs[i].at(((shared ? 0 : n * steps) + (steps > 1 ? t : 0)) * width + (width > 1 ? x : 0));
  };
  const auto decay = [&](i64 t, i64 x) {
    if (!a.inputs[3]) return 1.0;
    const Shape& s = a.inputs[3].shape();
    return at(3, t, x, s[s.size() - 2], s.back());
  };
  Loop l{{}, std::vector<double>(static_cast<std::size_t>(K * V), 0)};
  for (i64 i = 0; c.initial && i < K * V; ++i) l.S[static_cast<std::size_t>(i)] = a.inputs[5].at(n * K * V + i);
  for (i64 t = 0; t < length; ++t) {
    const std::vector<double> before = l.S;
    std::vector<double> u(static_cast<std::size_t>(V)), y(u);
    const auto S = [&](const std::vector<double>& s, i64 x, i64 j) { return s[static_cast<std::size_t>(x * V + j)]; };
    for (i64 j = 0; j < V; ++j) {
      double value = at(2, t, j, length, V);
      if (a.inputs[4] || a.inputs[6]) {
        for (i64 x = 0; x < K; ++x) {
          const double weight = c.error == std::string("before") ? 1 : decay(t, x);
          value -= at(a.inputs[6] ? 6 : 1, t, x, length, K) * weight * S(before, x, j);
        }
        if (a.inputs[4]) value *= at(4, t, 0, a.inputs[4].shape().back(), 1);
      }
      u[static_cast<std::size_t>(j)] = value;
    }
    for (i64 x = 0; x < K; ++x) {
      for (i64 j = 0; j < V; ++j) {
        l.S[static_cast<std::size_t>(x * V + j)] =
            decay(t, x) * S(before, x, j) + at(1, t, x, length, K) * u[static_cast<std::size_t>(j)];
        y[static_cast<std::size_t>(j)] +=
            at(0, t, x, length, K) * S(c.read == std::string("before") ? before : l.S, x, j);
      }
    }
    l.y.insert(l.y.end(), y.begin(), y.end());
  }
  return l;
}

}  // namespace

TEST_CASE("a linear recurrence is the loop of its definition") {
  for (const Case& c : kCases) {
    CAPTURE(c.name);
    for (const char* form : {"recurrent", "chunkwise"}) {
      const Application a = application(c, 11, form, 4);
      const auto found = outputs(a);
      for (i64 n = 0; n < c.lead[0]; ++n) {
        const Loop expected = loop(c, a, 11, n);
        double worst = 0;
        for (i64 i = 0; i < 11 * c.V; ++i)
          worst = std::max(worst, std::abs(found[0].at(n * 11 * c.V + i) - expected.y[static_cast<std::size_t>(i)]));
        for (i64 i = 0; i < c.K * c.V; ++i)
          worst = std::max(worst, std::abs(found[1].at(n * c.K * c.V + i) - expected.S[static_cast<std::size_t>(i)]));
        CHECK(worst < 1e-12);  // sums of some dozen terms near 1
      }
    }
  }
}

TEST_CASE("every form gives the outputs, the state and all gradients of the recurrent one") {
  constexpr i64 C = 8;
  for (const Case& c : kCases) {
    CAPTURE(c.name);
    for (const i64 length : {i64{1}, C - 1, C, C + 1, 2 * C + 7}) {
      CAPTURE(length);
      const auto expected = values(application(c, length, "recurrent", 5));
      for (const char* form : {"auto", "chunkwise", "parallel"}) {
        CAPTURE(form);
        const Application a = application(c, length, form, C);
        const auto exact = values(a), single = values(a, DType::f32);
        for (std::size_t i = 0; i < expected.size(); ++i) {
          CAPTURE(i);
          CHECK(relative(exact[i], expected[i]) <= 1e-10);
          CHECK(relative(single[i], expected[i]) <= 1e-4);
        }
      }
    }
  }
}

TEST_CASE("the recurrent form has the gradients of differences") {
  for (const Case& c : kCases) {
    if (c.V > 8) continue;
    CAPTURE(c.name);
    const GradientCheck g = check_gradients(runtime(), application(c, 6, "recurrent", 4));
    CAPTURE(g.where);
    CHECK(g.worst < 1e-7);
  }
}

TEST_CASE("long sequences under any decay stay exact in single precision, and finite") {
  for (const double a : {1e-6, 1e-3, 0.5, 0.97, 0.9999}) {
    CAPTURE(a);
    for (const bool by_channel : {false, true}) {
      for (const bool delta : {false, true}) {
        Case c{"long", by_channel ? Shape{1, 5} : Shape{1, 1}, delta ? Shape{kT} : kNone, false, true, true};
        Application exact = application(c, 3000, "recurrent", 0), single = application(c, 3000, "auto", 0);
        for (Application* x : {&exact, &single}) {
          std::vector<double> decays(by_channel ? 5 : 1, a);
          if (by_channel) decays = {a, 1, 0, 0.9, a};
          x->inputs[3] = Tensor::from(decays, c.decay, DType::f64);
        }
        const auto p = values(exact), q = values(single, DType::f32);
        for (std::size_t i = 0; i < p.size(); ++i) {
          CAPTURE(i);
          CHECK(relative(q[i], p[i]) <= 1e-4);
        }
      }
    }
  }
}

TEST_CASE("a gated delta rule whose gate is one is the delta rule, and one that never writes keeps its state") {
  const Case delta{"delta", kNone, {kT}, false, true, true};
  Application plain = application(delta, 9, "chunkwise", 4), gated = plain;
  gated.inputs[3] = Tensor::full({1, 1}, 1, DType::f64);
  const auto x = outputs(plain), y = outputs(gated);
  CHECK(same_bits(x[0], y[0]));
  plain.inputs[4] = Tensor::zeros({9}, DType::f64);
  CHECK(same_bits(outputs(plain)[1], plain.inputs[5]));
}
