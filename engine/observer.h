// Observer: sees what a run does, node by node. How profiles are made, and how a number that went wrong
// is found (engine/not_finite.h).
#pragma once
#include <chrono>

#include "engine/run.h"

namespace weft {

class Observer {
 public:
  virtual ~Observer() = default;
  /// Seconds on the clock that nodes are timed with.
  virtual double now() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
  /// What follows is of rows `first` .. `first + rows` - 1 of the batch alone: another run of the same graph.
  virtual void begins(i64 /*first*/, i64 /*rows*/) {}
  /// A node was computed. `flops` as the op's row says, a backward counting as two forwards; `bytes` of all values read
  /// and made.
  virtual void computed(const Graph& graph, const Node& node, double seconds, double flops, double bytes) = 0;
  /// The same node, before any of its values is freed; `values` are those of the graph by number.
  virtual void made(const Graph&, const Node&, const std::vector<Tensor>& /*values*/) {}
  /// What sees the forward nodes inside the steps of a scan, too: a caller that sets up a run passes it on.
  virtual const Intervention* inside() const { return nullptr; }
};

}  // namespace weft
