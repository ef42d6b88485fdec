// The tables of a fold as other ops take them: [B, slots, ...], with the tokens before in `count`.
#pragma once
#include "ops/shared/inner_graph.h"
#include "ops/shared/tree.h"

namespace weft::ops {

inline Dim table_slots(const Dim& length, bool prefixes) { return Dim(prefixes ? 3 : 2) * (Dim(kTreeLevels) + length); }

inline void require_table(const InputDims& in, std::size_t i, const Dim& length, const Dims& entry) {
  const auto is = [&](bool prefixes) {
    return same_size(in[i], placed(batch_of(in), table_slots(length, prefixes), entry));
  };
  in.require(is(false) || is(true),
             fmt::format("{} is no table of nodes {} over {} tokens", text(in[i]), text(entry), length.text()));
}

/// Slots [rows of a batch, slots of a row] of a table.
struct TreeTables {
  std::vector<TreeRow> rows;
  i64 length, slots;
  template <class T> TreeTables(const Kernel<T>& k, const Dim& tokens, std::size_t table)
      : rows(tree_rows(k.indices(0), tokens.value())), length(tokens.value()), slots(k.shape(table)[1]) {}
  /// Node `r` of a level in the table, -1 for none.
  i64 node(i64 row, i64 level, i64 r) const {
    const i64 slot = rows[static_cast<std::size_t>(row)].node(level, r);
    return slot < 0 ? slot : row * slots + slot;
  }
};

}  // namespace weft::ops
