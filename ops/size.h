#pragma once
#include "engine/kernel.h"

namespace weft::ops {

struct Size : General {
  static constexpr Doc doc{"a size as a number: the `T` of `x / T`", "y = length"};
  static constexpr std::array<Input, 0> inputs{};
  struct Attrs {
    Dim length = 1;
  };
  static auto attributes() { return std::tuple{attribute("length", &Attrs::length, "the size")}; }
  static std::vector<Dims> infer(const Attrs&, const InputDims&) { return {Dims{}}; }
  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    k.result()[0] = static_cast<T>(attrs.length.value());
  }
  static std::vector<Sample> samples() { return {{{}, {{"length", Dim(7)}}}}; }
};

inline Var size(Graph& graph, const Dim& length) { return graph.append(row<Size>(), {length}, {})[0]; }

}  // namespace weft::ops
