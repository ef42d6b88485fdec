#pragma once
#include "ops/shared/contraction.h"
#include "ops/shared/target_loss.h"

namespace weft::ops {

struct LinearCrossEntropy : General {
  static constexpr Doc doc{
      "the mean negative log-likelihood of targets under logits that never exist whole: those of a large vocabulary",
      "cross_entropy(x W, targets): logits, their losses and gradients, a block of rows after the other",
      "Hsu et al. 2024, arXiv:2410.10989"};
  static constexpr const char* gradient =
      "dx_n = dy weight dlogits_n, dweight = dy sum_n x_n dlogits_n, dlogits as of the mean of cross_entropy\n"
      "all but the factor dy is computed in the forward, where the logits are";
  static constexpr Along along = Along::whole;
  static constexpr std::array inputs{Input{"x", Input::plain, 1}, Input{"weight", Input::plain, 2},
                                     Input{"targets", Input::index}};
  static constexpr std::size_t saved = 2;  // the gradients for dy = 1
  static constexpr Reads reads{.inputs = 0};
  static constexpr double backward_work = 0;
  struct Attrs {
    bool table = false;
    double smoothing = 0;
    i64 ignore = -1, block = 0;
  };
  static auto attributes() {
    return std::tuple{
        attribute("table", &Attrs::table, "the weight is [V, D], as a table of embeddings is, and not [D, V]"),
        attribute("smoothing", &Attrs::smoothing, "share of the target's weight that is spread over all classes"),
        attribute("ignore", &Attrs::ignore, "targets of this value give 0, no gradient, and are not counted"),
        attribute("block", &Attrs::block, "rows whose logits exist at a time; 0: chosen by the vocabulary")};
  }

  // x [..., D], weight [D, V] or [V, D], targets [...] -> []
  static std::vector<Dims> infer(const Attrs& a, const InputDims& in) {
    in.require(a.smoothing >= 0 && a.smoothing <= 1, fmt::format("smoothing is from 0 to 1, not {}", a.smoothing));
    in.require(a.block >= 0, fmt::format("a block has at least one row, not {}", a.block));
    in.require(in[1].size() == 2 && same_size(in.at(0, -1), in[1][a.table ? 1 : 0]),
               fmt::format("x {} does not fit the weight {}", text(in[0]), text(in[1])));
    const Dims rows(in[0].begin(), in[0].end() - 1);
    in.require(rows.size() == in[2].size() && same_size(rows, in[2]),
               fmt::format("x [..., D] needs targets [...] ({} and {})", text(in[0]), text(in[2])));
    return {Dims{}, in[0], in[1]};
  }

  // The products of a block of n rows.
  struct BlockProducts {
    bool table;
    Contraction logits, dx, dweight;
    BlockProducts(bool is_table, i64 n, i64 D, i64 V)
        : table(is_table),
          logits(Pattern::parse(table ? "nd,vd->nv" : "nd,dv->nv"), {n, D}, weight(table, D, V), {n, V}),
          dx(Pattern::parse(table ? "nv,vd->nd" : "nv,dv->nd"), {n, V}, weight(table, D, V), {n, D}),
          dweight(table ? Contraction(Pattern::parse("nv,nd->vd"), {n, V}, {n, D}, {V, D})
                        : Contraction(Pattern::parse("nd,nv->dv"), {n, D}, {n, V}, {D, V})) {}
    static Shape weight(bool table, i64 D, i64 V) { return table ? Shape{V, D} : Shape{D, V}; }
    template <class T> void add_dweight(const Kernel<T>& k, const T* x, const T* dlogits, T* to) const {
      if (table) dweight.add(k, dlogits, x, to);
      else dweight.add(k, x, dlogits, to);
    }
  };
  // Rows of a block: enough that its products are no slower than those of all rows, and its logits, 4 MB, stay in the
  // third cache where the vocabulary lets them.
  static i64 rows_of_block(const Attrs& a, i64 V) {
    return a.block > 0 ? a.block : std::max<i64>(128, (1 << 20) / std::max<i64>(1, V));
  }

