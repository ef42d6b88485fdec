#include "engine/run.h"

#include <doctest/doctest.h>

#include "engine/op.h"
#include "tests/engine/little_ops.h"

using namespace weft;
using namespace weft::tests;

namespace {

// Memory that the runtime's pool counts.
Tensor pooled(const Shape& shape, float value) {
  Tensor t = Tensor::uninitialised(shape, DType::f32, runtime().pool());
  for (float& x : t.mutable_values<float>()) x = value;
  return t;
}

}  // namespace

TEST_CASE("an input that is missing or wrong is named, with what it should be") {
  Graph g;
  const Var x = g.input("x", {B, T, 3}), w = g.input("w", {3}), i = g.input("tokens", {B}, Kind::index);
  Run run(g, {mul(x, w)});
  const Tensor good = random({2, 5, 3}, 1), weight = random({3}, 2);
  const auto result = [&](const Run::Feeds& feeds) { return run(runtime(), DType::f64, feeds); };
  CHECK_THROWS_WITH_AS(result({{x, good}}), "run: the input w is not given", Error);
  CHECK_THROWS_WITH_AS(result({{x, good}, {w, random({4}, 2)}}),
                       "run: the input w has the shape [3] (here 3), but [4] was given", Error);
  CHECK_THROWS_WITH_AS(result({{x, random({5, 3}, 1)}, {w, weight}}),
                       "run: the input x has the shape [B, T, 3], but [5, 3] was given", Error);
  CHECK_THROWS_WITH_AS(result({{x, good}, {w, weight.converted(DType::f32)}}),
                       "run: the input w is f32, the run is f64", Error);
  CHECK_THROWS_WITH_AS(result({{x, good}, {w, Tensor::of_indices(std::vector<i32>{1, 2, 3}, {3})}}),
                       "run: the input w must hold real numbers", Error);
  CHECK_THROWS_WITH_AS(result({{i, random({2}, 1)}, {x, good}, {w, weight}}), "run: the input tokens must hold indices",
                       Error);
  CHECK(result({{x, good}, {w, weight}})[0].shape() == Shape{2, 5, 3});
}

TEST_CASE("only inputs of the graph itself are fed") {
  Graph g, other;
  const Var x = g.input("x", {3}), y = square(x);
  std::vector<Var> strangers;
  for (int n = 0; n < 50; ++n) strangers.push_back(other.input("s", {3}));
  Run run(g, {y});
  CHECK_THROWS_WITH_AS(run(runtime(), DType::f64, {{strangers.back(), random({3}, 1)}}),
                       "run: a value of another graph was fed", Error);
  CHECK_THROWS_WITH_AS(run(runtime(), DType::f64, {{x, random({3}, 1)}, {y, random({3}, 1)}}),
                       "run: a value that the graph computes was fed", Error);
  CHECK_THROWS_WITH_AS(Run(g, {strangers[0]}), "run: an output of another graph", Error);
}

TEST_CASE("sizes are bound anew in every run") {
  Graph g;
  const Var x = g.input("x", {B, T}), w = g.input("w", {T});
  Run run(g, {mul(x, w)});
  for (const i64 t : {1, 7, 0, 3, 4, 5, 6, 8, 9, 10, 7}) {  // more than the plans that are kept
    const auto y = run(runtime(), DType::f64, {{x, random({2, t}, 1)}, {w, Tensor::full({t}, 2, DType::f64)}})[0];
    REQUIRE(y.shape() == Shape{2, t});
    for (i64 i = 0; i < y.size(); ++i) CHECK(y.at(i) == 2 * random({2, t}, 1).at(i));
  }
  CHECK_THROWS_WITH_AS(run(runtime(), DType::f64, {{x, random({2, 3}, 1)}, {w, random({4}, 1)}}),
                       "run: the input w has the shape [T] (here 3), but [4] was given", Error);
}

TEST_CASE("rows and their offsets are as many") {
  Graph g;
  const Var x = g.input("x", {B, T});
  Run run(g, {square(x)});
  const Run::Feeds feeds{{x, random({3, 2}, 1)}};
  for (const auto& offsets : std::vector<std::vector<i64>>{{}, {7}, {1, 2, 3}}) {
    CHECK_NOTHROW(run(runtime(), DType::f64, feeds, {.offsets = offsets}));
  }
  CHECK_THROWS_WITH_AS(run(runtime(), DType::f64, feeds, {.offsets = {1, 2}}), "run: 3 rows have 2 offsets", Error);
}

