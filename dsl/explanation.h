// What was decided about a recurrence or a fold, for people: `weft explain` prints it, and nothing computes with it.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dsl/diagnostic.h"
#include "engine/dim.h"
#include "engine/tensor.h"

namespace weft::dsl {

struct Reason {
  std::string text;
  Span where;
};

/// What a form takes for one row of a length.
struct FormCost {
  double flops = 0;  // forward; a backward counts as two forwards
  double kept = 0;   // bytes that backward reads: of the names from outside and of what forward left
};

struct FormReport {
  std::string name;              // scan, recurrent, chunkwise or parallel
  std::optional<Reason> hinder;  // why it does not exist
  std::function<FormCost(i64 length, DType)> cost;
};

struct StateReport {
  std::string name, kind, update;
  Dims dims;
  Reason why;  // of this class and no other
};

/// `grad(..)` as it was written, and what it is.
struct GradientReport {
  std::string written, derived;
  Span where;
};

/// A part that a derivation found: `decay` of the state S is `1 - g`.
struct PartReport {
  std::string state, name, text;
};

struct RecurrenceReport {
  std::string def, identity;  // equal identities: the same equations with the same sizes and choices
  std::vector<std::string> paths;
  Span where;
  std::vector<StateReport> states;
  std::vector<GradientReport> gradients;
  std::vector<PartReport> parts;
  std::vector<FormReport> forms;
  std::vector<std::string> ops;  // that run it: linrec, affine_scan or scan
  std::string taken;             // auto, or the form that was demanded; scan where there is no other
  i64 chunk = 0;                 // positions of a chunk, where chunks are taken
  bool chunk_written = false;    // in the file; else it is the op's own choice
};

/// A value of a node, and what it is of a token.
struct NodeReport {
  std::string name, leaf;
  Dims dims;
};

struct FoldReport {
  std::string def, identity;  // as of a recurrence
  std::vector<std::string> paths;
  Span where;
  std::vector<NodeReport> values;
  std::vector<std::pair<std::string, std::string>> merge, read;  // names and what they are, choices made
  struct Part {
    std::string op;  // fold makes the tree, fold_sum and fold_read read it
    std::function<double(i64 length)> flops;
  };
  std::vector<Part> parts;
  bool prefixes = false;
  std::function<double(i64 length, DType)> kept;  // bytes that backward reads, as in `FormCost`
};

}  // namespace weft::dsl
