// A description that stands alone: what it imports and uses, and the layers it takes from the prelude, copied in.
#pragma once
#include "dsl/modules.h"

namespace weft::dsl {

/// Rewrites the tree of `module`. The names of all weights stay, and with them their first values and files of weights:
/// a `use` becomes an `inline` under the name of its place, the defs of an import keep their dotted names, and a copied
/// layer of the prelude that would hide an op is renamed, with `name:` where it stands. What cannot be copied without a
/// change of meaning stays in the prelude; `notes` say what. Throws Failed when a file cannot be copied in (reported).
void expand(const Module& module, Yaml& tree, Modules& modules, std::vector<std::string>& notes,
            Diagnostics& diagnostics);

}  // namespace weft::dsl
