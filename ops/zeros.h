#pragma once
#include "engine/kernel.h"

namespace weft::ops {

struct Zeros : General {
  static constexpr Doc doc{"a tensor of zeros", "y = 0"};
  static constexpr std::array<Input, 0> inputs{};
  struct Attrs {
    Dims shape;
  };
  static auto attributes() { return std::tuple{attribute("shape", &Attrs::shape, "its shape")}; }
  static std::vector<Dims> infer(const Attrs& attrs, const InputDims&) { return {attrs.shape}; }
  template <class T> static void forward(const Attrs&, Kernel<T>& k) {
    const auto y = k.result();
    std::fill(y.begin(), y.end(), T(0));
  }
  static std::vector<Sample> samples() { return {{{}, {{"shape", Dims{2, 3}}}}}; }
};

inline Var zeros(Graph& graph, Dims shape) { return graph.append(row<Zeros>(), {std::move(shape)}, {})[0]; }

}  // namespace weft::ops
