#pragma once
// Reading the fields of a located tree: every reader of a section says what it wants in the same
// words.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/expression.h"
#include "dsl/yaml.h"

namespace weft::dsl {

/// Reports another kind than the wanted one; `what` is its subject ("`params`").
bool expect_kind(const Yaml& value, Yaml::Kind kind, const std::string& what, Diagnostics& diagnostics);

/// A map whose keys are all in `legal`; every other key is reported with a guess.
bool expect_keys(const Yaml& value, const std::string& what, const std::vector<std::string>& legal,
                 Diagnostics& diagnostics);

/// The error for one key that is not legal here.
Diagnostic& unknown_key(const Yaml& key, const std::string& what, const std::vector<std::string>& legal,
                        Diagnostics& diagnostics);

/// Reports a missing key at `where`; nullptr then.
const Yaml* require(const Yaml& map, std::string_view key, const std::string& what, const Span& where,
                    Diagnostics& diagnostics);

/// A text under a key, "" when absent.
std::string read_text(const Yaml& map, std::string_view key, Diagnostics& diagnostics);

/// `true` or `false`, plain; `otherwise` when absent.
bool read_bool(const Yaml& map, std::string_view key, bool otherwise, Diagnostics& diagnostics);
std::optional<bool> parse_bool(const Yaml& value, const std::string& what, Diagnostics& diagnostics);

/// An expression under a key; nullptr when absent or wrong (reported).
ExprPtr read_expression(const Yaml& map, std::string_view key, Diagnostics& diagnostics);

/// A key that declares a name: no word of the grammar, not T.
bool check_new_name(const Yaml& key, const std::string& what, Diagnostics& diagnostics);

}  // namespace weft::dsl
