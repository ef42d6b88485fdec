// What the runs of a graph have in common when their inputs have the same shapes. Of engine/run alone.
#pragma once
#include "engine/kernel.h"

namespace weft {

inline bool holds(const Tensor& tensor, DType dtype) { return tensor.dtype() == DType::i32 || tensor.dtype() == dtype; }

struct Run::Plan {
  DType dtype;
  Bindings bindings;
  std::vector<i32> fed;
  std::vector<Shape> shapes;                            // by value
  std::vector<std::vector<AttributeValue>> attributes;  // by place in the order
  std::vector<Tensor> values;                           // by value: the calls read them here
  std::vector<KernelCall> calls;                        // by place in the order
  std::vector<i32> leaving;                             // values that do not last: inputs and outputs
  bool stay = false;                                    // values between these keep their memory

  bool fits(const Graph& graph, const Feeds& feeds, DType type) const {
    if (type != dtype || feeds.size() != fed.size()) return false;
    for (std::size_t i = 0; i < fed.size(); ++i) {
      const auto& [v, tensor] = feeds[i];
      if (v.id() != fed[i] || &v.graph() != &graph || tensor.shape() != shapes[static_cast<std::size_t>(fed[i])] ||
          (tensor.dtype() == DType::i32) != (graph.value(fed[i]).kind == Kind::index) || !holds(tensor, type)) {
        return false;
      }
    }
    return true;
  }
  void clear() {
    for (Tensor& t : values) t = Tensor();
    for (KernelCall& call : calls) {  // of one that failed
      for (Tensor& t : call.results) t = Tensor();
    }
  }
};

}  // namespace weft
