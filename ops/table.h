// The table of all ops, generated from the folder: every header in ops/ is a row.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "engine/op.h"

namespace weft::ops {

/// All rows, sorted by name; built on first use, then constant.
const std::vector<const Op*>& table();
/// The row of that name, or null.
const Op* find(std::string_view name);

/// The header from which `weft new --op` starts, one a family: ops/templates/<family>.h with the name `new_op`.
struct Template {
  std::string_view family, text;
};
const std::vector<Template>& templates();

/// A call of an op, made from one of its samples.
struct Example {
  Sample sample;
  std::vector<std::string> inputs;  // their names, absent ones too
  std::string equation;             // "softmax(x, dim=1)"; empty when it has an attribute that equations cannot say
  std::string cpp;                  // "apply<ops::Softmax>({x, {}}, {.dim = {1}})"
};
/// At least one; no two alike.
std::vector<Example> examples(const Op& op);

// The reference, made from the rows.
std::string list();                  // a line an op: `weft ops`
std::string describe(const Op& op);  // one in full: `weft ops NAME`
std::string json();                  // `weft ops --json`
std::string markdown();              // docs/ops.md

}  // namespace weft::ops
