#pragma once
#include "ops/add.h"
#include "ops/mul.h"
#include "ops/shared/tree_table.h"
#include "ops/swish.h"

namespace weft::ops {

struct Fold : General {
  static constexpr Doc doc{
      "merges adjacent pairs level by level: the complete nodes of a binary tree over the tokens",
      "node(l, r) = merge(node(l-1, 2r-1), node(l-1, 2r), l), node(0, t) = x_t",
      "one batched call of the graph a level; a prefix is merge(the prefix without its last block, that block)"};
  static constexpr const char* gradient =
      "dx_t, and the share of a constant: the gradient of merge at every node, from the highest level down";
  static constexpr Along along = Along::streams;
  // Of each value the last complete nodes of every level, then of each the new tokens; then constants.
  static constexpr std::array inputs{Input{"count", Input::index | Input::fixed}, Input{"x"}};
  static constexpr bool variadic = true;
  static constexpr Reads reads{.outputs = ~0u};
  static constexpr std::size_t saved = 1;  // of every merge in turn, what its backward would compute again: products
  struct Attrs {
    std::shared_ptr<const Graph> merge;
    i64 values = 1;
    bool prefixes = false;
  };
  static auto attributes() {
    return std::tuple{
        attribute("merge", &Attrs::merge, "takes the values of two nodes, the level, constants; gives those of one"),
        attribute("values", &Attrs::values, "how many values a node has"),
        attribute("prefixes", &Attrs::prefixes, "also the merge of everything up to each token")};
  }

  // count [B], states [B, levels, ...], leaves [B, T, ...], constants
  //   -> states [B, levels, ...], tables [B, slots, ...] (ops/shared/tree.h), with `prefixes` [B, T, ...]; kept
  static std::vector<Dims> infer(const Attrs& a, const InputDims& in) {
    in.require(a.merge != nullptr, "it needs a merge");
    const Graph& merge = *a.merge;
    const std::size_t n = static_cast<std::size_t>(a.values);
    in.require(a.values > 0 && in.size() > 2 * n && merge.results.size() == n && merge.inputs.size() > 2 * n,
               fmt::format("its merge must take 2 x {0} values and a level, and give {0}", a.values));
    const Dim &rows = batch_of(in), &length = in.at(1 + n, 1);
    std::vector<Dims> out(a.prefixes ? 3 * n : 2 * n);
    for (std::size_t v = 0; v < n; ++v) {
      const Dims own = entry_dims(merge.inputs[v]);
      for (const auto& [i, places] : {std::pair(1 + v, Dim(kTreeLevels)), std::pair(1 + n + v, length)}) {
        in.require(same_size(in[i], placed(rows, places, own)),
                   fmt::format("{} must be {}", text(in[i]), text(placed(rows, places, own))));
      }
      in.require(same_size(entry_dims(merge.results[v]), own),
                 fmt::format("its merge turns {} into {}", text(own), text(entry_dims(merge.results[v]))));
      out[v] = placed(rows, kTreeLevels, own);
      out[n + v] = placed(rows, table_slots(length, a.prefixes), own);
      if (a.prefixes) out[2 * n + v] = placed(rows, length, own);
    }
    require_constants(merge, 2 * n + 1, in, 1 + 2 * n);
    out.push_back({rows, a.prefixes ? Dim(2) * length + Dim(kTreeLevels) : length, width_of(worth_keeping(merge))});
    return out;
  }

