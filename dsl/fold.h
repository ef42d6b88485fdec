// From a fold to the graph: the op `fold` makes the tree, `fold_sum` and `fold_read` read it (read in
// dsl/fold_read.cpp).
#pragma once
#include "dsl/inner.h"

namespace weft::dsl {

/// What the ops that read a tree take of it.
struct FoldTree {
  struct Value {
    std::string name;
    Dims dims;  // of a node
    Var table, prefix;
  };
  Var count;  // tokens before, an index a row
  std::vector<Value> values;
  const Value* find(const std::string& name) const;
};

/// Builds it in `builder`'s graph and leaves the names of `read` in its room as sequences, T before the last dimension.
/// Throws Failed.
void lower_fold(Builder& builder, const Fold& fold);
/// The part of `lower_fold` behind the tree.
void read_fold(Builder& builder, const Fold& fold, const FoldTree& tree);

/// Appends what it is to `program.folds` (explanation.cpp).
void explain(Builder& builder, const Fold& fold, const FoldTree& tree);

/// A sum over the levels as a sequence [B, T, ...], and one entry of it, [B, ...].
struct FoldSum {
  Var sum;
  Dims entry;
};
/// Nothing where `e` is no sum over `L` of an expression in node values alone, or one that fails: the plain read
/// reports it. `read` holds the names of `read` so far.
FoldSum level_sum(Builder& builder, const FoldTree& tree, const Room& read, const Expr& e);
/// Random numbers from `low` to `high`, in f64.
Tensor drawn(const Var& v, const Bindings& sizes, u64 key, double low = -1, double high = 1);

/// Whether `e` is a call of `name` with one node value, whose name is then given; an error for other arguments.
std::optional<std::string> node_call(Builder& builder, const Expr& e, std::string_view name, const FoldTree& tree);
/// A draw in a graph of nodes or positions must belong to one of them: else another cut would draw other numbers.
void require_rows(Builder& inner, std::size_t first_node, const Equation& e);

}  // namespace weft::dsl
