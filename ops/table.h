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

// The reference, made from the rows.
std::string list();                   // a line an op: `weft ops`
std::string describe(const Op& op);   // one in full: `weft ops NAME`
std::string json();                   // `weft ops --json`
std::string markdown();               // docs/ops.md

}  // namespace weft::ops
