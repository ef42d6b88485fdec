#pragma once
#include "engine/kernel.h"

namespace weft::ops {

struct Arange : General {
  static constexpr Doc doc{"0, 1, 2, ...", "y[i] = i"};
  static constexpr std::array<Input, 0> inputs{};
  struct Attrs {
    Dim length = 1;
  };
  static auto attributes() { return std::tuple{attribute("length", &Attrs::length, "how many")}; }
  static std::vector<Dims> infer(const Attrs& attrs, const InputDims&) { return {{attrs.length}}; }
  template <class T> static void forward(const Attrs&, Kernel<T>& k) {
    const auto y = k.result();
    for (i64 i = 0; i < std::ssize(y); ++i) y[i] = static_cast<T>(i);
  }
  static std::vector<Sample> samples() { return {{{}, {{"length", Dim(5)}}}}; }
};

inline Var arange(Graph& graph, const Dim& length) { return graph.append(row<Arange>(), {length}, {})[0]; }

}  // namespace weft::ops
