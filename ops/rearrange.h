#pragma once
#include "ops/shared/arrangement.h"
#include "ops/shared/permute.h"

namespace weft::ops {

struct Rearrange : General {
  static constexpr Doc doc{"splits, joins and reorders dimensions by name",
                           "\"T (H k) -> H T k\": y[h, t, i] = x[t, h k + i]",
                           "Rogozhnikov 2022, Einops, ICLR; here a size is written with its name, as in (H=4 k)"};
  static constexpr const char* gradient = "\"T (H k) -> H T k\": dx[t, h k + i] = dy[h, t, i]";
  static constexpr unsigned shares = 1;
  static constexpr Reads reads{.inputs = 0};
  struct Attrs {
    std::string pattern;
  };
  static auto attributes() {
    return std::tuple{
        attribute("pattern", &Attrs::pattern,
                  "dimensions before and after; (H k) is one made of two, 1 has no name, ... stands for those in "
                  "front; in an equation names of sizes are known")};
  }

  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    const auto a = Arrangement::parse(attrs.pattern);
    const auto sizes = a.sizes(in);
    const auto order = a.order();
    Dims out(in[0].begin(), in[0].end() - static_cast<std::ptrdiff_t>(a.before.size()));
    std::size_t next = 0;
    for (const auto& group : a.after) {
      out.emplace_back(1);
      for (std::size_t i = 0; i < group.size(); ++i) out.back() = out.back() * sizes[order[next++]];
    }
    return {out};
  }

  // Copies between x, whose names have these sizes, and y; `back`: from y to x.
  template <class T> static void move(const Attrs& attrs, Kernel<T>& k, const Tensor& from, bool back) {
    const auto& m = k.once([&] { return Permutation(attrs, k, back); });
    if (m.order_stays) return k.share(0, from);
    permute(k, from.values<T>().data(), m.sizes, m.strides, k.result(0).data());
  }
  struct Permutation {
    bool order_stays;  // a new shape alone
    Shape sizes{};
    std::vector<i64> strides{};
    template <class T> Permutation(const Attrs& attrs, const Kernel<T>& k, bool back) {
      const auto a = Arrangement::parse(attrs.pattern);
      const Dims dims = to_dims(k.shape(0));
      Shape own = bind(a.sizes(InputDims(k.op(), {&dims})), {});
      auto order = a.order();
      auto wide = order;  // a dimension of size 1 may stand anywhere
      std::erase_if(wide, [&](std::size_t p) { return own[p] == 1; });
      order_stays = std::is_sorted(wide.begin(), wide.end());
      const i64 inner = element_count(own), front = inner ? element_count(k.shape(0)) / inner : 0;
      if (back) {
        std::vector<std::size_t> inverse(order.size());
        Shape moved(order.size());
        for (std::size_t i = 0; i < order.size(); ++i) inverse[order[i]] = i, moved[i] = own[order[i]];
        order = inverse;
        own = moved;
      }
      const auto steps = row_major(own);
      sizes = {front};
      strides = {inner};
      for (const std::size_t p : order) sizes.push_back(own[p]), strides.push_back(steps[p]);
    }
  };
  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    move(attrs, k, *k.call().inputs[0], false);
  }
  // dx is dy rearranged the other way.
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    move(attrs, k, *k.call().cotangents[0], true);
  }

  static std::vector<Sample> samples() {
    const auto sample = [](const char* pattern, Sample::Sizes x) {
      return Sample{{x}, {{"pattern", std::string(pattern)}}};
    };
    return {sample("T (H=2 k) -> H T k", {3, 4}), sample("... H T k -> ... T (H k)", {2, 2, 3, 4}),
            sample("a b -> (b a) 1", {2, 3}),     sample("a 1 (b=3 c d=2) -> c (d a) b", {2, 1, 12}),
            sample("a b -> (a b)", {2, 3}),       sample("a b c -> c a b", {2, 3, 4})};
  }
  static std::vector<ErrorSample> error_samples() {
    const auto wrong = [](const char* pattern, Sample::Sizes x, const char* message) {
      return ErrorSample{{{x}, {{"pattern", std::string(pattern)}}}, message};
    };
    return {wrong("a b", {2, 3}, "a pattern is like"),
            wrong("a b -> a", {2, 3}, "b stands on one side alone"),
            wrong("a b -> a b c", {2, 3}, "c stands on one side alone"),
            wrong("a a -> a", {2, 3}, "a stands twice"),
            wrong("a (b -> a b", {2, 3}, "parentheses do not match"),
            wrong("a ((b) c) -> a b c", {2, 3}, "parentheses do not match"),
            wrong("... a -> a", {2, 3}, "`...` stands on one side alone"),
            wrong("a b c -> c b a", {2, 3}, "the pattern has 3 dimensions and x has 2"),
            wrong("a (b c) -> a b c", {2, 6}, "the sizes of b and c are not known: give one, as in c=4"),
            wrong("a (b=4 c) -> a b c", {2, 6}, "the dimension 6 of [2, 6] is not made of (b c) = 4"),
            wrong("a b=4 -> b a", {2, 6}, "the dimension 6 of [2, 6] is not made of (b) = 4"),
            wrong("a 1 -> a", {2, 6}, "the dimension 6 of [2, 6] is not made of (1) = 1"),
            wrong("a b+c -> a", {2, 6}, "`b+c` is no name of a dimension")};
  }
};

inline Var rearrange(const Var& x, const std::string& pattern) { return apply<Rearrange>({x}, {.pattern = pattern}); }

}  // namespace weft::ops
