// Folds: against trees written out by hand, and every cut, batch and form of one fold against the others.
#include <bit>
#include <set>

#include "ops/shared/tree.h"
#include "tests/models/build.h"

using namespace weft;

namespace {

const Runtime& runtime() {
  static const Runtime r;
  return r;
}

std::string def(const std::string& body) {
  return "schema: 1\ndefs:\n  f:\n    in: {x: [T, D]}\n" + body +
         "model: [{embed: {width: 4}}, f, {logits: {tie: embed}}]\n";
}

struct Outcome {
  std::map<std::string, Tensor> tensors;
  const Tensor& operator[](const std::string& name) const {
    INFO(name);
    REQUIRE(tensors.contains(name));
    return tensors.at(name);
  }
};

Tensor numbers(Shape shape, u64 seed) {
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.7 * normal(Key{seed}, i);
  return Tensor::from(values, shape, DType::f64);
}

// Positions begin .. end of [B, T, ...].
Tensor positions(const Tensor& x, i64 begin, i64 end) {
  const i64 rows = x.shape()[0], length = x.shape()[1], width = length ? x.size() / rows / length : 0;
  std::vector<double> values;
  for (i64 b = 0; b < rows; ++b) {
    for (i64 i = (b * length + begin) * width; i < (b * length + end) * width; ++i) values.push_back(x.at(i));
  }
  Shape shape = x.shape();
  shape[1] = end - begin;
  return Tensor::from(values, shape, DType::f64);
}

using Tensors = dsl::Function::Tensors;

struct Folded {
  std::string text;
  std::vector<Tensor> weights = {};
  std::unique_ptr<const dsl::Function> function = {};

