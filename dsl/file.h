#pragma once
// A description as a syntax tree: its structure is checked, its names and shapes are not.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dsl/expression.h"
#include "dsl/options.h"
#include "dsl/params.h"
#include "dsl/sweep.h"

namespace weft::dsl {

constexpr int kSchema = 1;

struct Import {
  std::string alias;
  Span span;  // of the alias
  std::string path;
  Span path_span;
};

/// `x: [T, D]` under `in`.
struct InputDef {
  std::string name;
  Span span;
  ShapeExpr shape;
  Span shape_span;
};

/// `H: heads` under `dims`.
struct DimDef {
  std::string name;
  Span span;
  ExprPtr value;
};

struct WeightDef {
  std::string name;
  Span span;
  ShapeExpr shape;
  Span shape_span;
  ExprPtr init;               // a name, a call or a number; nullptr: the default for its rank
  std::optional<bool> decay;  // nothing: the default for its rank
  bool buffer = false;
  ExprPtr redraw;  // steps between two draws; nullptr: never
};

struct StateDef {
  std::string name;
  Span span;
  ShapeExpr shape;
  Span shape_span;
  ExprPtr init;  // nullptr: zeros
  bool learned = false;
};

struct Form {
  std::string name;  // auto, recurrent, chunkwise, parallel
  Span span;
};

struct Recurrence {
  Span span;  // of the key
  std::string over;
  Span over_span;
  std::vector<StateDef> states;
  std::vector<Equation> step;
  std::vector<Equation> read;
  std::vector<Form> forms;  // empty: auto
  ExprPtr chunk;            // nullptr: chosen by cost
};

struct Fold {
  Span span;  // of the key
  std::string over;
  Span over_span;
  std::vector<Equation> leaf;
  std::vector<Equation> merge;
  std::vector<Equation> read;
};

struct Def {
  std::string name;
  Span span;
  std::string about;
  std::vector<Param> params;
  std::vector<InputDef> in;
  std::vector<DimDef> dims;
  std::vector<WeightDef> weights;
  std::vector<Equation> let;
  std::optional<Recurrence> recurrence;
  std::optional<Fold> fold;
  std::vector<Equation> out;  // one entry named "out", or the entries of a map
  bool out_is_map = false;
  bool broken = false;  // a part had an error (reported) and is missing here
};

struct File;

/// One step of a composition.
struct Item {
  enum class Kind { call, residual, parallel, repeat, cycle, share, use, inlined };
  Kind kind = Kind::call;
  Span span;         // its name or key
  std::string name;  // from `name:`; of `share` the shared name; else empty
  Span name_span;

  std::string callee;  // call: the op or def, perhaps dotted; use: the path of a file
  Span callee_span;
  std::vector<Argument> args;          // call: its arguments; use, inlined: `with`
  std::shared_ptr<const File> inside;  // inlined: its params, checks, defs and model

  std::shared_ptr<Item> norm;  // residual; nullptr: none
  bool pre = true;             // residual: norm before the body

  std::vector<Item> body;                   // residual, repeat, share (empty: a later use)
  std::vector<std::vector<Item>> branches;  // parallel: branches; cycle: the layers to take in turn
  std::string combine = "add";              // parallel: add, concat, mul, gate
  Span combine_span;

  ExprPtr times;        // repeat, cycle
  std::string as;       // repeat, cycle: the name of the counter; empty: none
  bool tied = false;    // repeat: one set of weights for all passes
  bool broken = false;  // a part had an error (reported) and is missing here
};

/// The key that an item of this kind is written with; "" for a call.
constexpr const char* key_of(Item::Kind kind) {
  constexpr const char* keys[] = {"", "residual", "parallel", "repeat", "cycle", "share", "use", "inline"};
  return keys[static_cast<std::size_t>(kind)];
}

/// What the item adds to the names of its weights: the name it was given, or `place` and its kind, "1.residual".
std::string segment_of(const Item& item, const std::string& place);

struct File {
  SourcePtr source;
  std::shared_ptr<const Yaml> tree;

  int schema = kSchema;
  std::string name;
  std::string about;
  std::vector<Param> params;
  std::vector<ExprPtr> checks;
  std::vector<Import> imports;
  std::vector<Def> defs;
  /// Defs with a dotted name, `alias.name`, by their alias: a room of their own, as if a file with them were imported.
  std::vector<std::pair<std::string, std::shared_ptr<const File>>> rooms;
  std::vector<Item> model;
  Span model_span;      // of the key; without source when there is no `model`
  bool broken = false;  // some part had an error (reported)

  // Sections of the tree, nullptr when absent: read later with the tables of whoever runs them.
  const Yaml* data = nullptr;
  const Yaml* train = nullptr;
  const Yaml* eval = nullptr;
  const Yaml* generate = nullptr;

  std::vector<SweepRun> sweep;  // empty: one run
  Span sweep_span;              // of the key

  const Def* find_def(std::string_view def) const;
};

/// Reads and checks the structure of a description; `tables` (data, train, ...) only serve "belongs
/// under `train`".
File parse_file(const SourcePtr& source, Diagnostics& diagnostics, std::span<const Option> tables = {});

/// The same from a tree, after overrides were applied to it.
File parse_file(const SourcePtr& source, Yaml tree, Diagnostics& diagnostics, std::span<const Option> tables = {});

}  // namespace weft::dsl
