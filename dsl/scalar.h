#pragma once
// Where the characters of a decoded scalar stand in the source.

#include <string_view>
#include <vector>

#include "dsl/yaml.h"

namespace weft::dsl {

struct ScalarScan {
  std::vector<int> offsets;  // per byte of the text, and one past its end
  int end = 0;               // one past the scalar in the source, closing quote included
  bool closed = true;        // false for a quote that does not close on its line
};

/// Rescans the source from the scalar's first character.
ScalarScan scan_scalar(std::string_view source, int begin, Yaml::Style style, std::string_view text);

}  // namespace weft::dsl
