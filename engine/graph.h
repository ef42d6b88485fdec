// A graph is data: nodes with their op row, attributes, inputs, outputs and symbolic shapes. No closures.
//
//     value 0: x [B, T, D]   value 1: gain [D]
//     node 0:  rms_norm(x, gain)            -> value 2: y [B, T, D], value 3: rstd (kept for backward)
//     node 1:  backward of node 0 (dy, ...) -> value 4: dx, value 5: dgain
//
// Creation order is topological order, so nothing here recurses. `backward` appends gradient nodes from the same op
// rows. A graph is run by `Run` (engine/run.h) or, when it is a `Tape` (engine/tape.h), computed as it grows.
#pragma once
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "engine/anneal.h"
#include "engine/dim.h"
#include "engine/key.h"
#include "engine/tensor.h"

namespace weft {

struct Op;
class Graph;

/// The value of one attribute of an op. Axes are whole numbers; a scan's step is a graph.
using AttributeValue = std::variant<bool, i64, double, std::string, Dim, Dims, std::shared_ptr<const Graph>>;

/// Where a random or position-dependent op stands: its own stream of numbers, and the axes of its first input that
/// are time and batch row (-1: none). Found from the symbols T and B when a graph has them.
struct Place {
  u64 stream = 0;
  int time_axis = -1;
  int row_axis = -1;
};

/// Real values are f32 or f64, as the run says; indices are i32.
enum class Kind { real, index };

/// A handle: a value of a graph. Using it after its graph has been freed is an error that says so.
class Var {
 public:
  Var() = default;
  Var(Graph& graph, i32 id);
  explicit operator bool() const { return id_ >= 0; }
  i32 id() const { return id_; }
  Graph& graph() const;
  const Dims& dims() const;
  bool needs_gradient() const;

 private:
  Graph* graph_ = nullptr;
  std::weak_ptr<const void> alive_;
  i32 id_ = -1;
};

struct Value {
  Dims dims;
  Kind kind = Kind::real;
  i32 node = -1;  // -1: a leaf
  bool needs_gradient = false;
  bool derivative = false;  // a gradient, or computed from one: backward does not go through it
  std::string name;         // of an input
  Tensor constant;          // of a constant
};

enum class Phase { forward, backward };

/// Attributes of a forward node that follow the steps of training, by their index.
using Anneals = std::vector<std::pair<std::size_t, Anneal>>;

struct Node {
  const Op* op = nullptr;
  Phase phase = Phase::forward;
  std::vector<AttributeValue> attributes;
  Anneals annealed;  // `attributes` holds where they end
  /// Values read, -1 where absent. Forward: the op's inputs. Backward: the forward node's inputs, then its outputs,
  /// then the cotangents of its public outputs; what the op does not declare to read is -1.
  std::vector<i32> inputs;
  /// Values made. Forward: public outputs, then those saved for backward. Backward: a gradient an input, -1: unwanted.
  std::vector<i32> outputs;
  i32 forward_node = -1;  // of a backward node
  Place place;
  i32 origin = -1;  // index into `Graph::origins`: where the user wrote it
};

class Graph {
 public:
  enum class Gradients { no, yes };
  explicit Graph(Gradients gradients = Gradients::yes);
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  virtual ~Graph() = default;

  /// A leaf that a run binds to a tensor.
  Var input(std::string name, Dims dims, Kind kind = Kind::real, bool differentiable = false);
  Var constant(Tensor tensor);
  /// Applies an op; inputs may be empty handles where the op allows. Checks arity, kinds and shapes.
  /// Returns the public outputs.
  std::vector<Var> append(const Op& op, std::vector<AttributeValue> attributes, std::span<const Var> inputs,
                          Anneals annealed = {});

  /// Appends the gradients of sum_i <outputs[i], cotangents[i]> and returns that of each of `wrt`, an empty handle
  /// where the outputs do not depend on it. An error for a cotangent of another shape, and for second derivatives.
  std::vector<Var> backward(std::span<const Var> outputs, std::span<const Var> cotangents, std::span<const Var> wrt);

  const std::deque<Node>& nodes() const { return nodes_; }
  const std::vector<Value>& values() const { return values_; }
  const Value& value(i32 id) const { return values_[static_cast<std::size_t>(id)]; }
  const Node& node(i32 id) const { return nodes_[static_cast<std::size_t>(id)]; }
  bool keeps_gradients() const { return gradients_ == Gradients::yes; }

  /// Appended nodes carry this origin (`file:line`) and draw from streams below this key until it changes.
  void set_origin(const std::string& origin);
  void set_stream(Key stream);
  const std::vector<std::string>& origins() const { return origins_; }
  std::string origin_of(const Node& node) const;
  std::string describe(const Node& node) const;
  /// What a graph that is an attribute (the step of a scan) takes and gives, in order.
  std::vector<Var> inputs, results;
  /// Appends the gradients of `inputs`, given the cotangents of `results`: called once, when both lists stand.
  void differentiate();
  /// After `differentiate`: an input a result, and a gradient an input (empty where nothing depends on it).
  std::vector<Var> cotangents, gradients;

 protected:
  /// Called for each node once it stands; a tape computes it.
  virtual void appended(const Node&) {}
  virtual void appended_leaf(i32) {}

 private:
  friend class Var;
  i32 new_value(Dims dims, Kind kind, i32 node, bool needs_gradient);
  Var sum_of(const std::vector<i32>& terms);
  void append_backward(i32 forward, std::vector<std::vector<i32>>& cotangents);
  std::shared_ptr<const void> alive_ = std::make_shared<int>(0);
  Gradients gradients_;
  std::deque<Node> nodes_;  // a node stays where it is when others follow: plans of runs refer to it
  std::vector<Value> values_;
  std::vector<std::string> origins_;
  i32 origin_ = -1;
  Key stream_{};
  u64 drawn_ = 0;
};

}  // namespace weft
