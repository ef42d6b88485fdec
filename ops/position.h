#pragma once
#include "engine/kernel.h"

namespace weft::ops {

struct Position : General {
  static constexpr Doc doc{"the place of each element in its sequence; a stream goes on counting",
                           "y[t] = t + the number of positions before"};
  static constexpr Along along = Along::streams;
  static constexpr std::array<Input, 0> inputs{};
  struct Attrs {
    Dim length = Dim::symbol("T");
  };
  static auto attributes() { return std::tuple{attribute("length", &Attrs::length, "the number of positions")}; }
  static std::vector<Dims> infer(const Attrs& attrs, const InputDims&) { return {{attrs.length}}; }
  template <class T> static void forward(const Attrs&, Kernel<T>& k) {
    const auto y = k.result();
    for (i64 t = 0; t < std::ssize(y); ++t) y[t] = static_cast<T>(k.common_offset() + t);
  }
  static std::vector<Sample> samples() { return {{{}, {{"length", Dim(5)}}}}; }
};

inline Var position(Graph& graph, const Dim& length) { return graph.append(row<Position>(), {length}, {})[0]; }

}  // namespace weft::ops
