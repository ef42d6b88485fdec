// A fold is one function, however its sequence is cut and batched: with its noise, and with its gradients.
#include <set>

#include "ops/shared/tree.h"
#include "tests/models/folded.h"

using namespace weft;
using namespace weft::tests;

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