  // A def with an input `g`, constant over time, is given that of its rows.
  Outcome operator()(Tensors inputs, bool gradients = false, RunSettings settings = {}) {
    const i64 count = inputs.at("x").shape()[0];
    if (text.find("g: [D]") != std::string::npos && !inputs.contains("g")) {
      inputs["g"] =
          positions(numbers({1, 8, 4}, 30), settings.first_row, settings.first_row + count).reshaped({count, 4});
    }
    dsl::Diagnostics d;
    const dsl::Description description(dsl::make_source("test.yaml", text), {}, tests::surroundings(), d);
    dsl::Asked asked{.def = "f", .with_tensors = true, .gradients = gradients};
    for (const auto& [name, tensor] : inputs) asked.given[name] = tensor.shape();
    function = description.function(asked, 16, d);
    INFO(d.render(false));
    REQUIRE(function != nullptr);
    if (weights.empty()) {
      for (const auto& slot : function->slots()) weights.push_back(numbers(slot.weight.shape, 77 + weights.size()));
    }
    CHECK(function->faults(inputs) == "");
    Outcome o;
    for (auto& [name, tensor] : (*function)(runtime(), DType::f64, weights, inputs, settings)) o.tensors[name] = tensor;
    return o;
  }
  bool uses(std::string_view op) const {
    const auto& nodes = function->graph().nodes();
    return std::any_of(nodes.begin(), nodes.end(), [&](const Node& n) { return n.op->name == op; });
  }
};

RunSettings noisy(u64 key, i64 first_row = 0) {
  RunSettings s;
  s.key = Key{key};
  s.training = true;
  s.first_row = first_row;
  return s;
}

Tensor rows(const std::vector<Tensor>& parts) {
  std::vector<double> values;
  Shape shape = parts[0].shape();
  shape[0] = 0;
  for (const Tensor& p : parts) {
    for (i64 i = 0; i < p.size(); ++i) values.push_back(p.at(i));
    shape[0] += p.shape()[0];
  }
  return Tensor::from(values, shape, DType::f64);
}

Tensor row(const Tensor& x, i64 b) {
  Shape shape = x.shape();
  shape[0] = 1;
  return x.entry(b).reshaped(shape);
}

// What a later part starts from.
void go_on(Tensors& inputs, const Outcome& before) {
  for (const auto& [name, tensor] : before.tensors) {
    if (name.starts_with("final.")) inputs["initial." + name.substr(6)] = tensor;
  }
}

const std::vector<std::pair<const char*, std::string>>& folds() {
  static const std::vector<std::pair<const char*, std::string>> all = {
      {"sum", def("    fold: {over: T, leaf: {c: x}, merge: {c: left(c) + right(c)}, read: {y: 'sum(c, dim=L)'}}\n"
                  "    out: y\n")},
      {"max", def("    fold: {over: T, leaf: {c: x}, merge: {c: 'maximum(left(c), right(c))'},\n"
                  "           read: {y: 'sum(present * exp(c), dim=L)'}}\n    out: y\n")},
      {"gated",
       def("    weights: {A: {shape: [2 * D, D]}, G: {shape: [2 * D, 3]}, b: {shape: [D]}}\n"
           "    fold:\n      over: T\n      leaf: {c: x}\n      merge:\n"
           "        lr: \"concat(left(c), right(c), dim=-1)\"\n"
           "        m: tanh(lr @ A + b) / level\n"
           "        p: \"gumbel_softmax(lr @ G, tau=0.7, eval=soft)\"\n"
           "        c: \"slice(p, 0, 1, dim=-1) * left(c) + slice(p, 1, 1, dim=-1) * m + slice(p, 2, 1, dim=-1) * "
           "right(c)\"\n"
           "      read: {y: 'sum(c, dim=L)'}\n    out: y\n")},
      {"levels weighed by the query",
       def("    weights: {Q: {shape: [D, D]}}\n    let: {q: x @ Q}\n"
           "    fold:\n      over: T\n      leaf: {c: x}\n      merge: {c: 0.5 * left(c) + tanh(right(c))}\n"
           "      read: {p: \"softmax(dot(c, q), dim=L, mask=present) -> [L]\", y: p @ c}\n    out: y + x\n")},
      {"a mean of two values, by a leaf that does not vary",
       def("    fold:\n      over: T\n      leaf: {c: x, n: 1}\n"
           "      merge: {c: left(c) + right(c), n: left(n) + right(n)}\n"
           "      read: {s: \"sum(c * sigmoid(c), dim=L)\", y: s / (1 + prefix(n)) + prefix(c) / prefix(n)}\n"
           "    out: y\n")},
      {"a def in the merge, and a product behind the sum",
       def("    weights: {W: {shape: [D, D]}}\n"
           "    fold: {over: T, leaf: {c: x}, merge: {c: 'g(left(c)) + right(c)'},\n"
           "           read: {y: \"sum(tanh(c) @ W, dim=L) * sigmoid(x)\"}}\n    out: y\n"
           "  g: {in: {x: [D]}, weights: {V: {shape: [D, D]}}, out: tanh(x @ V)}\n")},
      {"a constant of the row, in the merge, in the sum and beside it",
       "schema: 1\ndefs:\n  f:\n    in: {x: [T, D], g: [D]}\n"
       "    fold: {over: T, leaf: {c: x}, merge: {c: left(c) * sigmoid(g) + right(c)},\n"
       "           read: {y: \"sum(c * tanh(g), dim=L) + g * prefix(c)\"}}\n    out: y\n"
       "model: [{embed: {width: 4}}, {logits: {tie: embed}}]\n"},
      {"levels that are dropped at random",
       def("    fold: {over: T, leaf: {c: x}, merge: {c: left(c) * sigmoid(right(c))},\n"
           "           read: {y: \"sum(dropout(present * c, 0.3), dim=L)\"}}\n    out: y\n")},
      {"heads",
       def("    let: {h: \"to_heads(x, 2)\"}\n"
           "    fold: {over: T, leaf: {c: h}, merge: {c: left(c) * sigmoid(right(c))}, read: {y: 'sum(c, dim=L)'}}\n"
           "    out: merge_heads(y)\n")}};
  return all;
}

}  // namespace

