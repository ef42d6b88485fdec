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
  const auto part = [&](const Var& all, i64 first, i64 n) { return ops::slice(all, first, n, 1); };
  const auto fresh = [&](const Var& all) {
    return ops::transpose(part(all, positions - queries, queries), "rphw->rhpw");
  };
  const auto leaf = [&](i64 width, u64 seed) {
    return tape.leaf(random({rows, positions, heads, width}, seed, dtype));
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
