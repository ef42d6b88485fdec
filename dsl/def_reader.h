#pragma once
// The readers behind parse_file: one for definitions, one for compositions.

#include <vector>

#include "dsl/file.h"

namespace weft::dsl {

/// The entries of `defs:`.
std::vector<Def> read_defs(const Yaml& value, Diagnostics& diagnostics);

/// Warns of inputs, weights, values, states and params of a def that nothing reads.
void warn_unused(const Def& def, Diagnostics& diagnostics);

/// Warns of params that nothing reads, and of defs that the composition does not reach: nobody checks their shapes.
void warn_unused(const File& file, Diagnostics& diagnostics);

/// A composition: a list of items, or one item alone.
std::vector<Item> read_items(const Yaml& value, Diagnostics& diagnostics);

}  // namespace weft::dsl