TEST_CASE("a computed size is checked against its symbols, wherever those stand") {
  Graph g;
  const Var mask = g.input("mask", {P + T}), twice = g.input("twice", {Dim(2) * T}), past = g.input("past", {P}),
            x = g.input("x", {T});
  Run run(g, {square(mask), square(twice), square(past), square(x)});
  const auto with = [&](i64 sum, i64 two) {
    return run(runtime(), DType::f64,
               {{mask, random({sum}, 1)}, {twice, random({two}, 1)}, {past, random({2}, 1)}, {x, random({3}, 1)}});
  };
  CHECK(with(5, 6).size() == 4);
  CHECK_THROWS_WITH_AS(with(4, 6), "run: the input mask has the shape [P + T] (here 5), but [4] was given", Error);
  CHECK_THROWS_WITH_AS(with(5, 4), "run: the input twice has the shape [2 * T] (here 6), but [4] was given", Error);
}

TEST_CASE("only what the outputs need is computed") {
  Graph g;
  const Var x = g.input("x", {3}), y = square(x);
  square(g.input("unused", {4}));
  Run run(g, {y, x, y});
  CHECK(run.order() == std::vector<i32>{0});
  const Tensor in = random({3}, 1);
  const auto out = run(runtime(), DType::f64, {{x, in}});
  CHECK(out[1].raw() == in.raw());
  CHECK(same_bits(out[0], out[2]));
}

TEST_CASE("a value that is given is not computed, and has to be there") {
  Graph g;
  const Var x = g.input("x", {3}), y = square(x), z = mul(y, x);
  Run run(g, {z}, {}, {y});
  CHECK(run.order() == std::vector<i32>{1});
  const Tensor ones = Tensor::full({3}, 1, DType::f64), in = random({3}, 1);
  CHECK(same_bits(run(runtime(), DType::f64, {{x, in}, {y, ones}})[0], in));
  CHECK_THROWS_AS(run(runtime(), DType::f64, {{x, in}}), Error);
  Run whole(g, {z});
  CHECK_THROWS_WITH_AS(whole(runtime(), DType::f64, {{x, in}, {y, ones}}),
                       "run: a value that the graph computes was fed", Error);
}

TEST_CASE("an output may be taken when nobody reads it any more: the run returns the others") {
  Graph g;
  const Var x = g.input("x", {3}), a = square(x), b = square(a), c = square(b), twice = square(c);
  Run run(g, {b, a, twice, x, twice, c});
  const Run::Feeds feeds = {{x, random({3}, 1)}};
  const auto all = run(runtime(), DType::f64, feeds);
  for (int again = 0; again < 2; ++again) {
    std::vector<std::size_t> seen;
    std::vector<Tensor> taken;
    const auto rest = run(runtime(), DType::f64, feeds, {}, nullptr, [&](std::size_t output, Tensor& made) {
      seen.push_back(output);
      CHECK(made.is_sole_owner());
      if (output != 1) taken.push_back(std::move(made));
    });
    CHECK(seen == std::vector<std::size_t>{1, 0, 5});  // a when b is made, b when c is; x is the caller's
    CHECK(same_bits(taken[0], all[0]));
    CHECK(same_bits(taken[1], all[5]));
    for (const std::size_t i : {0, 5}) CHECK(!rest[i]);
    for (const std::size_t i : {1, 2, 3, 4}) CHECK(same_bits(rest[i], all[i]));
  }
}

TEST_CASE("values are freed after their last use: the peak is the one that was foretold") {
  Graph g;
  // 1,024 numbers of f32 are a block of exactly 4,096 bytes, so that the pool counts what the shapes say.
  const Var x = g.input("x", {T, 512}, Kind::real, true), w = g.input("w", {T, 512}, Kind::real, true);
  Var y = mul(x, w);
  for (int i = 0; i < 6; ++i) y = exponential(add(square(y), w));
  const Var dy = g.input("dy", {T, 512});
  const auto gradients = g.backward({&y, 1}, {&dy, 1}, std::vector<Var>{x, w});
  const Bindings sizes{{"T", 2}};
  for (const bool training : {false, true}) {
    Run run(g, training ? std::vector<Var>{gradients[0], gradients[1], y} : std::vector<Var>{y});
    const Tensor xs = pooled({2, 512}, 0.5f), ws = pooled({2, 512}, 0.25f),
                 ds = training ? pooled({2, 512}, 1) : Tensor();
    Run::Feeds feeds{{x, xs}, {w, ws}};
    if (training) feeds.emplace_back(dy, ds);
    const std::size_t before = runtime().pool()->live_bytes();
    REQUIRE(before == feeds.size() * 4096);
    runtime().pool()->reset_peak();
    {
      const auto out = run(runtime(), DType::f32, feeds);
      CHECK(runtime().pool()->live_bytes() == before + out.size() * 4096);
    }
    CHECK(runtime().pool()->peak_bytes() == run.peak_bytes(sizes, DType::f32));
    CHECK(runtime().pool()->live_bytes() == before);
    if (!training) CHECK(run.peak_bytes(sizes, DType::f32) == 4 * 4096);  // x, w, and two of the chain
  }
}

