// A JSON Schema (draft-07, which editors know) for descriptions, from the tables that the checker reads by.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "dsl/options.h"
#include "dsl/program.h"

namespace weft::dsl {

/// For any description; `module` gives the layers that are listed by name. With `closed` no other layer is legal: the
/// schema of that one file.
nlohmann::ordered_json json_schema(const Module& module, bool closed, std::span<const Option> sections);

}  // namespace weft::dsl