TEST_CASE("T tokens take T - popcount(T) merges, cut or whole, and a prefix at most one more a token") {
  for (i64 before = 0; before < 40; ++before) {
    for (i64 tokens = 0; tokens < 40; ++tokens) {
      const std::vector<ops::TreeRow> row = ops::tree_rows(std::vector<i32>{static_cast<i32>(before)}, tokens);
      i64 merges = 0, prefixes = 0;
      const i64 slots = ops::TreeRow::slots(tokens, true);
      std::vector<int> written(static_cast<std::size_t>(slots));
      for (i64 s = 0; s < ops::kTreeLevels + tokens; ++s) written[static_cast<std::size_t>(s)] = 1;
      for (const ops::TreeRound& round : ops::tree_rounds(row, slots, true)) {
        for (const ops::TreeMerge& m : round.merges) {
          if (m.left >= 0) ++(round.prefixes ? prefixes : merges);
          REQUIRE(m.out < slots);
          CHECK(++written[static_cast<std::size_t>(m.out)] == 1);  // once, and not over a state or a token
          CHECK(written[static_cast<std::size_t>(m.right)] == 1);  // after what it is made of
          if (m.left >= 0) CHECK(written[static_cast<std::size_t>(m.left)] == 1);
        }
      }
      const auto bits = [](i64 n) { return static_cast<i64>(std::popcount(static_cast<u64>(n))); };
      CHECK(merges == tokens + bits(before) - bits(before + tokens));
      CHECK(prefixes <= tokens + bits(before));
    }
  }
}

TEST_CASE("a sum tree reads the sums of the last complete blocks of two, four, eight tokens and so on") {
  Folded f{folds()[0].second};
  for (const i64 length : {1, 2, 3, 5, 7, 8, 9, 16, 17}) {
    CAPTURE(length);
    const Tensor x = numbers({2, length, 3}, 1);
    const Outcome o = f({{"x", x}});
    CHECK(f.uses("fold_sum"));
    CHECK(!f.uses("fold_read"));
    for (i64 b = 0; b < 2; ++b) {
      for (i64 t = 0; t < length; ++t) {
        for (i64 d = 0; d < 3; ++d) {
          double y = 0;
          for (i64 block = 2; block <= t + 1; block *= 2) {
            const i64 end = (t + 1) / block * block;
            for (i64 s = end - block; s < end; ++s) y += x.at((b * length + s) * 3 + d);
          }
          CHECK(o["out"].at((b * length + t) * 3 + d) == doctest::Approx(y).epsilon(1e-12));
        }
      }
      CHECK(o["final.count"].at(b) == static_cast<double>(length));
    }
  }
}

TEST_CASE("a sum over the levels costs one pass over the nodes and is what the plain read gives") {
  const std::string merge =
      "    weights: {W: {shape: [D, D]}}\n    fold: {over: T, leaf: {c: x}, merge: {c: left(c) * 0.5 + tanh(right(c))},\n";
  Folded quick{def(merge + "           read: {y: 'sum(tanh(c) @ W - c, dim=L)'}}\n    out: y\n")};
  Folded plain{def(merge + "           read: {y: 'sum(present * (tanh(c) @ W - c), dim=L)'}}\n    out: y\n")};
  for (const i64 length : {1, 2, 11, 33}) {
    const Tensors in = {{"x", numbers({2, length, 4}, 2)}};
    const Outcome a = quick(in, true), b = plain(in, true);
    CHECK(quick.uses("fold_sum"));
    CHECK(!quick.uses("fold_read"));
    CHECK(plain.uses("fold_read"));
    for (const auto& [name, tensor] : a.tensors) {
      CAPTURE(name);
      CHECK(tests::distance(tensor, b[name]) < 1e-12);
    }
  }
}

