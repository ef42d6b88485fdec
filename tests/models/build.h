// Descriptions to models, as the command line does it.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "dsl/codes.h"
#include "dsl/description.h"
#include "models/library.h"

namespace weft::tests {

inline dsl::Surroundings surroundings() {
  static const std::vector<dsl::Option> sections = {
      {.name = "train",
       .kind = dsl::OptionKind::section,
       .children = {{.name = "form",
                     .kind = dsl::OptionKind::word,
                     .fallback = "auto",
                     .choices = {"auto", "recurrent", "chunkwise", "parallel"}},
                    {.name = "carry_state", .kind = dsl::OptionKind::boolean, .fallback = "false"}}}};
  dsl::Surroundings s;
  s.library = [](std::string_view name) -> std::optional<std::string_view> {
    for (const models::Embedded& e : models::library()) {
      if (e.name == std::string(name) + ".yaml") return e.text;
    }
    return {};
  };
  for (const models::Embedded& e : models::library()) {
    s.library_names.emplace_back(e.name.substr(0, e.name.rfind('.')));
  }
  s.sections = sections;
  return s;
}

/// The descriptions of a folder beside this file.
inline std::vector<std::filesystem::path> files_in(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(WEFT_SOURCE "/tests/models/" + folder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}
inline std::string contents(const std::filesystem::path& path) {
  std::ifstream stream(path);
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline std::string std_file(std::string_view name) { return std::string(*surroundings().library(name)); }

/// Null when it has errors.
inline std::shared_ptr<const dsl::Model> build(const std::string& text, dsl::Diagnostics& d,
                                               std::optional<i64> vocab = 16,
                                               const std::vector<std::string>& set = {}) {
  const dsl::Description description(dsl::make_source("test.yaml", text), set, surroundings(), d);
  if (!description.file().tree->is_map()) return nullptr;
  return description.model(vocab, d);
}

/// One that must stand.
inline std::shared_ptr<const dsl::Model> built(const std::string& text, const std::vector<std::string>& set = {}) {
  dsl::Diagnostics d;
  auto model = build(text, d, 16, set);
  INFO(d.render(false));
  REQUIRE(model != nullptr);
  return model;
}

/// A def `f` over [T, D] between an embedding of width 8 and tied logits.
inline std::string around(const std::string& def) {
  return "schema: 1\ndefs:\n  f:\n    in: {x: [T, D]}\n" + def +
         "model: [{embed: {width: 8}}, {residual: {body: [f]}}, {logits: {tie: embed}}]\n";
}

inline dsl::Batch batch(i64 rows, i64 length, u64 seed = 5) {
  std::vector<i32> tokens(static_cast<std::size_t>(rows * length)), targets(tokens.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = static_cast<i32>(bits(Key{seed}, i) % 16);
    targets[i] = static_cast<i32>(bits(Key{seed + 1}, i) % 16);
  }
  return {Tensor::of_indices(tokens, {rows, length}), Tensor::of_indices(targets, {rows, length})};
}

/// Positions begin .. end of tokens [B, T].
inline Tensor part(const Tensor& tokens, i64 begin, i64 end) {
  const i64 rows = tokens.shape()[0], length = tokens.shape()[1];
  std::vector<i32> values;
  for (i64 b = 0; b < rows; ++b) {
    const auto row = tokens.values<i32>().subspan(static_cast<std::size_t>(b * length));
    values.insert(values.end(), row.begin() + begin, row.begin() + end);
  }
  return Tensor::of_indices(values, {rows, end - begin});
}

/// Weights that are not the initial ones: zeros and ones would hide mistakes.
inline std::vector<Tensor> random_weights(const dsl::Model& model, DType dtype = DType::f64, u64 seed = 9) {
  std::vector<Tensor> weights;
  for (const dsl::Weight& w : model.weights()) {
    const Key key = Key{seed}.fold(w.name);
    std::vector<double> values(static_cast<std::size_t>(element_count(w.shape)));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.5 * normal(key, i);
    weights.push_back(Tensor::from(values, w.shape, dtype));
  }
  return weights;
}

/// Whether the loss of position 5 alone depends on later tokens.
inline bool sees_ahead(const dsl::Model& model) {
  Runtime runtime;
  const auto weights = random_weights(model);
  const auto tokens = batch(1, 12).tokens;
  const auto loss = [&](i32 add) {
    std::vector<i32> some(tokens.values<i32>().begin(), tokens.values<i32>().end()), targets(12, -1);
    for (std::size_t i = 6; i < 12; ++i) some[i] = (some[i] + add) % 16;
    targets[5] = 3;
    return model.loss(runtime, weights, {Tensor::of_indices(some, {1, 12}), Tensor::of_indices(targets, {1, 12})}).nats;
  };
  return loss(0) != loss(5);
}

/// Largest difference, relative to the largest element.
inline double distance(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double worst = 0, size = 1e-30;
  for (i64 i = 0; i < a.size(); ++i) {
    worst = std::isnan(a.at(i)) || std::isnan(b.at(i)) ? HUGE_VAL : std::max(worst, std::abs(a.at(i) - b.at(i)));
    size = std::max(size, std::abs(a.at(i)));
  }
  return worst / size;
}

struct Step {
  double loss;
  std::vector<Tensor> gradients;
};
inline Step step(const dsl::Model& model, const std::vector<Tensor>& weights, const dsl::Batch& b,
                 RuntimeOptions options = {}) {
  Runtime runtime(options);
  Step s;
  const dsl::LossSum sum = model.gradients(runtime, weights, b, Key{3}, s.gradients);
  s.loss = sum.nats / static_cast<double>(sum.count);
  return s;
}

}  // namespace weft::tests
