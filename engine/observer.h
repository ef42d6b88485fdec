// Observer: sees what a run does, node by node. How profiles are made.
#pragma once
#include <chrono>

#include "engine/graph.h"

namespace weft {

class Observer {
 public:
  virtual ~Observer() = default;
  /// Seconds on the clock that nodes are timed with.
  virtual double now() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
  /// A node was computed. `flops` as the op's row says, a backward counting as two forwards; `bytes` of all values read
  /// and made.
  virtual void computed(const Graph& graph, const Node& node, double seconds, double flops, double bytes) = 0;
};

}  // namespace weft
