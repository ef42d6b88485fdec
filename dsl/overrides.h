#pragma once
// `--set a.b.c=v`: changes to the located tree before anything is read from it.

#include <span>
#include <string>
#include <vector>

#include "dsl/options.h"

namespace weft::dsl {

/// Applies every "path=value" to the tree, in order. `sections` are the tables of data, train, ...:
/// a path under one of them must exist there; other paths must exist in the tree. Errors point into
/// `<--set #1>` and so on.
void apply_overrides(Yaml& tree, const std::vector<std::string>& settings, std::span<const Option> sections,
                     Diagnostics& diagnostics);

/// One change, for sweeps: the same rules, the path given at `span`.
void apply_override(Yaml& tree, const std::string& path, const Span& span, Yaml value, std::span<const Option> sections,
                    Diagnostics& diagnostics);

}  // namespace weft::dsl