  template <class T> static void forward(const Attrs& a, Kernel<T>& k) {
    const Tree<T> tree(a, k);
    std::vector<T*> tables;
    for (std::size_t v = 0; v < tree.values; ++v) tables.push_back(k.result(tree.values + v).data());
    for (std::size_t v = 0; v < tree.values; ++v) {
      std::fill_n(tables[v], tree.slots * std::ssize(tree.rows) * tree.width[v], T(0));
      tree.each_part(v, [&](i64 slot, std::size_t input, i64 at, i64 count) {
        std::copy_n(k.input(input).data() + at, count, tables[v] + slot * tree.width[v]);
      });
    }
    const std::size_t saved = k.call().public_outputs();
    InnerGraph<T> merge(k, *a.merge, 2 * tree.values + 1, 1 + 2 * tree.values, k.is_read(saved));
    T* kept = k.save(0).data();
    for (const TreeRound& round : tree.rounds) {
      const Batch batch(k, round);
      for (std::size_t v = 0; v < tree.values; ++v) {
        for (const auto& [from, to] : batch.copies) tree.copy(v, tables[v], from, tables[v], to);
      }
      if (batch.out.empty()) continue;
      const auto made = merge.forward(tree.children(batch, {tables.begin(), tables.end()}, k), batch.entries);
      for (std::size_t v = 0; v < tree.values; ++v) {
        const T* from = made[v].template values<T>().data();
        for (std::size_t i = 0; i < batch.out.size(); ++i) {
          tree.copy(v, from, static_cast<i64>(i), tables[v], batch.out[i]);
        }
      }
      for (std::size_t v = tree.values; v < made.size(); ++v)
        kept = std::copy_n(made[v].template values<T>().data(), made[v].size(), kept);
    }
    for (std::size_t v = 0; v < tree.values; ++v) {
      tree.each_result(v, [&](std::size_t output, i64 at, i64 slot) {
        T* to = k.result(output).data() + at;
        if (slot < 0) std::fill_n(to, tree.width[v], T(0));
        else tree.copy(v, tables[v], slot, to, 0);
      });
    }
  }

  // From the last round to the first: a node's gradient is whole before it goes to its children.
  template <class T> static void backward(const Attrs& a, Kernel<T>& k) {
    const Tree<T> tree(a, k);
    std::vector<Tensor> memory;
    std::vector<T*> slopes;
    std::vector<const T*> tables;
    for (std::size_t v = 0; v < tree.values; ++v) {
      const i64 size = element_count(k.output_shape(tree.values + v));
      memory.push_back(k.scratch({size}));
      slopes.push_back(memory.back().template mutable_values<T>().data());
      tables.push_back(k.output(tree.values + v).data());
      if (k.has_cotangent(tree.values + v)) std::copy_n(k.cotangent(tree.values + v).data(), size, slopes[v]);
      else std::fill_n(slopes[v], size, T(0));
      tree.each_result(v, [&](std::size_t output, i64 at, i64 slot) {
        if (slot >= 0 && k.has_cotangent(output)) tree.add(v, k.cotangent(output).data() + at, slopes[v], slot);
      });
    }
    InnerGraph<T> merge(k, *a.merge, 2 * tree.values + 1, 1 + 2 * tree.values, true);
    const std::vector<Var>& kept = merge.kept();
    merge.clear_constants();
    const bool together = rows_apart(*a.merge, 2 * tree.values);
    const Tensor all_kept = k.call().outputs[k.call().public_outputs()]->reshaped({std::ssize(k.saved(0))});
    i64 end = width_of(kept) * tree.merges();
    for (auto round = tree.rounds.rbegin(); round != tree.rounds.rend(); ++round) {
      const Batch batch(k, *round);
      for (std::size_t v = 0; v < tree.values; ++v) {
        for (const auto& [from, to] : batch.copies) tree.add(v, slopes[v] + to * tree.width[v], slopes[v], from);
      }
      if (batch.out.empty()) continue;
      std::vector<Tensor> arriving;
      for (std::size_t v = 0; v < tree.values; ++v)
        arriving.push_back(gathered(k, slopes[v], tree.entry[v], batch.out));
      end -= width_of(kept) * std::ssize(batch.out);
      std::vector<Tensor> given;
      i64 at = end;
      for (const Var& v : kept) {
        Shape shape = bind(entry_dims(v), {});
        shape.insert(shape.begin(), std::ssize(batch.out));
        const i64 size = element_count(shape);
        given.push_back(all_kept.rows(at, at + size).reshaped(std::move(shape)));
        at += size;
      }
      const auto made = merge.backward(tree.children(batch, tables, k), arriving, batch.entries, given, together);
      for (std::size_t v = 0; v < tree.values; ++v) {
        if (made[v]) add_entries(slopes[v], made[v], batch.left);
        if (made[tree.values + v]) add_entries(slopes[v], made[tree.values + v], batch.right);
      }
    }
    merge.finish();
    for (std::size_t v = 0; v < tree.values; ++v) {
      tree.each_part(v, [&](i64 slot, std::size_t input, i64 at, i64 count) {
        if (k.wants(input)) std::copy_n(slopes[v] + slot * tree.width[v], count, k.gradient(input).data() + at);
      });
    }
  }

