#pragma once
#include "ops/mul.h"
#include "ops/shared/tree_table.h"
#include "ops/swish.h"

namespace weft::ops {

struct FoldSum : General {
  static constexpr Doc doc{
      "the sum, at each token, over the last complete node of every level, of what a graph makes of a node",
      "y_t = sum over l >= 1 of f(node(l, floor(t / 2^l))), t = 1 .. T",
      "F_l[r] = f(node(l, r)) + F_l+1[floor(r / 2)], y_t = F_1[floor(t / 2)]: fewer than T + 2 levels sums in all"};
  static constexpr const char* gradient =
      "the gradient of f at every node for dF_l[r], which is dy_t for l = 1 and the sum of dF_l-1[2r], dF_l-1[2r+1] "
      "else; dx of a table is that of its nodes";
  static constexpr Along along = Along::streams;
  // Tokens before, the tables of as many values as `values` says, then constants.
  static constexpr std::array inputs{Input{"count", Input::index | Input::fixed}, Input{"x"}};
  static constexpr bool variadic = true;
  struct Attrs {
    std::shared_ptr<const Graph> map;
    i64 values = 1;
    Dim length = Dim::symbol("T");
  };
  static auto attributes() {
    return std::tuple{attribute("map", &Attrs::map, "takes the values of a node, then constants; gives what is summed"),
                      attribute("values", &Attrs::values, "how many of the inputs are tables of a fold"),
                      attribute("length", &Attrs::length, "the number of tokens")};
  }

  // count [B], tables [B, slots, ...], constants -> [B, T, ...]
  static std::vector<Dims> infer(const Attrs& a, const InputDims& in) {
    in.require(a.map != nullptr && a.map->results.size() == 1, "it needs a map to one value");
    const std::size_t n = static_cast<std::size_t>(a.values);
    in.require(a.values > 0 && in.size() > n && a.map->inputs.size() >= n, "it needs a table");
    for (std::size_t v = 0; v < n; ++v) require_table(in, 1 + v, a.length, entry_dims(a.map->inputs[v]));
    require_constants(*a.map, n, in, 1 + n);
    return {placed(batch_of(in), a.length, entry_dims(a.map->results[0]))};
  }

  template <class T> static void forward(const Attrs& a, Kernel<T>& k) {
    const Nodes<T> nodes(a, k);
    Tensor memory = k.scratch({std::ssize(nodes.slots), nodes.width});
    T *F = memory.template mutable_values<T>().data(), *y = k.result().data();
    if (!nodes.slots.empty()) {
      InnerGraph<T> map(k, *a.map, nodes.values, 1 + nodes.values);
      const auto made = map.forward(nodes.gathered_values(k), nodes.entries);
      std::copy_n(made[0].template values<T>().data(), made[0].size(), F);
    }
    const i64 width = nodes.width;
    for (auto i = std::ssize(nodes.above) - 1; i >= 0; --i) {  // from the highest level down
      const i64 above = nodes.above[static_cast<std::size_t>(i)];
      for (i64 j = 0; above >= 0 && j < width; ++j) F[i * width + j] += F[above * width + j];
    }
    for (std::size_t t = 0; t < nodes.of_token.size(); ++t, y += width) {
      const i64 node = nodes.of_token[t];
      if (node < 0) std::fill_n(y, width, T(0));
      else std::copy_n(F + node * width, width, y);
    }
  }

  template <class T> static void backward(const Attrs& a, Kernel<T>& k) {
    const Nodes<T> nodes(a, k);
    InnerGraph<T> map(k, *a.map, nodes.values, 1 + nodes.values);
    map.clear_constants();
    for (std::size_t v = 0; v < nodes.values; ++v) {
      const auto gradient = k.gradient(1 + v);
      std::fill(gradient.begin(), gradient.end(), T(0));
    }
    if (nodes.slots.empty()) return;
    Shape shape = k.output_shape();
    shape.erase(shape.begin());
    shape[0] = std::ssize(nodes.slots);
    Tensor memory = k.scratch(shape);
    T* dF = memory.template mutable_values<T>().data();
    const T* dy = k.cotangent().data();
    std::fill_n(dF, memory.size(), T(0));
    const i64 width = nodes.width;
    for (std::size_t t = 0; t < nodes.of_token.size(); ++t, dy += width) {
      const i64 node = nodes.of_token[t];
      for (i64 j = 0; node >= 0 && j < width; ++j) dF[node * width + j] += dy[j];
    }
    for (std::size_t i = 0; i < nodes.above.size(); ++i) {
      const i64 above = nodes.above[i], at = static_cast<i64>(i);
      for (i64 j = 0; above >= 0 && j < width; ++j) dF[above * width + j] += dF[at * width + j];
    }
    const auto made = map.backward(nodes.gathered_values(k), {memory}, nodes.entries);
    for (std::size_t v = 0; v < nodes.values; ++v) {
      if (made[v] && k.wants(1 + v)) add_entries(k.gradient(1 + v).data(), made[v], nodes.slots);
    }
  }