TEST_CASE("a softmax over the levels that are there gives their weighted mean, and zeros before the first") {
  Folded f{folds()[3].second};
  const i64 length = 6, D = 4;
  const Tensor x = numbers({1, length, D}, 3);
  const Outcome o = f({{"x", x}});
  std::map<std::pair<i64, i64>, std::vector<double>> node;  // level, place
  for (i64 t = 0; t < length; ++t) {
    for (i64 d = 0; d < D; ++d) node[{0, t}].push_back(x.at(t * D + d));
  }
  for (i64 l = 1, n = length / 2; n > 0; ++l, n /= 2) {
    for (i64 r = 0; r < n; ++r) {
      for (std::size_t d = 0; d < 4; ++d)
        node[{l, r}].push_back(0.5 * node[{l - 1, 2 * r}][d] + std::tanh(node[{l - 1, 2 * r + 1}][d]));
    }
  }
  for (i64 t = 0; t < length; ++t) {
    std::vector<double> y(4, 0), q(4, 0);
    for (i64 i = 0; i < D; ++i) {
      for (i64 j = 0; j < D; ++j) q[static_cast<std::size_t>(j)] += x.at(t * D + i) * f.weights[0].at(i * D + j);
    }
    double total = 0;
    for (i64 l = 1; (t + 1) >> l; ++l) {
      const auto& c = node.at({l, ((t + 1) >> l) - 1});
      double score = 0;
      for (std::size_t d = 0; d < 4; ++d) score += c[d] * q[d];
      total += std::exp(score);
      for (std::size_t d = 0; d < 4; ++d) y[d] += std::exp(score) * c[d];
    }
    for (std::size_t d = 0; d < 4; ++d) {
      const i64 at = t * D + static_cast<i64>(d);
      CHECK(o["out"].at(at) - x.at(at) == doctest::Approx(total > 0 ? y[d] / total : 0).epsilon(1e-12));
    }
  }
}

TEST_CASE("prefix(c) of a product of matrices is the running product, which the tree only brackets otherwise") {
  Folded f{
      "schema: 1\ndefs:\n  f:\n    in: {x: [T, n, n]}\n"
      "    fold: {over: T, leaf: {c: x}, merge: {c: left(c) @ right(c)}, read: {y: prefix(c)}}\n"
      "    out: y\nmodel: [{embed: {width: 4}}, {logits: {tie: embed}}]\n"};
  const i64 length = 21;
  const Tensor x = numbers({2, length, 2, 2}, 4);
  const Outcome o = f({{"x", x}});
  CHECK(!f.uses("fold_read"));
  // A sequence of `read` has T before its last dimension: [B, 2, T, 2].
  CHECK(o["out"].shape() == Shape{2, 2, length, 2});
  for (i64 b = 0; b < 2; ++b) {
    double p[4] = {1, 0, 0, 1};
    for (i64 t = 0; t < length; ++t) {
      double next[4];
      for (int i = 0; i < 4; ++i) {
        const i64 at = (b * length + t) * 4 + i % 2;
        next[i] = p[i / 2 * 2] * x.at(at) + p[i / 2 * 2 + 1] * x.at(at + 2);
      }
      std::copy_n(next, 4, p);
      for (i64 i = 0; i < 4; ++i) {
        CHECK(o["out"].at(((b * 2 + i / 2) * length + t) * 2 + i % 2) == doctest::Approx(p[i]).epsilon(1e-11));
      }
    }
  }
}

TEST_CASE("a sequence cut anywhere gives what the whole gives, noise included") {
  const i64 length = 13;
  for (const auto& [name, text] : folds()) {
    CAPTURE(name);
    Folded f{text};
    const Tensor x = numbers({2, length, 4}, 5);
    const RunSettings noise = noisy(8);
    const Outcome whole = f({{"x", x}}, false, noise);
    for (const std::vector<i64>& cuts :
         {std::vector<i64>{0, 13}, {5, 13}, {8, 13}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}, {3, 3, 11, 13}}) {
      Tensors in;
      i64 begin = 0;
      for (const i64 end : cuts) {
        in["x"] = positions(x, begin, end);
        const Outcome part = f(in, false, noise);
        // f64: the same merges in batches of another size.
        CHECK(tests::distance(part["out"], positions(whole["out"], begin, end)) < 1e-10);
        go_on(in, part);
        begin = end;
      }
      CHECK(tests::distance(in["initial.c"], whole["final.c"]) < 1e-10);
    }
  }
}

