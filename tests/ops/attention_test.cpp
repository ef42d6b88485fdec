// One query over a cache against the last row of two queries, which go the general way.
#include "ops/attention.h"

#include "ops/slice.h"
#include "ops/transpose.h"
#include "tests/ops/differences.h"

using namespace weft;
using namespace weft::tests;

namespace {

// Of 2 rows and 3 heads: the last query's values where the last `queries` positions are new.
Tensor last_row(i64 positions, i64 queries, DType dtype, double scale) {
  static const Runtime runtime({.parallel = "tbb"});
  constexpr i64 rows = 2, heads = 3, dk = 11, dv = 6;
  Tape tape(runtime, dtype, Graph::Gradients::no);
  const auto part = [&](const Var& all, i64 first, i64 n) { return ops::slice(all, first, n, 0); };
  const auto fresh = [&](const Var& all) {
    return ops::transpose(part(all, positions - queries, queries), "prhw->rhpw");
  };
  const auto leaf = [&](i64 width, u64 seed) {
    return tape.leaf(random({positions, rows, heads, width}, seed, dtype));
  };
  const Var q = leaf(dk, 1), k = leaf(dk, 2), v = leaf(dv, 3);
  const i64 past = positions - queries;
  const Var y = apply<ops::Attention>({fresh(q), fresh(k), fresh(v), part(k, 0, past), part(v, 0, past)},
                                      {.causal = true, .scale = scale});
  return tape.value(ops::slice(y, queries - 1, 1, 2));
}

}  // namespace

TEST_CASE("one query over a cache of any length sees what it sees beside others") {
  for (const i64 positions : {2, 9, 63, 64, 66, 300, 530, 2500}) {
    for (const double scale : {0.3, 40.0}) {  // at 40 nearly all weight is on the highest score, wherever it comes
      CAPTURE(positions);
      CAPTURE(scale);
      CHECK(distance(last_row(positions, 1, DType::f64, scale), last_row(positions, 2, DType::f64, scale)) < 1e-14);
      // A score of some 100 has an error of 1e-5 in f32, and its weight as much.
      CHECK(distance(last_row(positions, 1, DType::f32, scale), last_row(positions, 2, DType::f32, scale)) < 3e-5);
    }
  }
}

TEST_CASE("the caches of several rows stay where they are when a position is put behind them") {
  Tape tape(runtime(), DType::f32, Graph::Gradients::no);
  const auto leaf = [&](const Shape& shape, u64 seed) { return tape.leaf(random(shape, seed, DType::f32)); };
  std::vector<Var> kept = {{}, leaf({6, 3, 2, 8}, 1), leaf({6, 3, 2, 8}, 2)};
  const Tensor seen = tape.value(kept[1]);
  const auto step = [&](u64 seed) {
    const Var x = leaf({3, 2, 1, 8}, seed);
    kept = apply_all<ops::Attention>({x, x, x, kept[1], kept[2]});
    return tape.value(kept[1]);
  };
  const Tensor first = step(3), second = step(4);
  CHECK(second.shape() == Shape{8, 3, 2, 8});
  CHECK(second.raw() == first.raw());  // the first had to move: a leaf has no room
  CHECK(same_bits(second.rows(0, 6), seen));
  CHECK(same_bits(second.rows(0, 7), first));
}

TEST_CASE("attention counts a multiply-add for each number of a key and a value that a query sees") {
  const auto flops = [](i64 queries, i64 fresh, i64 past, bool causal) {
    Graph g;
    const auto now = [&](i64 T, i64 n) { return g.input("now", {2, 3, T, n}); };
    const auto seen = [&](i64 n) { return past > 0 ? g.input("seen", {past, 2, 3, n}) : Var(); };
    const Var q = now(queries, 8), k = now(fresh, 8), v = now(fresh, 5);
    return Run(g, {apply<ops::Attention>({q, k, v, seen(8), seen(5)}, {.causal = causal})}).flops({});
  };
  const double heads = 2 * 3, width = 8 + 5;
  CHECK(flops(4, 4, 0, true) == 2 * heads * width * (1 + 2 + 3 + 4));
  CHECK(flops(4, 6, 0, false) == 2 * heads * width * 4 * 6);
  CHECK(flops(2, 2, 7, true) == 2 * heads * width * (8 + 9));
  CHECK(flops(5, 3, 0, true) == 2 * heads * width * (0 + 0 + 1 + 2 + 3));
}
