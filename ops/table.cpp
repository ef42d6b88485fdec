#include "ops/table.h"

#include <algorithm>

namespace weft::ops {

const Op* find(std::string_view name) {
  const auto& rows = table();
  const auto at =
      std::lower_bound(rows.begin(), rows.end(), name, [](const Op* op, std::string_view n) { return op->name < n; });
  return at != rows.end() && (*at)->name == name ? *at : nullptr;
}

}  // namespace weft::ops