  static double flops(const Attrs& a, const std::vector<Shape>&, const std::vector<Shape>& outputs) {
    return Run(*a.map, a.map->results).flops({{"B", outputs[0][0] * outputs[0][1]}}) +
           2 * static_cast<double>(element_count(outputs[0]));
  }
  static double scratch(const Attrs& a, const std::vector<Shape>&, const std::vector<Shape>& outputs, bool backward) {
    return inner_numbers(*a.map, outputs[0][0] * outputs[0][1], backward);
  }
  static std::vector<Sample> samples() {
    const AttributeValue same = map(false), scaled = map(true);
    return {{.shapes = {{2}, {2, 60, 3}}, .attributes = {{"map", same}, {"length", Dim(5)}}, .classes = 9},
            {.shapes = {{3}, {3, 64, 3}, {3, 64, 3}, {3}},
             .attributes = {{"map", scaled}, {"values", i64{2}}, {"length", Dim(7)}},
             .classes = 40},
            {.shapes = {{2}, {2, 50, 3}}, .attributes = {{"map", same}, {"length", Dim(0)}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    const AttributeValue same = map(false);
    return {{{.shapes = {{2}, {2, 60, 3}}}, "it needs a map"},
            {{.shapes = {{2}, {2, 61, 3}}, .attributes = {{"map", same}, {"length", Dim(5)}}},
             "[2, 61, 3] is no table of nodes [3] over 5 tokens"}};
  }

 private:
  // The nodes that the tokens read: row by row, level by level, so that what is above a node comes behind it.
  template <class T> struct Nodes {
    std::size_t values;
    i64 width;
    std::vector<i64> slots, above, of_token;  // `above`: of node r the node r / 2 of the next level
    Entries entries;
    std::vector<Shape> entry;

    Nodes(const Attrs& a, const Kernel<T>& k)
        : values(static_cast<std::size_t>(a.values)),
          width(element_count(Shape(k.output_shape().begin() + 2, k.output_shape().end()))) {
      const TreeTables tables(k, a.length, 1);
      for (std::size_t v = 0; v < values; ++v) {
        entry.emplace_back(k.shape(1 + v).begin() + 2, k.shape(1 + v).end());
      }
      for (i64 b = 0; b < std::ssize(tables.rows) && tables.length > 0; ++b) add_row(tables, b);
      entries.key = k.key();
    }
    void add_row(const TreeTables& tables, i64 b) {
      const TreeRow& row = tables.rows[static_cast<std::size_t>(b)];
      const auto first = [&](i64 level) { return std::max<i64>(1, (row.before() + 1) >> level); };
      const auto count = [&](i64 level) { return std::max<i64>(0, (row.end() >> level) - first(level) + 1); };
      i64 base = std::ssize(slots);
      for (i64 t = 1; t <= tables.length; ++t) {
        const i64 r = (row.before() + t) >> 1;
        of_token.push_back(r ? base + r - first(1) : -1);
      }
      for (i64 level = 1; level < kTreeLevels; ++level) {
        const i64 next = base + count(level);
        for (i64 r = first(level); r <= row.end() >> level; ++r) {
          slots.push_back(tables.node(b, level, r));
          above.push_back(r >> 1 && level + 1 < kTreeLevels ? next + (r >> 1) - first(level + 1) : -1);
          entries.rows.push_back(b);
          entries.places.push_back(r);
        }
        base = next;
      }
    }
    std::vector<Tensor> gathered_values(const Kernel<T>& k) const {
      std::vector<Tensor> all;
      for (std::size_t v = 0; v < values; ++v) all.push_back(gathered(k, k.input(1 + v).data(), entry[v], slots));
      return all;
    }
  };

  // A node itself or, with `two`, swish(a) b c.
  static std::shared_ptr<const Graph> map(bool two) {
    const auto graph = std::make_shared<Graph>();
    const auto in = [&](Dims dims) {
      graph->inputs.push_back(graph->input("x", std::move(dims), Kind::real, true));
      return graph->inputs.back();
    };
    const Dim batch = Dim::symbol("B");
    const Var a = in({batch, 3}), b = two ? in({batch, 3}) : a, c = two ? in({3}) : a;
    graph->results = {two ? weft::ops::mul(weft::ops::mul(swish(a), b), c) : a};
    graph->differentiate();
    return graph;
  }
};

/// At each of `length` tokens the sum of `map` over the last complete nodes of a `fold` with this `count`.
inline Var fold_sum(const Var& count, const Var& table, std::shared_ptr<const Graph> map,
                    const Dim& length = Dim::symbol("T")) {
  return apply<FoldSum>({count, table}, {.map = std::move(map), .length = length});
}

}  // namespace weft::ops
