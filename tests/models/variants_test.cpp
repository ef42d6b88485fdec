// A rule has its forms however it is written: each way is derived, and is the same function as the first.
#include "tests/models/build.h"

using namespace weft;

namespace {

struct Rule {
  const char* name;
  const char* state;
  const char* read;
  std::vector<const char*> ways;  // steps; the first is the one that papers print
};

const Rule kRules[] = {
    {"sum",
     "S: [H, d, d]",
     "h @ S",
     {"S: S + outer(k, h)", "S: prev(S) + outer(k, h)", "S: -(-S) + outer(k, h)", "S: (S^T + outer(h, k))^T",
      "S: S + outer(-k, -h)", "S: S + 2 * outer(k, h) - outer(k, h)", "S: S + outer(0.5 * k, h) + outer(k, h / 2)",
      "old: S\n        S: old + outer(k, h)", "kv: outer(k, h)\n        S: S + kv"}},
    {"decay",
     "S: [H, d, d]",
     "h @ S",
     {"S: a * S + outer(k, h)", "S: outer(k, h) + S * a", "S: S - (1 - a) * S + outer(k, h)",
      "S: a * (S + outer(k, h) / a)", "S: (a * S^T + outer(h, k))^T", "S: S * (2 * a) / 2 + outer(k, h)",
      "S: S / (1 / a) + outer(k, h)", "S: sqrt(a) * (sqrt(a) * S) + outer(k, h)",
      "S: a * S + outer(k, h) * (1 - 0.5) + 0.5 * outer(k, h)"}},
    {"a gate",
     "S: [H, d, d]",
     "h @ S",
     {"S: (1 - a) * S + a * outer(k, h)", "S: S + a * (outer(k, h) - S)", "S: S - a * (S - outer(k, h))",
      "S: a * outer(k, h) - (a - 1) * S", "B: outer(k, h)\n        S: (1 - a) * S + a * B",
      "S: S - a * S + outer(a * k, h)"}},
    {"delta",
     "S: [H, d, d]",
     "h @ S",
     {"S: S + outer(k, beta * (h - k @ S))", "S: S - beta * outer(k, k @ S) + beta * outer(k, h)",
      "S: S - outer(beta * k, k @ S - h)", "S: S - beta * outer(k, k @ S - h)", "S: S + outer(k * beta, h - k @ S)",
      "S: S + outer(k, beta * h) - outer(k, beta * (k @ S))", "S: S - beta * (outer(k, k @ S) - outer(k, h))",
      "S: S + outer(k, beta * (h - dot(S^T, k)))", "S: S + outer(k, beta * (h - k @ prev(S)))",
      "S: S + outer(beta * (h - k @ S), k)^T", "S: S - outer(k, beta * (k @ S)) + outer(beta * k, h)",
      "S: S + outer(k, (h - k @ S) * beta)", "S: S + outer(k, h * beta - beta * (k @ S))",
      "S: S + outer(k, (h - k @ S) / (1 / beta))", "S: S - outer(k, (beta * k) @ S) + outer(k, beta * h)",
      "S: S + outer(k, beta1 * (h - k @ S))", "S: S - grad(0.5 * beta * sum((k @ S - h) ^ 2), S)",
      "old: k @ S\n        u: beta * (h - old)\n        S: S + outer(k, u)"}},
    {"gated delta",
     "S: [H, d, d]",
     "h @ S",
     {"G: a * S\n        S: G + outer(k, beta * (h - k @ G))", "S: a * S + outer(k, beta * (h - k @ (a * S)))",
      "S: a * S + outer(k, beta * (h - a * (k @ S)))", "S: a * (S - beta * outer(k, k @ S)) + beta * outer(k, h)",
      "S: a * S - a * beta * outer(k, k @ S) + beta * outer(k, h)",
      "S: a * S + outer(k, beta * h) - outer(k, beta * ((a * k) @ S))",
      "G: a * S\n        S: G - beta * grad(0.5 * sum((k @ G - h) ^ 2), S) / a"}},
    {"transposed delta",
     "S: [H, d, d]",
     "dot(S, h)",
     {"S: S + outer(beta * (h - dot(S, k)), k)", "S: S + beta * outer(h - dot(S, k), k)",
      "S: S - outer(dot(S, beta * k), k) + outer(beta * h, k)", "S: S + outer(k, beta * (h - dot(S, k)))^T",
      "S: S - beta * grad(0.5 * sum((dot(S, k) - h) ^ 2), S)"}},
    {"momentum",
     "m: [H, d], w: [H, d]",
     "w",
     {"m: a * m + h\n        w: w - 0.1 * m", "m: m - (1 - a) * m + h\n        w: w - 0.1 * m",
      "w: w - 0.1 * (a * m + h)\n        m: a * m + h", "w: w - 0.1 * (a * prev(m) + h)\n        m: h + m * a"}},
};

std::string text(const Rule& r, const std::string& step) {
  return tests::around(
      "    dims: {H: 2, d: D / 2}\n    let:\n"
      "      h: to_heads(x, H)\n"
      "      k: l2_norm(to_heads(x, H))\n"
      "      beta: sigmoid(sum(to_heads(x, H), dim=-1))\n"
      "      a: sigmoid(sum(to_heads(x * x, H), dim=-1))\n"
      "      beta1: rearrange(beta, \"H T -> H T 1\")\n"
      "    recurrence:\n      over: T\n      state: {" +
      std::string(r.state) + "}\n      step:\n        " + step + "\n      read:\n        y: " + r.read +
      "\n      forms: [chunkwise]\n    out: merge_heads(y) + 0 * merge_heads(h * beta1)\n");
}

}  // namespace

TEST_CASE("a rule has the chunkwise form however it is written, and is one function") {
  int ways = 0;
  for (const Rule& rule : kRules) {
    const std::string name = rule.name;
    CAPTURE(name);
    std::optional<tests::Step> first;
    for (const std::string way : rule.ways) {
      CAPTURE(way);
      ++ways;
      dsl::Diagnostics d;
      const auto model = tests::build(text(rule, way), d);
      CHECK_MESSAGE(model, d.render(false));
      if (!model) continue;
      const tests::Step step = tests::step(*model, tests::random_weights(*model), tests::batch(2, 21));
      if (!first) first = step;
      CHECK(std::abs(step.loss - first->loss) <= 1e-12 * std::abs(first->loss));
      for (std::size_t i = 0; i < step.gradients.size(); ++i) {
        CHECK(tests::distance(first->gradients[i], step.gradients[i]) < 1e-10);
      }
    }
  }
  CHECK(ways >= 50);
}
