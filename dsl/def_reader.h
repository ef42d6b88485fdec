#pragma once
// The readers behind parse_file: one for definitions, one for compositions.

#include <set>
#include <vector>

#include "dsl/file.h"

namespace weft::dsl {

/// The entries of `defs:`.
std::vector<Def> read_defs(const Yaml& value, Diagnostics& diagnostics);

/// Warns of inputs, weights, values, states and params of a def that nothing reads.
void warn_unused(const Def& def, Diagnostics& diagnostics);

/// Warns of params that nothing reads, and of defs that the composition does not reach: nobody checks their shapes.
void warn_unused(const File& file, Diagnostics& diagnostics);

/// Whether anything in the file reads the param, or seems to.
bool is_read(const File& file, const std::string& param);

/// Every op and def that the equations of a def call.
std::set<std::string> calls_in(const Def& def);

/// A composition: a list of items, or one item alone.
std::vector<Item> read_items(const Yaml& value, Diagnostics& diagnostics);

/// `inline: {params, check, defs, model}`: a description inside a description.
std::shared_ptr<const File> read_inline(const Entry& entry, Diagnostics& diagnostics);

}  // namespace weft::dsl