  static double flops(const Attrs& a, const std::vector<Shape>& inputs, const std::vector<Shape>& outputs) {
    const Shape& leaves = inputs[1 + static_cast<std::size_t>(a.values)];
    const double tree = Run(*a.merge, a.merge->results).flops({{"B", leaves[0] * leaves[1]}});
    return (a.prefixes ? 2 : 1) * tree + static_cast<double>(element_count(outputs[0]));
  }
  // The nodes of the first level are half of all: what merging them takes; backward, also the gradients of the tables,
  // and of all nodes what gradients of constants are made of.
  static double scratch(const Attrs& a, const std::vector<Shape>& inputs, const std::vector<Shape>& outputs,
                        bool backward) {
    const std::size_t n = static_cast<std::size_t>(a.values);
    const Shape& leaves = inputs[1 + n];
    double numbers = inner_numbers(*a.merge, leaves[0] * (leaves[1] / 2), backward);
    for (std::size_t v = 0; backward && v < n; ++v) numbers += static_cast<double>(element_count(outputs[n + v]));
    if (!backward || !rows_apart(*a.merge, 2 * n)) return numbers;
    const auto from = static_cast<std::ptrdiff_t>(2 * n + 1);
    const std::vector<Var> constants(a.merge->inputs.begin() + from, a.merge->inputs.end());
    const auto left =
        rows_behind(*a.merge, existing({a.merge->gradients.begin() + from, a.merge->gradients.end()}), constants);
    if (left) numbers += static_cast<double>(width_of(*left) * leaves[0] * leaves[1]);
    return numbers;
  }
  static std::vector<Sample> samples() {
    const AttributeValue one = gate(false), two = gate(true);
    return {{.shapes = {{2}, {2, 25, 3}, {2, 5, 3}, {3}}, .attributes = {{"merge", one}}, .classes = 9},
            {.shapes = {{3}, {3, 25, 2}, {3, 25}, {3, 7, 2}, {3, 7}, {2}},
             .attributes = {{"merge", two}, {"values", i64{2}}, {"prefixes", true}},
             .classes = 40},
            {.shapes = {{1}, {1, 25, 3}, {1, 0, 3}, {3}}, .attributes = {{"merge", one}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    const AttributeValue one = gate(false);
    return {{{.shapes = {{2}, {2, 25, 3}, {2, 5, 3}, {3}}}, "it needs a merge"},
            {{.shapes = {{2}, {2, 24, 3}, {2, 5, 3}, {3}}, .attributes = {{"merge", one}}},
             "[2, 24, 3] must be [2, 25, 3]"},
            {{.shapes = {{2}, {2, 25, 3}, {2, 5, 3}}, .attributes = {{"merge", one}}}, "its graph takes 1 constants"},
            {{.shapes = {{2}, {2, 25, 3}, {2, 5, 3}, {3}}, .attributes = {{"merge", one}, {"values", i64{2}}}},
             "its merge must take 2 x 2 values"}};
  }

 private:
  static i64 width_of(const std::vector<Var>& entries) {
    i64 width = 0;
    for (const Var& v : entries) width += element_count(bind(entry_dims(v), {}));
    return width;
  }

  // What one round computes, taken apart.
  struct Batch {
    std::vector<i64> left, right, out;
    std::vector<std::pair<i64, i64>> copies;
    Entries entries;
    i64 level;
    template <class T> Batch(const Kernel<T>& k, const TreeRound& round) : level(round.level) {
      entries.key = (round.prefixes ? k.key().fold("prefix") : k.key()).fold(static_cast<u64>(level));
      for (const TreeMerge& m : round.merges) {
        if (m.left < 0) {
          copies.emplace_back(m.right, m.out);
          continue;
        }
        left.push_back(m.left);
        right.push_back(m.right);
        out.push_back(m.out);
        entries.rows.push_back(m.row);
        entries.places.push_back(m.index);
      }
    }
  };

  // The sizes of a call, and where its inputs and results stand in the tables.
  template <class T> struct Tree {
    std::size_t values;
    i64 length, slots;
    bool prefixes;
    std::vector<TreeRow> rows;
    std::vector<TreeRound> rounds;
    std::vector<Shape> entry;
    std::vector<i64> width;

    Tree(const Attrs& a, Kernel<T>& k)
        : values(static_cast<std::size_t>(a.values)),
          length(k.shape(1 + values)[1]),
          slots(TreeRow::slots(length, a.prefixes)),
          prefixes(a.prefixes),
          rows(tree_rows(k.indices(0), length)),
          rounds(tree_rounds(rows, slots, prefixes)) {
      for (std::size_t v = 0; v < values; ++v) {
        const Shape& state = k.shape(1 + v);
        entry.emplace_back(state.begin() + 2, state.end());
        width.push_back(element_count(entry.back()));
      }
    }
    i64 merges() const {
      i64 all = 0;
      for (const TreeRound& round : rounds) {
        all += std::count_if(round.merges.begin(), round.merges.end(), [](const TreeMerge& m) { return m.left >= 0; });
      }
      return all;
    }
    void copy(std::size_t v, const T* from, i64 entry, T* to, i64 slot) const {
      std::copy_n(from + entry * width[v], width[v], to + slot * width[v]);
    }
    void add(std::size_t v, const T* from, T* table, i64 slot) const {
      for (i64 i = 0; i < width[v]; ++i) table[slot * width[v] + i] += from[i];
    }
    // body(slot, input, element, elements): the states and the tokens of each row.
    template <class F> void each_part(std::size_t v, const F& body) const {
      for (i64 b = 0; b < std::ssize(rows); ++b) {
        body(b * slots, 1 + v, b * kTreeLevels * width[v], kTreeLevels * width[v]);
        body(b * slots + kTreeLevels, 1 + values + v, b * length * width[v], length * width[v]);
      }
    }
    // body(output, element, slot): the last nodes of every level, and the prefixes.
    template <class F> void each_result(std::size_t v, const F& body) const {
      for (i64 b = 0; b < std::ssize(rows); ++b) {
        const TreeRow& row = rows[static_cast<std::size_t>(b)];
        for (i64 l = 0; l < kTreeLevels; ++l) {
          const i64 slot = row.node(l, row.end() >> l);
          body(v, (b * kTreeLevels + l) * width[v], slot < 0 ? slot : b * slots + slot);
        }
        for (i64 t = 0; prefixes && t < length; ++t) {
          body(2 * values + v, (b * length + t) * width[v], b * slots + row.prefix(row.before() + t + 1));
        }
      }
    }
    std::vector<Tensor> children(const Batch& batch, const std::vector<const T*>& tables, const Kernel<T>& k) const {
      std::vector<Tensor> all;
      for (const auto* side : {&batch.left, &batch.right}) {
        for (std::size_t v = 0; v < values; ++v) all.push_back(gathered(k, tables[v], entry[v], *side));
      }
      all.push_back(Tensor::full({}, static_cast<double>(batch.level), dtype_of<T>()));
      return all;
    }
  };

  // m = swish(l + c r), with `two` also n = a l' + r' level, whose first values are m's.
  static std::shared_ptr<const Graph> gate(bool two) {
    const auto graph = std::make_shared<Graph>();
    const Dim batch = Dim::symbol("B"), width = two ? 2 : 3;
    const auto in = [&](const char* name, Dims dims, bool differentiable = true) {
      graph->inputs.push_back(graph->input(name, std::move(dims), Kind::real, differentiable));
      return graph->inputs.back();
    };
    const Var l = in("left", {batch, width}), l2 = two ? in("left", {batch}) : Var(), r = in("right", {batch, width}),
              r2 = two ? in("right", {batch}) : Var(), level = in("level", {}, false), c = in("c", {width});
    graph->results = {swish(weft::ops::add(l, weft::ops::mul(c, r)))};
    if (two) graph->results.push_back(weft::ops::add(swish(l2), weft::ops::mul(level, r2)));
    graph->differentiate();
    return graph;
  }
};

/// The complete nodes over x [B, T, ...], for `fold_sum` and `fold_read`: a table [B, slots, ...]. `count` [B] tokens
/// came before, of which `last` [B, kTreeLevels, ...] are the last complete nodes of every level. `merge` takes left
/// and right [B, ...], the level [], then `constants`; it must be differentiated.
inline Var fold(const Var& count, const Var& last, const Var& x, std::shared_ptr<const Graph> merge,
                const std::vector<Var>& constants = {}) {
  std::vector<Var> inputs = {count, last, x};
  inputs.insert(inputs.end(), constants.begin(), constants.end());
  return apply_all<Fold>(std::move(inputs), {.merge = std::move(merge)})[1];
}

}  // namespace weft::ops
