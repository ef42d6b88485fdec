#pragma once
#include "ops/mul.h"
#include "ops/reshape.h"
#include "ops/shared/tree_table.h"
#include "ops/softmax.h"
#include "ops/sum.h"

namespace weft::ops {

struct FoldRead : General {
  static constexpr Doc doc{
      "what a graph makes, at each token, of the last complete node of every level",
      "y_t = read(c, present, x_t), c_l = node(l, floor(t / 2^l)), present_l = 1, or both 0 where there is none yet",
      "a block of tokens at a time, so that the nodes of T log T levels never stand in memory together"};
  static constexpr const char* gradient =
      "dx_t, the gradient of a node and the share of a constant: those of read, summed over the tokens that read it";
  static constexpr Along along = Along::streams;
  // Tokens before, tables of a fold, sequences, constants.
  static constexpr std::array inputs{Input{"count", Input::index | Input::fixed}, Input{"x"}};
  static constexpr bool variadic = true;
  struct Attrs {
    std::shared_ptr<const Graph> read;
    i64 values = 1, sequences = 0;
    Dim length = Dim::symbol("T");
  };
  static auto attributes() {
    return std::tuple{
        attribute("read", &Attrs::read, "takes the values by level, `present`, entries of sequences, constants"),
        attribute("values", &Attrs::values, "how many of the inputs are tables of a fold"),
        attribute("sequences", &Attrs::sequences, "how many of the inputs are sequences [B, T, ...]"),
        attribute("length", &Attrs::length, "the number of tokens")};
  }

  // count [B], tables [B, slots, ...], sequences [B, T, ...], constants -> [B, T, ...]
  static std::vector<Dims> infer(const Attrs& a, const InputDims& in) {
    in.require(a.read != nullptr && !a.read->results.empty(), "it needs a read");
    const std::size_t n = static_cast<std::size_t>(a.values), own = n + 1 + static_cast<std::size_t>(a.sequences);
    in.require(a.values >= 0 && a.sequences >= 0 && own > 1 && in.size() >= own && a.read->inputs.size() >= own,
               fmt::format("it needs {} tables and {} sequences", a.values, a.sequences));
    for (std::size_t v = 0; v < n; ++v) {
      Dims entry = entry_dims(a.read->inputs[v]);
      entry.erase(entry.begin());
      require_table(in, 1 + v, a.length, entry);
    }
    for (std::size_t i = n + 1; i < own; ++i) {
      const Dims dims = placed(batch_of(in), a.length, entry_dims(a.read->inputs[i]));
      in.require(same_size(in[i], dims), fmt::format("a sequence must be {} (it is {})", text(dims), text(in[i])));
    }
    require_constants(*a.read, own, in, own);
    std::vector<Dims> out;
    for (const Var& y : a.read->results) out.push_back(placed(batch_of(in), a.length, entry_dims(y)));
    return out;
  }

  template <class T> static void forward(const Attrs& a, Kernel<T>& k) {
    const Blocks<T> blocks(a, k);
    InnerGraph<T> read(k, *a.read, blocks.own, blocks.own);
    for (i64 begin = 0; begin < blocks.count; begin += kBlock) {
      const Block block = blocks.block(k, begin);
      const auto made = read.forward(blocks.given(k, block), block.entries);
      for (std::size_t r = 0; r < made.size(); ++r) {
        const i64 width = made[r].size() / std::ssize(block.tokens);
        std::copy_n(made[r].template values<T>().data(), made[r].size(), k.result(r).data() + begin * width);
      }
    }
  }

  template <class T> static void backward(const Attrs& a, Kernel<T>& k) {
    const Blocks<T> blocks(a, k);
    InnerGraph<T> read(k, *a.read, blocks.own, blocks.own);
    for (std::size_t i = 1; i < k.input_count(); ++i) {
      const auto gradient = k.gradient(i);
      std::fill(gradient.begin(), gradient.end(), T(0));
    }
    for (i64 begin = 0; begin < blocks.count; begin += kBlock) {
      const Block block = blocks.block(k, begin);
      std::vector<Tensor> arriving;
      for (std::size_t r = 0; r < a.read->results.size(); ++r) {
        const Shape& all = k.output_shape(r);
        const bool none = !k.has_cotangent(r);
        arriving.push_back(gathered(k, none ? nullptr : k.cotangent(r).data(), Shape(all.begin() + 2, all.end()),
                                    none ? std::vector<i64>(block.tokens.size(), -1) : block.tokens));
      }
      const auto made = read.backward(blocks.given(k, block), arriving, block.entries);
      for (std::size_t i = 1; i < blocks.own; ++i) {
        const bool table = i <= blocks.values;
        const Tensor& gradient = made[table ? i - 1 : i];
        if (gradient && k.wants(i)) add_entries(k.gradient(i).data(), gradient, table ? block.slots : block.tokens);
      }
    }
  }

