// Folds against trees written out by hand.
#include <bit>

#include "ops/shared/tree.h"
#include "tests/models/folded.h"

using namespace weft;
using namespace weft::tests;

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

TEST_CASE("prefixes are computed where they are read, not where the branch that is not taken would read them") {
  const auto with = [](const char* readout) {
    return def(std::string("    params: {readout: {type: enum, choices: [levels, prefix], default: ") + readout +
               "}}\n    fold: {over: T, leaf: {c: x}, merge: {c: left(c) + right(c)},\n"
               "           read: {y: 'sum(c, dim=L) if readout == levels else prefix(c)'}}\n    out: y\n");
  };
  for (const bool prefixes : {false, true}) {
    Folded f{with(prefixes ? "prefix" : "levels")};
    f({{"x", numbers({1, 5, 4}, 2)}});
    const auto& nodes = f.function->graph().nodes();
    const auto fold = std::find_if(nodes.begin(), nodes.end(), [](const Node& n) { return n.op->name == "fold"; });
    REQUIRE(fold != nodes.end());
    CHECK(std::get<bool>(fold->attributes[2]) == prefixes);
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