TEST_CASE("rows of a batch may stand at different positions, and are independent") {
  for (const auto& [name, text] : folds()) {
    CAPTURE(name);
    Folded f{text};
    const Tensor x = numbers({3, 12, 4}, 6);
    const i64 starts[] = {0, 7, 4};
    const auto settings = [](i64 row) { return noisy(8, row); };
    std::vector<Tensor> later;
    std::map<std::string, std::vector<Tensor>> states;
    for (i64 b = 0; b < 3; ++b) {
      later.push_back(positions(row(x, b), starts[b], starts[b] + 5));
      const Outcome before = f({{"x", positions(row(x, b), 0, starts[b])}}, false, settings(b));
      for (const auto& [key, tensor] : before.tensors) {
        if (key.starts_with("final.")) states["initial." + key.substr(6)].push_back(tensor);
      }
    }
    Tensors in = {{"x", rows(later)}};
    for (const auto& [key, parts] : states) in[key] = rows(parts);
    const Outcome together = f(in, false, settings(0));
    for (i64 b = 0; b < 3; ++b) {
      const Outcome alone = f({{"x", row(x, b)}}, false, settings(b));
      CHECK(tests::distance(row(together["out"], b), positions(alone["out"], starts[b], starts[b] + 5)) < 1e-10);
    }
  }
}

TEST_CASE("what stands before a changed token keeps every bit") {
  for (const auto& [name, text] : folds()) {
    CAPTURE(name);
    Folded f{text};
    const i64 length = 19;
    const Tensor x = numbers({1, length, 4}, 7), other = numbers({1, length, 4}, 70);
    const RunSettings noise = noisy(8);
    const Outcome a = f({{"x", x}}, false, noise);
    for (i64 j = 0; j < length; ++j) {
      const std::vector<Tensor> parts = {positions(x, 0, j), positions(other, j, length)};
      std::vector<double> values;
      for (const Tensor& p : parts) {
        for (i64 i = 0; i < p.size(); ++i) values.push_back(p.at(i));
      }
      const Outcome b = f({{"x", Tensor::from(values, x.shape(), DType::f64)}}, false, noise);
      CHECK(same_bits(positions(a["out"], 0, j), positions(b["out"], 0, j)));
    }
  }
}

TEST_CASE("gradients of leaves, weights and first nodes match differences") {
  for (const auto& [name, text] : folds()) {
    CAPTURE(name);
    Folded f{text};
    const RunSettings noise = noisy(8);
    const Tensor x = numbers({2, 6, 4}, 9);
    Tensors in = {{"x", positions(x, 0, 5)}};
    go_on(in, f(in, false, noise));
    in["x"] = numbers({2, 6, 4}, 10);
    Outcome o = f(in, false, noise);
    if (text.find("g: [D]") != std::string::npos) in["g"] = numbers({2, 4}, 13);
    in["cotangent"] = numbers(o["out"].shape(), 11);
    in["cotangent.final.c"] = numbers(o["final.c"].shape(), 12);
    const Outcome with = f(in, true, noise);
    const auto weights = f.weights;
    const auto value = [&](const Tensors& inputs) {
      const Outcome at = f(inputs, true, noise);
      double sum = 0;
      for (const char* output : {"out", "final.c"}) {
        const Tensor& c = in["cotangent" + std::string(output == std::string("out") ? "" : ".final.c")];
        for (i64 i = 0; i < c.size(); ++i) sum += c.at(i) * at[output].at(i);
      }
      return sum;
    };
    const auto moved = [](const Tensor& t, i64 i, double h) {
      std::vector<double> values;
      for (i64 j = 0; j < t.size(); ++j) values.push_back(t.at(j) + (i == j ? h : 0));
      return Tensor::from(values, t.shape(), DType::f64);
    };
    // Fourth order: the error of a central difference at h and h / 2 combined is near 1e-12.
    const auto slope = [&](const auto& at) {
      const double h = 1e-3;
      const double coarse = (at(h) - at(-h)) / (2 * h), fine = (at(h / 2) - at(-h / 2)) / h;
      return (4 * fine - coarse) / 3;
    };
    const auto check = [&](const Tensor& gradient, const auto& at) {
      for (i64 i = 0; i < gradient.size(); i += std::max<i64>(1, gradient.size() / 12)) {
        CAPTURE(i);
        const double difference = slope([&](double h) { return at(i, h); });
        CHECK(std::abs(gradient.at(i) - difference) <= 1e-7 * std::max(1.0, std::abs(difference)));
      }
    };
    for (const std::string input : {"x", "initial.c", "g"}) {
      CAPTURE(input);
      if (!in.contains(input)) continue;
      check(with["grad." + input], [&](i64 i, double h) {
        Tensors there = in;
        there[input] = moved(in[input], i, h);
        return value(there);
      });
    }
    for (std::size_t w = 0; w < weights.size(); ++w) {
      CAPTURE(w);
      check(with["grad." + f.function->slots()[w].weight.name], [&](i64 i, double h) {
        f.weights[w] = moved(weights[w], i, h);
        const double y = value(in);
        f.weights[w] = weights[w];
        return y;
      });
    }
  }
}