TEST_CASE("cheap values are computed again instead of kept: the same bits in less memory, costly ones once") {
  Graph g;
  const Var x = g.input("x", {T, 512}, Kind::real, true);
  Var y = x;
  for (int i = 0; i < 4; ++i) y = apply<Laborious>({exponential(square(y))});
  const Var dy = g.input("dy", {T, 512});
  const std::vector<Var> wanted{g.backward({&y, 1}, {&dy, 1}, {&x, 1})[0], y};
  const Bindings sizes{{"T", 2}};
  Run plain(g, wanted), again(g, wanted, {.recompute = sizes});
  const Run::Feeds feeds{{x, pooled({2, 512}, 0.5f)}, {dy, pooled({2, 512}, 0.01f)}};
  std::vector<Tensor> made;
  for (Run* run : {&plain, &again}) {
    for (int turn = 0; turn < 2; ++turn) {  // the second by its plan
      const std::size_t before = runtime().pool()->live_bytes();
      runtime().pool()->reset_peak();
      for (const Tensor& t : (*run)(runtime(), DType::f32, feeds)) made.push_back(t.copy());
      CHECK(runtime().pool()->peak_bytes() - before + 2 * 4096 == run->peak_bytes(sizes, DType::f32));
    }
  }
  for (std::size_t i = 2; i < made.size(); ++i) CHECK(same_bits(made[i], made[i % 2]));
  // The backward reads what goes into a layer and what goes into its product; the square between them it does not.
  CHECK(again.peak_bytes(sizes, DType::f32) <= plain.peak_bytes(sizes, DType::f32) - 3 * 4096);
  CHECK(again.order().size() == plain.order().size() + 4 * 2);
  CHECK(again.flops(sizes) == plain.flops(sizes));
}

TEST_CASE("where runs follow each other small values keep their memory, results never, and every bit is the same") {
  Graph g;
  const Var x = g.input("x", {T, 512}), y = exponential(square(x)), z = mul(y, add(y, x));
  Run leaves(g, {z}), stays(g, {z}, {.stay = true});
  const Tensor a = pooled({2, 512}, 0.5f), b = pooled({2, 512}, 0.25f);
  const std::size_t before = runtime().pool()->live_bytes();
  const Tensor first = stays(runtime(), DType::f32, {{x, a}})[0], kept = first.copy();
  CHECK(runtime().pool()->live_bytes() == before + 4 * 4096);  // the square, its exponential, the sum; and the result
  CHECK(runtime().pool()->live_bytes() == before + stays.peak_bytes({{"T", 2}}, DType::f32) - 4096);  // x is `before`
  const Tensor second = stays(runtime(), DType::f32, {{x, b}})[0];
  CHECK(same_bits(first, kept));
  CHECK(same_bits(first, leaves(runtime(), DType::f32, {{x, a}})[0]));
  CHECK(same_bits(second, leaves(runtime(), DType::f32, {{x, b}})[0]));
  stays.release();
  CHECK(runtime().pool()->live_bytes() == before + 2 * 4096);
}

TEST_CASE("a size that grows from run to run binds the plan anew") {
  Graph g;
  const Var past = g.input("past", {P, 3}), x = g.input("x", {T, 3}), w = g.input("w", {3});
  const std::vector<Var> outputs{mul(square(past), w), square(mul(x, w))};
  Run grows(g, outputs, {.stay = true, .growing = "P"});
  for (const i64 length : {1, 2, 3, 7, 2, 1}) {
    const Run::Feeds feeds{{past, random({length, 3}, 5)}, {x, random({2, 3}, 6)}, {w, random({3}, 7)}};
    const auto made = grows(runtime(), DType::f64, feeds), anew = Run(g, outputs)(runtime(), DType::f64, feeds);
    for (std::size_t i = 0; i < made.size(); ++i) CHECK(same_bits(made[i], anew[i]));
  }
  CHECK_THROWS_WITH_AS(
      grows(runtime(), DType::f64, {{past, random({2, 4}, 5)}, {x, random({2, 3}, 6)}, {w, random({3}, 7)}}),
      "run: the input past has the shape [P, 3] (here 3), but [2, 4] was given", Error);
}

