// What a stream keeps is enough to go on from: elsewhere, in more rows, at positions of their own.
#include <doctest/doctest.h>

#include "tests/models/build.h"

using namespace weft;
using namespace weft::dsl;

namespace {

// Constant states, a cache, a tree, positions that all rows share, no streaming form.
const std::vector<std::pair<std::string, std::vector<std::string>>> kModels = {
    {tests::std_file("retnet"), {"params.D=16", "params.layers=2"}},
    {tests::std_file("mamba2"), {"params.D=16", "params.layers=2"}},
    {tests::std_file("fast_weights_lm"), {"params.D=16", "params.layers=2"}},
    {tests::std_file("transformer"), {"params.D=16", "params.layers=2"}},
    {tests::std_file("treefold"), {"params.D=16", "params.layers=2"}},
    {tests::around("    out: x * (1 + position())\n"), {}},
    {tests::around("    out: tril(x @ x^T) @ x / 9\n"), {}},
};

}  // namespace

TEST_CASE("a stream goes on from what another kept, to the bit, also with the rows apart and together again") {
  for (const auto& [text, set] : kModels) {
    CAPTURE(text);
    const auto model = tests::built(text, set);
    Runtime runtime;
    const auto weights = tests::random_weights(*model);
    const Tensor tokens = tests::batch(2, 12).tokens;
    const auto first = model->stream(runtime, weights), second = model->stream(runtime, weights);
    first->feed(tests::part(tokens, 0, 9));
    const Kept kept = first->kept();
    CHECK(kept.positions == std::vector<i64>{9, 9});
    const Tensor wanted = first->feed(tests::part(tokens, 9, 12));
    const Kept both[] = {row(kept, 0), row(kept, 1)};
    second->feed(tests::part(tokens, 3, 5));  // is forgotten
    second->go_on(joined(both));
    CHECK(same_bits(second->feed(tests::part(tokens, 9, 12)), wanted));
    CHECK(second->position() == 12);
    second->go_on({});
    second->feed(tests::part(tokens, 0, 9));
    CHECK(same_bits(second->feed(tests::part(tokens, 9, 12)), wanted));
  }
}

TEST_CASE("two streams that go on from the same state do not meet in the memory of a cache") {
  for (const auto& [text, set] : kModels) {
    CAPTURE(text);
    const auto model = tests::built(text, set);
    Runtime runtime;
    const auto weights = tests::random_weights(*model);
    const Tensor tokens = tests::batch(1, 12).tokens, others = tests::batch(1, 24).tokens;
    const auto first = model->stream(runtime, weights), second = model->stream(runtime, weights);
    first->feed(tests::part(tokens, 0, 6));
    const Kept kept = first->kept();
    std::vector<Tensor> alone;
    for (i64 t = 6; t < 12; ++t) alone.push_back(first->feed(tests::part(tokens, t, t + 1)));
    first->go_on(kept);
    second->go_on(kept);
    for (i64 t = 6; t < 12; ++t) {
      const Tensor found = first->feed(tests::part(tokens, t, t + 1));
      second->feed(tests::part(others, t + 12, t + 13));
      CHECK(same_bits(found, alone[static_cast<std::size_t>(t - 6)]));
    }
  }
}

TEST_CASE("rows at different positions go on as each does alone, in models that can have them") {
  i64 apart = 0;
  for (const auto& [text, set] : kModels) {
    CAPTURE(text);
    const auto model = tests::built(text, set);
    Runtime runtime;
    const auto weights = tests::random_weights(*model);
    const Tensor tokens = tests::batch(1, 12).tokens;
    const auto stream = model->stream(runtime, weights);
    if (!stream->rows_apart()) continue;
    ++apart;
    std::vector<Kept> parts;
    std::vector<Tensor> wanted;
    for (const i64 n : {3, 7, 10}) {
      stream->go_on({});
      stream->feed(tests::part(tokens, 0, n));
      parts.push_back(stream->kept());
      wanted.push_back(stream->feed(tests::part(tokens, n, n + 1)));
    }
    stream->go_on(joined(parts));
    const auto t = tokens.values<i32>();
    const Tensor found = stream->feed(Tensor::of_indices(std::vector<i32>{t[3], t[7], t[10]}, {3, 1}));
    // f64; one row is multiplied in another order than three.
    for (i64 r = 0; r < 3; ++r)
      CHECK(tests::distance(found.entry(r), wanted[static_cast<std::size_t>(r)].entry(0)) < 1e-10);
    CHECK(stream->kept().positions == std::vector<i64>{4, 8, 11});
  }
  CHECK(apart == 4);  // a cache, a table of positions and a prefix are of one length for all rows
}

TEST_CASE("a state of another model, type or number of rows is refused with what is wrong") {
  const auto retnet = tests::built(kModels[0].first, {"params.D=16", "params.layers=2"}),
             wider = tests::built(kModels[0].first, {"params.D=32", "params.layers=2"}),
             other = tests::built(kModels[1].first, kModels[1].second);
  Runtime runtime;
  const auto said = [&](const Kept& kept) {
    const auto stream = retnet->stream(runtime, tests::random_weights(*retnet));
    try {
      stream->go_on(kept);
    } catch (const Error& e) {
      CHECK(e.failure == Failure::data);
      return std::string(e.what());
    }
    return std::string();
  };
  const auto kept = [&](const Model& model, DType dtype = DType::f64) {
    const auto stream = model.stream(runtime, tests::random_weights(model, dtype));
    stream->feed(tests::batch(2, 3).tokens);
    return stream->kept();
  };
  Kept rows = kept(*retnet);
  CHECK(said(rows) == "");
  CHECK(said(kept(*other)).starts_with("the state does not fit the model: "));
  CHECK(said(kept(*wider)).find("the model keeps f64 [B, ") != std::string::npos);
  CHECK(said(kept(*retnet, DType::f32)).find(" is f32 [2, ") != std::string::npos);
  rows.positions.pop_back();
  CHECK(said(rows).find("the model keeps") != std::string::npos);
  rows.states.begin()->second = Tensor();
  CHECK_FALSE(said(rows).empty());
}

// A stream changes between one thread and all of them as it finds either faster: here within the first 14 tokens.
TEST_CASE("a stream gives the same bits on any number of threads") {
  for (const std::string name : {"retnet", "fast_weights_lm", "transformer", "treefold"}) {
    CAPTURE(name);
    const auto model = tests::built(tests::std_file(name), {"params.D=128", "params.layers=1"});
    const auto weights = tests::random_weights(*model, DType::f32);
    const Tensor tokens = tests::batch(1, 40).tokens;
    const auto logits = [&](const RuntimeOptions& options) {
      Runtime runtime(options);
      const auto stream = model->stream(runtime, weights);
      std::vector<Tensor> all = {stream->feed(tests::part(tokens, 0, 9))};
      for (i64 t = 9; t < 40; ++t) all.push_back(stream->feed(tests::part(tokens, t, t + 1)));
      return all;
    };
    const std::vector<Tensor> alone = logits({.parallel = "serial"});
    for (const int threads : {2, 3, 5}) {
      const std::vector<Tensor> many = logits({.threads = threads});
      for (std::size_t i = 0; i < alone.size(); ++i) CHECK(same_bits(many[i], alone[i]));
    }
  }
}
