#pragma once
// What the tests of the syntactic front share.

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "dsl/codes.h"
#include "dsl/diagnostic.h"
#include "dsl/file.h"
#include "dsl/options.h"
#include "dsl/overrides.h"

namespace weft::dsl {

inline SourcePtr text_source(std::string text) { return make_source("test.yaml", std::move(text)); }

/// Every code once, in order of position: "E0106 E0301".
inline std::string codes_of(const Diagnostics& diagnostics) {
  std::string out;
  for (const Diagnostic* d : diagnostics.sorted()) out += (out.empty() ? "" : " ") + d->code;
  return out;
}

/// "line:col" of the first diagnostic.
inline std::string first_place(const Diagnostics& diagnostics) {
  const auto list = diagnostics.sorted();
  if (list.empty()) return "nothing";
  const LineColumn at = place(list[0]->span);
  return std::to_string(at.line) + ":" + std::to_string(at.column);
}

inline Yaml plain_scalar(const std::string& text) {
  Yaml value;
  value.kind = Yaml::Kind::scalar;
  value.text = text;
  value.span = {text_source(text), 0, static_cast<int>(text.size())};
  return value;
}

/// A small table of options, in the manner of `train`.
inline std::vector<Option> test_tables() {
  using K = OptionKind;
  const Option adamw{"adamw",
                     K::section,
                     {},
                     {},
                     {},
                     {},
                     "decoupled decay",
                     {{"lr", K::real, "1e-3", 0.0},
                      {"betas", K::list, "[0.9, 0.95]", 2.0, 2.0, {}, "", {{"beta", K::real, {}, 0.0, 1.0}}}}};
  const Option sgd{"sgd", K::section, {}, {}, {}, {}, "", {{"lr", K::real, "0.1"}, {"nesterov", K::boolean, "false"}}};
  const Option train{"train",
                     K::section,
                     {},
                     {},
                     {},
                     {},
                     "",
                     {{"steps", K::whole, "1000", 1.0},
                      {"batch", K::whole, "32", 1.0},
                      {"form", K::word, "auto", {}, {}, {"auto", "recurrent", "chunkwise", "parallel"}},
                      {"optimizer", K::one_of, "adamw", {}, {}, {}, "", {adamw, sgd}},
                      {"carry_state", K::boolean, "false"}}};
  const Option text{
      "text", K::section, {}, {},
      {},     {},         "", {{"path", K::path}, {"tokenizer", K::word, "char", {}, {}, {"char", "byte"}}}};
  const Option copy{"copy", K::section, {}, {}, {}, {}, "", {{"length", K::whole, "10", 1.0}}};
  const Option eval{
      "eval",
      K::section,
      {},
      {},
      {},
      {},
      "",
      {{"every", K::whole, "250"},
       {"metrics", K::list, "[loss]", {}, {}, {}, "", {{"metric", K::word, {}, {}, {}, {"loss", "bits_per_char"}}}},
       {"watch", K::expressions}}};
  return {{"data", K::one_of, {}, {}, {}, {}, "", {text, copy}}, train, eval};
}

/// Everything the front says about a description.
inline std::string front_codes(const std::string& text, Diagnostics& diagnostics) {
  const std::vector<Option> tables = test_tables();
  const File file = parse_file(text_source(text), diagnostics, tables);
  const Scope scope = evaluate_params(file.params, {}, {}, {}, {file.source, 0, 1}, "the description", diagnostics);
  run_checks(file.checks, scope, diagnostics);
  if (file.train)
    read_options(tables[1], file.train, file.tree->find_entry("train")->key.span, scope, diagnostics, tables);
  return codes_of(diagnostics);
}

inline std::string front_codes(const std::string& text) {
  Diagnostics diagnostics;
  return front_codes(text, diagnostics);
}

}  // namespace weft::dsl
