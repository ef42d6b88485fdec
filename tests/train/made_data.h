// Data of a section, and batches of them.
#pragma once
#include <doctest/doctest.h>

#include "tests/train/temporary.h"
#include "train/options.h"
#include "train/sequences.h"

namespace weft::train {

// The data of a section, as the program makes them; an error of the section is thrown.
inline std::shared_ptr<const Data> made(const std::string& section, const fs::path& folder = ".",
                                        const Tokenizer* known = nullptr) {
  dsl::Diagnostics d;
  const dsl::SourcePtr source = dsl::make_source((folder / "task.yaml").string(), section);
  const dsl::Yaml tree = dsl::read_yaml(source, d);
  const dsl::Settings data = dsl::read_options(option_table("data"), &tree, {source, 0, 1}, {}, d);
  REQUIRE(!d.has_errors());
  const DataKind& kind = data_kind(data);
  kind.check(data);
  auto loaded = kind.load(data, {.tokenizer = known});
  const dsl::DataSizes told = kind.sizes(data);
  if (told.vocab) CHECK(told.vocab == loaded->sizes.vocab);
  CHECK(told.classes.has_value() == loaded->sizes.classes.has_value());
  if (kind.option.name != "jsonl") CHECK(told.classes == loaded->sizes.classes);  // there they are read
  return loaded;
}

inline TrainOptions options(i64 batch, i64 accumulate = 1, u64 seed = 1) {
  TrainOptions o;
  o.batch = batch, o.accumulate = accumulate, o.seed = seed;
  return o;
}

inline std::vector<i32> row(const Tensor& t, i64 r) {
  const i64 n = t.size() / t.shape()[0];
  const auto all = t.values<i32>();
  return {all.begin() + r * n, all.begin() + (r + 1) * n};
}

inline std::vector<i32> present(std::vector<i32> tokens) {
  while (!tokens.empty() && tokens.back() < 0) tokens.pop_back();
  return tokens;
}

}  // namespace weft::train
