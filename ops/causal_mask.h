#pragma once
#include "engine/kernel.h"

namespace weft::ops {

struct CausalMask : General {
  static constexpr Doc doc{"1 where a query may see a key, 0 in its future; the last row sees every column",
                           "y[n, m] = [m <= n + columns - rows]"};
  static constexpr std::array<Input, 0> inputs{};
  struct Attrs {
    Dim rows = Dim::symbol("T"), columns = Dim::symbol("T");
  };
  static auto attributes() {
    return std::tuple{attribute("rows", &Attrs::rows, "queries"), attribute("columns", &Attrs::columns, "keys")};
  }
  static bool masks_future(const Attrs& attrs, const InputDims&) { return same_size(attrs.rows, attrs.columns); }
  static std::vector<Dims> infer(const Attrs& attrs, const InputDims&) { return {{attrs.rows, attrs.columns}}; }
  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    const i64 rows = attrs.rows.value(), columns = attrs.columns.value();
    T* y = k.result().data();
    k.rows(rows, columns, [=](i64 n) {
      for (i64 m = 0; m < columns; ++m) y[n * columns + m] = m <= n + columns - rows ? T(1) : T(0);
    });
  }
  static std::vector<Sample> samples() {
    return {{{}, {{"rows", Dim(3)}, {"columns", Dim(5)}}}, {{}, {{"rows", Dim(4)}, {"columns", Dim(4)}}}};
  }
};

inline Var causal_mask(Graph& graph, const Dim& rows, const Dim& columns) {
  return graph.append(row<CausalMask>(), {rows, columns}, {})[0];
}

}  // namespace weft::ops
