// The eager interpreter of a graph: computes the nodes that the wanted outputs need, in order, and lets go of each
// value after its last use. What hangs on constants alone (the angles of a rotation, the decays of heads) is computed
// once; what hangs on sizes alone (shapes, attributes, which tensors an op is given) is laid down in a plan, once for
// all runs of these sizes.
#pragma once
#include <functional>
#include <map>
#include <optional>

#include "engine/graph.h"
#include "engine/runtime.h"

namespace weft {

class Layouts;
class Observer;

/// Sees what a forward node made, and may change it, before anyone reads it. Proofs hold values still by it.
using Intervention = std::function<void(const Node& node, std::vector<Tensor>& made)>;

/// Sees an output, by its place among all, when no node reads it any more. It may move it away: then the run returns it
/// empty, and its memory serves the nodes that follow.
using Taker = std::function<void(std::size_t output, Tensor& made)>;

/// What differs from run to run of one graph.
struct RunSettings {
  Key key{};                   // of this step; random ops draw below it
  bool training = false;       // what training and evaluation do differently is up to the op
  i64 first_row = 0;           // global index of batch row 0
  std::vector<i64> rows = {};  // that of each batch row, where they do not follow each other (nodes of a tree)
  std::vector<i64> offsets;    // position of the first token, one a row, or one for all; empty: 0
  const Intervention* intervention = nullptr;  // also inside the steps of a scan
  const Layouts* layouts = nullptr;            // of weights that other runs read, too
  Precision precision = Precision::f32;        // of products
  i64 step = 0;                                // of training, from 1 on; 0: none, and what is annealed has arrived
};

/// What becomes of the memory of a run's values. `stay` and `growing` are for runs that follow each other at once, as
/// the tokens of a stream do.
struct RunMemory {
  bool stay = false;         // values that together fit the second cache keep their memory from run to run
  std::string growing = {};  // a symbol that has another value in every run, as the length of a cache
  /// What costs little at these sizes, and can be made of what is kept, is computed again where the backward reads it.
  std::optional<Bindings> recompute = {};
};

class Run {
 public:
  /// `graph` must outlive the run; `outputs` are what `operator()` returns, in this order. Values `given` are fed,
  /// though the graph could compute them.
  Run(const Graph& graph, std::vector<Var> outputs, RunMemory memory = {}, const std::vector<Var>& given = {});
  ~Run();

  using Feeds = std::vector<std::pair<Var, Tensor>>;
  /// Binds inputs and computes. An error names an input that is missing, or whose shape or type is wrong.
  /// `observer` is told of every node that is computed (engine/observer.h), `taker` of every output.
  std::vector<Tensor> operator()(const Runtime& runtime, DType dtype, const Feeds& feeds,
                                 const RunSettings& settings = {}, Observer* observer = nullptr,
                                 const Taker& taker = {});

  /// Gives back the memory of values that stay.
  void release();

  /// The nodes that are computed, in order; twice, where one is computed again.
  const std::vector<i32>& order() const { return order_; }
  /// Symbols from the shapes of the feeds.
  Bindings bindings(const Feeds& feeds) const;
  /// Highest sum of the bytes of live values under these bindings. Feeds and constants count from beginning to end.
  std::size_t peak_bytes(const Bindings& bindings, DType dtype) const;
  /// Floating point operations of a first run; a backward counts as two forwards, unless its op says otherwise, what is
  /// computed again as nothing.
  double flops(const Bindings& bindings) const;
  double flops(const Node& node, const Bindings& bindings) const;
  /// Whether what the node makes takes longer to compute than to keep and to read again, as products and draws do.
  bool is_costly(const Node& node, const Bindings& bindings) const;

 private:
  struct Plan;
  Plan& plan(const Feeds& feeds, DType dtype);
  Plan* regrown(const Feeds& feeds, DType dtype);
  std::unique_ptr<Plan> made_plan(const Feeds& feeds, DType dtype) const;
  void fill(Plan& plan, const Feeds& feeds, const RunSettings& settings);
  void compute(Plan& plan, const Runtime& runtime, const RunSettings& settings, Observer* observer, const Taker& taker);
  std::vector<Tensor> taken_outputs(Plan& plan) const;
  /// Whether the plan's values between inputs and outputs keep their memory; their bytes, apart from those that grow.
  bool may_stay(const Bindings& bindings, DType dtype) const;
  std::size_t inner_bytes(const Bindings& bindings, DType dtype) const;
  std::size_t bytes(i32 id, const Bindings& bindings, DType dtype) const;
  std::size_t scratch_bytes(const Node& node, const Bindings& bindings, DType dtype) const;
  void tell(Observer& observer, const Node& node, double seconds, const Bindings& bindings,
            const std::vector<Tensor>& values) const;
  const Graph& graph_;
  std::vector<Var> outputs_;
  std::vector<bool> given_;  // by value
  std::vector<i32> order_;
  std::vector<bool> read_;                       // by value
  std::vector<std::vector<i32>> last_use_;       // by position in `order_`: values not needed afterwards
  std::vector<std::vector<std::size_t>> ready_;  // by position: outputs that are wanted once and not read afterwards
  // Nodes that hang on constants alone are computed in the first run; what the others read of them is kept.
  struct Fixed {
    bool ready = false;
    std::vector<std::pair<i32, Tensor>> values;
  };
  void find_fixed();
  void find_recomputed();
  void find_last_uses();
  void find_growing();
  bool lasts(i32 id) const;     // a constant, or one of `kept_`
  bool is_fed(i32 id) const;    // an input, or one of `given_`
  std::vector<bool> fixed_;     // by place in the order
  std::vector<i32> kept_;       // their values that others read
  std::vector<i32> constants_;  // that are read
  RunMemory memory_;
  std::vector<i32> growing_values_;         // whose shape changes with it
  std::vector<std::size_t> growing_nodes_;  // that see one of them, by place in the order
  std::map<DType, Fixed> fixed_values_;
  std::map<std::pair<i32, DType>, Tensor> converted_;  // constants
  std::vector<std::unique_ptr<Plan>> plans_;           // the one used last comes first
};

/// The attributes of a node with its symbols bound.
std::vector<AttributeValue> bound_attributes(const Node& node, const Bindings& bindings);
/// Computes one node from its bound attributes and from tensors and shapes by value; made values are returned in the
/// order of `node.outputs`, empty where unwanted.
std::vector<Tensor> compute(const Graph& graph, const Node& node, const std::vector<AttributeValue>& attributes,
                            const std::vector<Tensor>& values, const std::vector<Shape>& shapes, const Runtime& runtime,
                            DType dtype, const RunSettings& settings);

}  // namespace weft