  template <class T> static void forward(const Attrs& a, Kernel<T>& k) {
    const auto targets = k.indices(2);
    const i64 rows = std::ssize(targets), D = k.shape(0).back(), V = k.shape(1)[a.table ? 0 : 1];
    const i64 counted = counted_targets(targets, a.ignore, V, k.op().name);
    const i64 block = std::min(rows, rows_of_block(a, V));
    const T *x = k.input(0).data(), *weight = k.input(1).data();
    T *dx = k.save(0).data(), *dweight = k.save(1).data();
    std::fill_n(dweight, D * V, T(0));
    Tensor memory = k.scratch({block, V});
    T* logits = memory.template mutable_values<T>().data();
    std::vector<double> losses(static_cast<std::size_t>(rows));
    const TargetLoss<T> loss{V, a.smoothing};
    const T share = static_cast<T>(1 / static_cast<double>(std::max<i64>(1, counted)));
    const auto& [whole, last] = k.once([&] {
      return std::pair(BlockProducts(a.table, block, D, V), BlockProducts(a.table, block ? rows % block : 0, D, V));
    });
    for (i64 first = 0; first < rows; first += block) {
      const i64 n = std::min(block, rows - first);
      const BlockProducts& products = n == block ? whole : last;
      products.logits(k, x + first * D, weight, logits);
      k.rows(n, V, [&](i64 i) {
        T* const row = logits + i * V;
        const i32 target = targets[first + i];
        if (target == a.ignore) {
          std::fill_n(row, V, T(0));
          return;
        }
        double sum = 0;
        const double log_sum = loss.log_sum_exp(row, sum);
        losses[first + i] = loss(row, target, log_sum, sum);
        loss.gradient(row, target, static_cast<T>(log_sum), share, row);
      });
      if (k.is_read(1)) products.dx(k, static_cast<const T*>(logits), weight, dx + first * D);
      if (k.is_read(2)) products.add_dweight<T>(k, x + first * D, logits, dweight);
    }
    if (!k.is_read(1)) std::fill_n(dx, rows * D, T(0));
    double total = 0;
    for (const double one : losses) total += one;
    k.result()[0] = static_cast<T>(total / static_cast<double>(std::max<i64>(1, counted)));
  }

  template <class T> static void backward(const Attrs&, Kernel<T>& k) {
    const T dy = k.cotangent()[0];
    for (const std::size_t i : {0, 1}) {
      const auto from = k.saved(i);
      const auto to = k.gradient(i);
      if (!to.empty()) k.each(std::ssize(to), [=, p = from.data(), q = to.data()](i64 j) { q[j] = dy * p[j]; });
    }
  }

  static double flops(const Attrs&, const std::vector<Shape>& in, const std::vector<Shape>&) {
    return 6 * static_cast<double>(element_count(in[2])) * static_cast<double>(element_count(in[1]));
  }
  static double scratch(const Attrs& a, const std::vector<Shape>& in, const std::vector<Shape>&, bool backward) {
    const i64 V = in[1][a.table ? 0 : 1];
    return backward ? 0 : static_cast<double>(std::min(element_count(in[2]), rows_of_block(a, V)) * V);
  }
  static std::vector<Sample> samples() {
    return {{{{2, 3, 4}, {4, 5}, {2, 3}}},
            {{{4, 3}, {37, 3}, {4}}, {{"table", true}, {"smoothing", 0.1}}},
            {{{7, 2}, {2, 3}, {7}}, {{"ignore", i64{2}}, {"block", i64{3}}}},
            {{{2, 4, 2}, {3, 2}, {2, 4}}, {{"table", true}, {"block", i64{4}}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{2, 3, 5}, {5, 4}, {3}}}, "x [..., D] needs targets [...] ([2, 3, 5] and [3])"},
            {{{{2, 5}, {4, 5}, {2}}}, "x [2, 5] does not fit the weight [4, 5]"},
            {{.shapes = {{9, 2}, {2, 2}, {9}}, .classes = 1000}, "is none of the 2 classes"},
            {{{{2, 5}, {5, 3}, {2}}, {{"smoothing", 1.5}}}, "smoothing is from 0 to 1, not 1.5"},
            {{{{2, 5}, {5, 3}, {2}}, {{"block", i64{-1}}}}, "a block has at least one row, not -1"}};
  }
};

/// x [..., D], weight [D, V] or a table [V, D], targets [...] -> the mean loss over the targets that are not `ignore`.
inline Var linear_cross_entropy(const Var& x, const Var& weight, const Var& targets,
                                const LinearCrossEntropy::Attrs& attrs = {}) {
  return apply<LinearCrossEntropy>({x, weight, targets}, attrs);
}

}  // namespace weft::ops
