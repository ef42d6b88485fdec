#pragma once
#include "ops/shared/permute.h"

namespace weft::ops {

struct MergeHeads : General {
  static constexpr Doc doc{"puts heads side by side: undoes to_heads", "y[t, h d + i] = x[h, t, i]"};
  static constexpr const char* gradient = "dx[h, t, i] = dy[t, h d + i]";
  static constexpr unsigned shares = 1;
  static constexpr std::array inputs{Input{"x", Input::plain, 3}};
  static constexpr Reads reads{.inputs = 0};

  static std::vector<Dims> infer(const Attrs&, const InputDims& in) {
    const Dim &H = in.at(0, -3), &T = in.at(0, -2), &d = in.at(0, -1);
    Dims out(in[0].begin(), in[0].end() - 3);
    out.insert(out.end(), {T, H * d});
    return {out};
  }

  template <class T> static void swap(Kernel<T>& k, const Tensor& from, bool forth) {
    const Shape& s = k.shape(0);
    const i64 H = s[s.size() - 3], steps = s[s.size() - 2], d = s.back();
    const i64 batch = element_count(Shape(s.begin(), s.end() - 3)), first = forth ? H : steps,
              second = forth ? steps : H;
    if (first == 1 || second == 1) return k.share(0, from);  // as for a generated token
    permute(k, from.values<T>().data(), {batch, second, first, d}, {H * steps * d, d, second * d, 1},
            k.result().data());
  }
  template <class T> static void forward(const Attrs&, Kernel<T>& k) { swap(k, *k.call().inputs[0], true); }
  // dx is dy split into heads again.
  template <class T> static void backward(const Attrs&, Kernel<T>& k) { swap(k, *k.call().cotangents[0], false); }
  static std::vector<Sample> samples() { return {{{{3, 5, 2}}}, {{{2, 3, 4, 5}}}}; }
  static std::vector<ErrorSample> error_samples() { return {{{{{5, 6}}}, "needs at least 3 dimensions"}}; }
};

inline Var merge_heads(const Var& x) { return apply<MergeHeads>({x}); }

}  // namespace weft::ops