  static double flops(const Attrs& a, const std::vector<Shape>&, const std::vector<Shape>& outputs) {
    const i64 levels = std::bit_width(static_cast<u64>(outputs[0][1]));
    return Run(*a.read, a.read->results).flops({{"B", outputs[0][0] * outputs[0][1]}, {"L", levels}});
  }
  static double scratch(const Attrs& a, const std::vector<Shape>&, const std::vector<Shape>& outputs, bool backward) {
    const i64 levels = std::bit_width(static_cast<u64>(outputs[0][1]));
    return inner_numbers(*a.read, std::min(kBlock, outputs[0][0] * outputs[0][1]), backward, {{"L", levels}});
  }
  static std::vector<Sample> samples() {
    const AttributeValue one = weighed(false), two = weighed(true);
    return {{.shapes = {{2}, {2, 60, 3}}, .attributes = {{"read", one}, {"length", Dim(5)}}, .classes = 9},
            {.shapes = {{3}, {3, 64, 3}, {3, 64, 3}, {3, 7, 3}, {3}},
             .attributes = {{"read", two}, {"values", i64{2}}, {"sequences", i64{1}}, {"length", Dim(7)}},
             .classes = 40},
            {.shapes = {{2}, {2, 50, 3}}, .attributes = {{"read", one}, {"length", Dim(0)}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    const AttributeValue one = weighed(false);
    return {{{.shapes = {{2}, {2, 60, 3}}}, "it needs a read"},
            {{.shapes = {{2}, {2, 60, 2}}, .attributes = {{"read", one}, {"length", Dim(5)}}},
             "[2, 60, 2] is no table of nodes [3] over 5 tokens"},
            {{.shapes = {{2}, {2, 60, 3}}, .attributes = {{"read", one}, {"sequences", i64{1}}, {"length", Dim(5)}}},
             "it needs 1 tables and 1 sequences"}};
  }

 private:
  static constexpr i64 kBlock = 1024;  // tokens: with ten levels of width 128, 5 MB of f32

  struct Block {
    std::vector<i64> tokens, slots;  // of all rows, one after the other; slots of each token, level by level
    i64 levels = 1;
    Entries entries;
  };
  template <class T> struct Blocks {
    std::size_t values, own;
    TreeTables tables;
    i64 count;

    Blocks(const Attrs& a, const Kernel<T>& k)
        : values(static_cast<std::size_t>(a.values)),
          own(values + 1 + static_cast<std::size_t>(a.sequences)),
          tables(k, a.length, 1),
          count(std::ssize(tables.rows) * tables.length) {}
    Block block(const Kernel<T>& k, i64 begin) const {
      Block block;
      block.entries.key = k.key();
      for (i64 i = begin; i < std::min(count, begin + kBlock); ++i) {
        const i64 row = i / tables.length;
        block.tokens.push_back(i);
        block.entries.rows.push_back(row);
        block.entries.places.push_back(tables.rows[static_cast<std::size_t>(row)].before() + i % tables.length);
        block.levels =
            std::max<i64>(block.levels, std::bit_width(static_cast<u64>(block.entries.places.back() + 1)) - 1);
      }
      for (std::size_t i = 0; i < block.tokens.size(); ++i) {
        for (i64 l = 1; l <= block.levels; ++l) {
          block.slots.push_back(tables.node(block.entries.rows[i], l, (block.entries.places[i] + 1) >> l));
        }
      }
      return block;
    }
    // The values [tokens, levels, ...], `present` [tokens, levels], the entries of sequences [tokens, ...].
    std::vector<Tensor> given(const Kernel<T>& k, const Block& block) const {
      const auto leveled = [&](const Shape& entry) {
        Shape shape = {std::ssize(block.tokens), block.levels};
        shape.insert(shape.end(), entry.begin(), entry.end());
        return shape;
      };
      std::vector<Tensor> all;
      for (std::size_t v = 1; v <= values; ++v) {
        const Shape entry(k.shape(v).begin() + 2, k.shape(v).end());
        all.push_back(gathered(k, k.input(v).data(), entry, block.slots).reshaped(leveled(entry)));
      }
      Tensor present = k.scratch(leveled({}));
      std::transform(block.slots.begin(), block.slots.end(), present.template mutable_values<T>().begin(),
                     [](i64 slot) { return T(slot >= 0); });
      all.push_back(present);
      for (std::size_t i = values + 1; i < own; ++i) {
        const Shape entry(k.shape(i).begin() + 2, k.shape(i).end());
        all.push_back(gathered(k, k.input(i).data(), entry, block.tokens));
      }
      return all;
    }
  };

  // The levels weighed by softmax(c), of three numbers each, or with `two` by softmax(a c), times x_t.
  static std::shared_ptr<const Graph> weighed(bool two) {
    const auto graph = std::make_shared<Graph>();
    const Dim batch = Dim::symbol("B"), levels = Dim::symbol("L");
    const auto in = [&](Dims dims, bool differentiable = true) {
      graph->inputs.push_back(graph->input("x", std::move(dims), Kind::real, differentiable));
      return graph->inputs.back();
    };
    const Var c = in({batch, levels, 3}), a = two ? in({batch, levels, 3}) : c, present = in({batch, levels}, false),
              x = two ? in({batch, 3}) : Var(), u = two ? in({3}) : Var();
    const Var weights = softmax(sum(two ? weft::ops::mul(weft::ops::mul(a, c), u) : c, -1), -1, present);
    const Var y = sum(weft::ops::mul(reshape(weights, {batch, levels, 1}), c), -2);
    graph->results = {two ? weft::ops::mul(y, x) : y};
    graph->differentiate();
    return graph;
  }
};

}  // namespace weft::ops