TEST_CASE("a node draws by its row, its level and its place: no two get the same numbers") {
  // A node is 32 coins, of which no two should fall alike.
  Folded f{
      def("    fold: {over: T, leaf: {c: x}, merge: {c: 'dropout(0 * (left(c) + right(c)) + 1, 0.5)'},\n"
          "           read: {y: prefix(c)}}\n    out: y\n")};
  const i64 length = 32, D = 32;
  std::set<std::string> seen;
  std::size_t nodes = 0;
  const auto add = [&](const Tensor& x, i64 at) {
    std::string coins;
    for (i64 d = 0; d < D; ++d) coins += x.at(at * D + d) > 0 ? '1' : '0';
    seen.insert(coins);
    ++nodes;
  };
  Tensors in;
  for (i64 t = 0; t < length; ++t) {
    in["x"] = Tensor::zeros({2, 1, D}, DType::f64);
    const Outcome o = f(in, false, noisy(8));
    for (i64 b = 0; b < 2; ++b) {
      for (i64 l = 1; (t + 1) % (i64{1} << l) == 0; ++l) add(o["final.c"], b * ops::kTreeLevels + l);
      if (t & (t + 1)) add(o["out"], b);  // of a power of two it is a node
    }
    go_on(in, o);
  }
  CHECK(nodes == 2 * (31 + 26));
  CHECK(seen.size() == nodes);
}

TEST_CASE("a fold has a parallel and a recurrent form, which are one, and counts to 2^24") {
  const std::string& text = folds()[0].second;
  const auto a = tests::built(text), b = tests::built(text, {"train.form=parallel"}),
             c = tests::built(text, {"train.form=recurrent"});
  const auto weights = tests::random_weights(*a);
  const auto step = [&](const auto& model) { return tests::step(*model, weights, tests::batch(2, 9)).loss; };
  CHECK(step(a) == step(b));
  CHECK(step(a) == step(c));

  Folded f{text};
  const double limit = 1 << 24;
  const auto from = [&](double count) {
    return f({{"x", numbers({1, 3, 4}, 1)}, {"initial.count", Tensor::full({1}, count, DType::f64)}});
  };
  CHECK(from(limit - 3)["final.count"].at(0) == limit);
  CHECK_THROWS_WITH_AS(from(limit - 2), "a fold counts from 0 to 16777216 tokens, not from 16777214 to 16777217",
                       Error);
  CHECK_THROWS_WITH_AS(from(-1), "a fold counts from 0 to 16777216 tokens, not from -1 to 2", Error);
}
