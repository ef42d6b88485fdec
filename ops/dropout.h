#pragma once
#include "engine/kernel.h"

namespace weft::ops {

struct Dropout : General {
  static constexpr Doc doc{"in training, zeroes each element with probability p and scales the others up; else nothing",
                           "y = x / (1 - p) with probability 1 - p, else 0", "Srivastava et al. 2014, JMLR 15"};
  static constexpr const char* gradient = "dx = dy / (1 - p) where x was kept, else 0; in evaluation dx = dy";
  static constexpr unsigned shares = 1;
  static constexpr bool random = true;
  static constexpr Reads reads{.inputs = 0};
  struct Attrs {
    double p = 0.1;
  };
  static auto attributes() { return std::tuple{attribute("p", &Attrs::p, "probability, from 0 to below 1")}; }
  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    in.require(attrs.p >= 0 && attrs.p < 1, fmt::format("p is from 0 to below 1, not {}", attrs.p));
    return {in[0]};
  }

  // The draw depends on the key and the place of the element alone: the backward repeats it.
  template <class T> static void draw(const Attrs& attrs, Kernel<T>& k, const Tensor& x) {
    if (!k.training() || attrs.p == 0) return k.share(0, x);
    const auto counter = k.counter(x.shape());
    const Key key = k.key();
    const T scale = static_cast<T>(1 / (1 - attrs.p));
    const T* in = x.values<T>().data();
    T* y = k.result().data();
    k.ranges(x.size(), kGrain, [&](i64 begin, i64 end) {
      for (i64 i = begin; i < end; ++i) y[i] = uniform(key, counter(i)) < attrs.p ? T(0) : in[i] * scale;
    });
  }
  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) { draw(attrs, k, *k.call().inputs[0]); }
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) { draw(attrs, k, *k.call().cotangents[0]); }
  static std::vector<Sample> samples() { return {{{{4, 5}}}, {{{2, 3, 4}}, {{"p", 0.5}}}, {{{5}}, {{"p", 0.0}}}}; }
  static std::vector<ErrorSample> error_samples() { return {{{{{5}}, {{"p", 1.0}}}, "p is from 0 to below 1"}}; }
};

inline Var dropout(const Var& x, double p) { return apply<Dropout>({x}, {.p = p}); }

}  // namespace weft::ops
