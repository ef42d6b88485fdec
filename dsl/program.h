// What all parts of one lowering share: the graph that grows, the weights, the states of a stream.
//
// A description is lowered once per mode. The same walk serves the checker and the run: sizes are symbolic (B, T), so
// one graph runs for every batch and length.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dsl/explanation.h"
#include "dsl/file.h"
#include "dsl/initialiser.h"
#include "dsl/model.h"
#include "engine/graph.h"
#include "engine/op.h"

namespace weft::dsl {

enum class Mode {
  train,
  evaluate,
  stream,  // part after part, the caller keeps the states
  carry,   // trained part after part: both
};
inline bool trains(Mode mode) { return mode == Mode::train || mode == Mode::carry; }
inline bool streams(Mode mode) { return mode == Mode::stream || mode == Mode::carry; }

/// A weight of the model, and how it is drawn.
struct WeightSlot {
  Weight weight;
  Initialiser initialiser;
  Var var;
};

/// Freshly drawn; the same seed and names give the same bits.
std::vector<Tensor> draw_weights(const std::vector<WeightSlot>& slots, u64 seed, DType dtype);

/// What a stream keeps: `in` is fed what `out` was one step before; first `start`, or zeros without one.
struct StreamState {
  Var in, out, start;
};

/// A state of a recurrence by its path, for whoever runs a model or a def alone: what it starts from and ends with,
/// [B, ...] both. `start` is an input, fed with `value` unless a tensor is given; of a state that is learned and not
/// given it is the weight, repeated for every row.
struct NamedState {
  std::string name;
  Dims dims;  // without the batch
  Var start, final;
  bool is_input = true;
  double value = 0;
  bool counts = false;  // it holds a whole number from 0 on
};

/// A file and the files it imports, as one room of names.
struct Module {
  File file;
  std::map<std::string, const Module*> imports;
  const Module* prelude = nullptr;  // null in the prelude itself
};
struct FoundDef {
  const Def* def = nullptr;
  const Module* module = nullptr;
  explicit operator bool() const { return def != nullptr; }
};
/// `name` or `alias.name` as seen from `module`; the prelude only when `prelude` is set.
FoundDef find_def(const Module& module, const std::string& name, bool prelude);
/// `alias.name` of an import that could not be read, which has been reported.
bool from_lost_import(const Module& module, const std::string& name);

class Builder;
struct StateForm;

/// How recurrences are computed where forms are held against each other.
struct Proof {
  std::string form = "auto";  // of those that have it, the others by the loop; `loop`: all by their meaning
  i64 chunk = 0;              // instead of their own; 0: their own
  /// Sees each recurrence before it is lowered.
  std::function<void(Builder&, const Recurrence&, const std::vector<StateForm>&)> watch = {};
};
/// A form that was wanted, and why a recurrence does not have it.
struct Underived {
  Span recurrence;
  std::string reason;
  Span where;
};

struct Program {
  Program(Mode mode, Diagnostics& diagnostics)
      : graph(trains(mode) ? Graph::Gradients::yes : Graph::Gradients::no), mode(mode), diagnostics(diagnostics) {}

  Graph graph;
  Mode mode;
  Diagnostics& diagnostics;
  std::string form = "auto";          // of all recurrences
  std::optional<i64> vocab, classes;  // they come with the data
  std::vector<std::string> freeze;    // patterns of weights that are not trained (`train.freeze`)

  std::vector<WeightSlot> weights;
  std::map<std::string, std::size_t> weight_index;
  std::set<i32> masked;         // values whose last dimension is T and which are zero where that is the future
  std::optional<Span> repeats;  // where a value needs all positions before it, so that a stream computes them again
  std::vector<StreamState> states;
  Var begins;  // Mode::carry: [B], not 0 where a row starts anew
  std::optional<Proof> proof;
  std::vector<Underived> underived;    // under `proof`
  std::set<std::string> confirmed;     // recurrences and folds that were tried on random numbers
  bool names_states = false;           // the states of recurrences are kept in `named_states`
  std::set<std::string> given_states;  // those that start from a tensor of the caller
  std::vector<NamedState> named_states;
  bool explains = false;  // `recurrences` and `folds` are recorded
  std::vector<RecurrenceReport> recurrences;
  std::vector<FoldReport> folds;
  bool causal = true;  // it predicts what follows: what needs the whole sequence is an error
  /// The file of a `use` or an `inline`, as seen from `from`; null when it cannot be read (reported).
  std::function<const Module*(const Item& item, const Module& from)> load;
  bool failed = false;           // something did not build, and was reported
  std::vector<const Def*> open;  // defs being built, to see one that calls itself
  int parts = 0;                 // layers and calls of defs so far

  /// The weight of that name, made when it is new: one that is shared is asked for again. `redraw` makes it a buffer,
  /// drawn anew after so many steps (0: never).
  Var weight(const std::string& name, const Dims& dims, bool decays, const Initialiser& initialiser,
             std::optional<i64> redraw = {});
  /// Counts one more layer or call of a def; an error, said once, beyond 10,000. Throws Failed.
  void count_part(const Span& at);
  /// In a stream: what an op takes as a state of these dims, rows among them, carried from call to call, under a name
  /// of its own that begins with `name`. `start` may be empty.
  Var state_input(const std::string& name, const Dims& dims, Var start);
  /// `vocab` and `classes`, those that are known, for a room of names.
  std::vector<std::pair<std::string, i64>> data_sizes() const;
  /// The same as numbers; `classes` is 0 where the model predicts tokens.
  Scope data_numbers() const;
  /// [B, T]: 1 where a token stands, 0 behind the end of a shorter sequence. Without tokens an input of its own.
  Var valid();
  Var tokens, given_valid;  // what it is made of, and that input
  /// Null when no state of that path is kept.
  NamedState* named_state(const std::string& name);
};

/// Applies the op of that name with attributes by name. Errors of shapes are exceptions here: the caller has checked.
std::vector<Var> append(Graph& graph, std::string_view op, std::vector<Var> inputs,
                        std::vector<std::pair<std::string, AttributeValue>> attributes = {});

// ---- dims as the language sees them: without the batch ---------------------------------------------------------

inline bool is_time(const Dim& d) { return d.is("T"); }
/// The symbol, not a size of the user's that has the same name.
inline bool is_batch(const Dim& d) { return d.is("B") && !d.known(); }
bool has_batch(const Var& v);
Dims dims_of(const Var& v);
/// With the batch in front when `batch`.
Dims with_batch(Dims dims, bool batch);
/// Number of the dimensions that are time.
int count_time(const Dims& dims);
/// The same numbers under other dims of the same sizes (and the batch of `v`); no copy, and no node when the names
/// are the same already.
Var renamed(const Var& v, const Dims& dims);

}  // namespace weft::dsl
