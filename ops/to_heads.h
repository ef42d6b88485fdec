#pragma once
#include "ops/shared/permute.h"

namespace weft::ops {

struct ToHeads : General {
  static constexpr Doc doc{"splits the last dimension into heads", "y[h, t, i] = x[t, h D / H + i]"};
  static constexpr const char* gradient = "dx[t, h D / H + i] = dy[h, t, i]";
  static constexpr unsigned shares = 1;
  static constexpr std::array inputs{Input{"x", Input::plain, 2}};
  static constexpr Reads reads{.inputs = 0};
  struct Attrs {
    Dim heads = 1;
  };
  static auto attributes() { return std::tuple{attribute("heads", &Attrs::heads, "number of heads, a divisor of D")}; }

  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    const Dim &T = in.at(0, -2), &D = in.at(0, -1);
    const auto width = Dim::quotient(D, attrs.heads);
    in.require(width.has_value(), fmt::format("{} = {} does not divide by {} heads", D.text(), D.unnamed().text(),
                                              attrs.heads.unnamed().text()));
    Dims out(in[0].begin(), in[0].end() - 2);
    out.insert(out.end(), {attrs.heads, T, *width});
    return {out};
  }

  // [B, T, H, d] <-> [B, H, T, d]; the same where there is one of T or H, as for a generated token
  template <class T> static void swap(Kernel<T>& k, const Tensor& from, i64 batch, i64 first, i64 second, i64 width) {
    if (first == 1 || second == 1) return k.share(0, from);
    permute(k, from.values<T>().data(), {batch, second, first, width},
            {first * second * width, width, second * width, 1}, k.result().data());
  }
  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    const Shape& s = k.shape(0);
    const i64 steps = s[s.size() - 2], heads = attrs.heads.value(), width = s.back() / std::max<i64>(1, heads);
    const i64 batch = element_count(Shape(s.begin(), s.end() - 2));
    swap(k, *k.call().inputs[0], batch, steps, heads, width);
  }
  // dx is dy with the heads merged again.
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    const Shape& s = k.shape(0);
    const i64 steps = s[s.size() - 2], heads = attrs.heads.value(), width = s.back() / std::max<i64>(1, heads);
    const i64 batch = element_count(Shape(s.begin(), s.end() - 2));
    swap(k, *k.call().cotangents[0], batch, heads, steps, width);
  }
  static std::vector<Sample> samples() {
    return {{{{5, 6}}, {{"heads", Dim(3)}}}, {{{2, 5, 4}}, {{"heads", Dim(2)}}}, {{{2, 3}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{5, 6}}, {{"heads", Dim(4)}}}, "does not divide by 4 heads"}, {{{{5}}}, "needs at least 2 dimensions"}};
  }
};

inline Var to_heads(const Var& x, const Dim& heads) { return apply<ToHeads>({x}, {.heads = heads}); }

}  // namespace weft::ops