TEST_CASE("after an error a run computes as before") {
  Graph g;
  const Var x = g.input("x", {T, 3}, Kind::real, true), y = square(x), z = apply<Careless>({y}),
            dz = g.input("dz", {T, 3});
  Run run(g, {g.backward({&z, 1}, {&dz, 1}, {&x, 1})[0]}), good(g, {y}, {.stay = true});
  const Tensor in = pooled({2, 3}, 2);
  const std::size_t before = runtime().pool()->live_bytes();
  CHECK_THROWS_AS(run(runtime(), DType::f32, {{x, in}, {dz, in}}), Error);
  CHECK(runtime().pool()->live_bytes() == before);  // what it had computed until then is gone
  CHECK(good(runtime(), DType::f32, {{x, in}})[0].at(0) == 4);
}

TEST_CASE("a peak beyond all memory is an error of kind size, not a small number") {
  Graph g;
  const Var x = g.input("x", {T, T});
  const Run run(g, {square(x)});
  try {
    run.peak_bytes({{"T", i64{1} << 31}}, DType::f64);
    FAIL("2^65 bytes were counted");
  } catch (const Error& e) {
    CHECK(e.failure == Failure::size);
  }
}

TEST_CASE("what a backward does not declare to read is gone before it runs") {
  Graph g;
  const Var x = g.input("x", {1024}, Kind::real, true);
  const Var a = exponential(x), y = apply<Witness>({a}), z = exponential(y), dz = g.input("dz", {1024});
  const auto gradient = g.backward({&z, 1}, {&dz, 1}, {&x, 1});
  Run run(g, gradient);
  REQUIRE(runtime().pool()->live_bytes() == 0);
  run(runtime(), DType::f32, {{x, Tensor::zeros({1024}, DType::f32)}, {dz, Tensor::full({1024}, 1, DType::f32)}});
  // Live in the backward of the witness: the output of the first exponential, the witness's saved value, the cotangent
  // that arrives and the gradient that it makes. Its own output, its signs and z are not.
  CHECK(Witness::live_in_backward == 4 * 4096);
}

TEST_CASE("a backward that reads what it did not declare is told so") {
  Graph g;
  const Var x = g.input("x", {3}, Kind::real, true), y = apply<Careless>({x}), dy = g.input("dy", {3});
  Run run(g, g.backward({&y, 1}, {&dy, 1}, {&x, 1}));
  CHECK_THROWS_WITH_AS(run(runtime(), DType::f64, {{x, random({3}, 1)}, {dy, random({3}, 2)}}),
                       "careless: its backward reads input 0, and `reads` does not say so", Error);
}

TEST_CASE("a constant is converted once for each type") {
  Graph g;
  const Tensor wide = Tensor::from({1, 2, 3}, {3});
  const Var c = g.constant(wide), x = g.input("x", {3});
  Run run(g, {c, mul(x, c)});
  const Run::Feeds single{{x, Tensor::zeros({3}, DType::f32)}}, twice{{x, Tensor::zeros({3}, DType::f64)}};
  const Tensor first = run(runtime(), DType::f32, single)[0];
  CHECK(first.dtype() == DType::f32);
  CHECK(run(runtime(), DType::f32, single)[0].raw() == first.raw());
  CHECK(run(runtime(), DType::f64, twice)[0].raw() == wide.raw());
  CHECK(run(runtime(), DType::f32, single)[0].raw() == first.raw());
}

TEST_CASE("floating point operations are counted, a backward as two forwards") {
  Graph g;
  const Var x = g.input("x", {T, 8}, Kind::real, true), y = square(x), dy = g.input("dy", {T, 8});
  CHECK(Run(g, {y}).flops({{"T", 4}}) == 32);
  CHECK(Run(g, g.backward({&y, 1}, {&dy, 1}, {&x, 1})).flops({{"T", 4}}) == 64);
}
