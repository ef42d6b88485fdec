// The tree of a fold: which nodes a number of tokens completes, and where each stands in the table of its row.
//
// A node of level l covers 2^l tokens, and is the r-th of its level (r = 1, 2, ...) when it ends with token r 2^l. Of
// what came before, the last complete node of every level is all that is needed: a pending left sibling is among them.
//
//     slots of a row:  kLevels states | tokens | nodes, level by level | kLevels + tokens prefixes, where wanted
#pragma once
#include <bit>
#include <span>
#include <vector>

#include "engine/error.h"

namespace weft::ops {

/// Levels 0 (the token itself) to 24: 2^24 tokens, up to which an f32 counts.
inline constexpr i64 kTreeLevels = 25;
inline constexpr i64 kTreeTokens = i64{1} << (kTreeLevels - 1);

/// One merge: slots of the whole table; `left` is -1 where `right` is only copied.
struct TreeMerge {
  i64 row, index, left, right, out;
};
/// Merges that do not need each other. In a tree `index` is the node's place in its level, else a length.
struct TreeRound {
  i64 level;
  bool prefixes;
  std::vector<TreeMerge> merges;
};

/// One row of a batch: `tokens` more after `before`.
class TreeRow {
 public:
  TreeRow(i64 before, i64 tokens) : before_(before), tokens_(tokens) {
    i64 next = kTreeLevels + tokens;
    base_[0] = kTreeLevels;
    for (i64 l = 1; l < kTreeLevels; ++l) {
      base_[l] = next;
      next += (end() >> l) - (before >> l);
    }
  }
  static i64 slots(i64 tokens, bool prefixes) { return (prefixes ? 3 : 2) * (kTreeLevels + tokens); }

  i64 before() const { return before_; }
  i64 end() const { return before_ + tokens_; }
  /// Node `r` of a level, which is the last complete one of the state or new; -1 for none.
  i64 node(i64 level, i64 r) const {
    const i64 known = before_ >> level;
    return r == 0 ? -1 : r == known ? level : base_[level] + r - known - 1;
  }
  /// The merge of all tokens up to `length`; one that ends in the state is found by its lowest set bit.
  i64 prefix(i64 length) const {
    const i64 first = 2 * (kTreeLevels + tokens_);
    return length > before_ ? first + kTreeLevels + length - before_ - 1 : first + lowest(length);
  }
  static i64 lowest(i64 length) { return std::countr_zero(static_cast<u64>(length)); }

 private:
  i64 before_, tokens_, base_[kTreeLevels];
};

/// The rows of a batch, from the number of tokens before each.
inline std::vector<TreeRow> tree_rows(std::span<const i32> before, i64 tokens) {
  std::vector<TreeRow> rows;
  for (const i64 p : before) {
    check(p >= 0 && p + tokens <= kTreeTokens, "a fold counts from 0 to {} tokens, not from {} to {}", kTreeTokens, p,
          p + tokens);
    rows.emplace_back(p, tokens);
  }
  return rows;
}

/// The rounds that complete the tables of all rows: T - popcount(T) merges for T tokens from the start, and with
/// `prefixes` one more a token at most (and as many as there are levels, for the state).
inline std::vector<TreeRound> tree_rounds(const std::vector<TreeRow>& rows, i64 slots, bool prefixes) {
  std::vector<TreeRound> rounds;
  for (i64 level = 1; level < kTreeLevels; ++level) {
    TreeRound& round = rounds.emplace_back(TreeRound{level, false, {}});
    for (i64 b = 0; b < std::ssize(rows); ++b) {
      const TreeRow& row = rows[static_cast<std::size_t>(b)];
      for (i64 r = (row.before() >> level) + 1; r <= row.end() >> level; ++r) {
        round.merges.push_back({b, r, b * slots + row.node(level - 1, 2 * r - 1),
                                b * slots + row.node(level - 1, 2 * r), b * slots + row.node(level, r)});
      }
    }
  }
  // A prefix is the one without its last block, merged with that block; the shorter one ends in a larger block.
  for (i64 level = kTreeLevels - 1; prefixes && level >= 0; --level) {
    TreeRound& round = rounds.emplace_back(TreeRound{level + 1, true, {}});
    for (i64 b = 0; b < std::ssize(rows); ++b) {
      const TreeRow& row = rows[static_cast<std::size_t>(b)];
      const auto add = [&](i64 length) {
        if (TreeRow::lowest(length) != level) return;
        const i64 shorter = length & (length - 1), from = b * slots;
        round.merges.push_back({b, length, shorter ? from + row.prefix(shorter) : -1,
                                from + row.node(level, length >> level), from + row.prefix(length)});
      };
      if (row.end() == row.before()) continue;
      for (i64 length = row.before() & (row.before() + 1); length; length &= length - 1) add(length);
      const i64 step = i64{1} << level;
      for (i64 length = (row.before() / step + 1) * step; length <= row.end(); length += step) add(length);
    }
  }
  std::erase_if(rounds, [](const TreeRound& r) { return r.merges.empty(); });
  return rounds;
}

}  // namespace weft::ops
