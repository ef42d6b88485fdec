#include "train/text_data.h"

#include <doctest/doctest.h>

#include <set>

#include "models/library.h"
#include "tests/train/temporary.h"

using namespace weft;
using namespace weft::train;

namespace {

TextData text_of(std::string_view text, double fraction = 0.1) {
  return load_text({.path = {}, .builtin = "t", .val_fraction = fraction, .tokenizer = "byte"}, text);
}

std::vector<i32> counting(i32 n) {
  std::vector<i32> tokens;
  for (i32 i = 0; i < n; ++i) tokens.push_back(i);
  return tokens;
}

}  // namespace

TEST_CASE("the first part trains and the rest validates") {
  const TextData data = text_of(std::string(105, 'x'));
  CHECK(data.train.size() == 94);  // int(0.9 * 105)
  CHECK(data.valid.size() == 11);
  CHECK(text_of("0123456789", 0).valid.size() == 0);
}

TEST_CASE("text that is missing, empty or too short is refused with the numbers") {
  const TemporaryFolder folder;
  write_atomically(folder / "empty", "");
  write_atomically(folder / "one", "x");
  const auto failure = [&](const std::string& name, i64 context) {
    const Caught error = caught([&] {
      TrainOptions o;
      o.context = context;
      load_text({.path = {folder / name}}).check_run(o);
    });
    CHECK(error.failure == Failure::data);
    return error.message;
  };
  CHECK(contains(failure("none", 1), "there is no such file"));
  CHECK(contains(failure("empty", 1), "is empty"));
  CHECK(contains(failure("one", 1), "the training part has 0 characters, a context of 1 needs at least 2"));
  write_atomically(folder / "forty", std::string(40, 'x'));
  CHECK(contains(failure("forty", 36), "has 36 characters, a context of 36 needs at least 37"));
  TrainOptions fits;
  fits.context = 35;
  load_text({.path = {folder / "forty"}}).check_run(fits);
  write_atomically(folder / "ten", std::string(10, 'x'));
  CHECK(contains(failure("ten", 2), "the validation part has 1 character"));
}

TEST_CASE("a training window is a piece of the text and its targets are one further on") {
  const auto tokens = counting(100);
  const dsl::Batch batch = training_batch(tokens, 1, 5, 0, 40, 7);
  CHECK(batch.tokens.shape() == Shape{40, 7});
  const auto x = batch.tokens.values<i32>(), y = batch.targets.values<i32>();
  std::set<i32> starts;
  for (std::size_t i = 0; i < x.size(); ++i) {
    CHECK(y[i] == x[i] + 1);
    if (i % 7 != 0) CHECK(x[i] == x[i - 1] + 1);
    if (i % 7 == 0) starts.insert(x[i]);
  }
  CHECK(starts.size() > 20);
}

TEST_CASE("every place of the text is drawn, the last token as a target too") {
  const auto tokens = counting(8);
  std::set<i32> seen;
  for (i64 step = 0; step < 50; ++step) {
    const dsl::Batch batch = training_batch(tokens, 3, step, 0, 2, 7);
    for (const i32 t : batch.targets.values<i32>()) seen.insert(t);
  }
  CHECK(seen == std::set<i32>{1, 2, 3, 4, 5, 6, 7});
}

TEST_CASE("a step's windows depend on seed, step and row alone") {
  const auto tokens = counting(1000);
  const auto batch = [&](u64 seed, i64 step, i64 first, i64 rows) {
    return training_batch(tokens, seed, step, first, rows, 4).tokens;
  };
  CHECK(same_bits(batch(1, 2, 0, 6), batch(1, 2, 0, 6)));
  CHECK_FALSE(same_bits(batch(1, 2, 0, 6), batch(1, 3, 0, 6)));
  CHECK_FALSE(same_bits(batch(1, 2, 0, 6), batch(2, 2, 0, 6)));
  // Two halves are the whole: gradient accumulation sees the rows of the large batch.
  const Tensor all = batch(1, 2, 0, 6), late = batch(1, 2, 3, 3);
  for (i64 i = 0; i < late.size(); ++i) CHECK(all.at(12 + i) == late.at(i));
}

TEST_CASE("validation counts every token after the first exactly once") {
  for (const i32 n : {2, 3, 5, 16, 17, 18, 33, 100}) {
    const auto tokens = counting(n);
    const ValidationBatches batches(tokens, 3, 4);
    std::vector<i32> counted;
    for (i64 i = 0; i < batches.count(); ++i) {
      const dsl::Batch batch = batches.at(i);
      CHECK(batch.tokens.shape()[1] == 4);
      const auto x = batch.tokens.values<i32>(), y = batch.targets.values<i32>();
      for (std::size_t j = 0; j < y.size(); ++j) {
        if (y[j] < 0) continue;
        CHECK(x[j] == y[j] - 1);
        counted.push_back(y[j]);
      }
    }
    CHECK(counted == std::vector<i32>(tokens.begin() + 1, tokens.end()));
  }
}

TEST_CASE("a changed text has another hash") {
  CHECK(text_of("hello world").hash == text_of("hello world").hash);
  CHECK(text_of("hello world").hash != text_of("hello worlD").hash);
}

TEST_CASE("the built-in text is the snapshot that recorded losses were measured on") {
  const TextData data = load_text({.builtin = "weft"}, models::builtin_text());
  CHECK(data.train.size() + data.valid.size() == 1161437);
  CHECK(data.hash == "07f44554ddad30d9");
}
