#pragma once
#include "engine/kernel.h"

namespace weft::ops {

struct Reshape : General {
  static constexpr Doc doc{"the same numbers in the same order under another shape; nothing is copied", "y = x"};
  static constexpr const char* gradient = "dx = dy, under the shape of x";
  static constexpr unsigned shares = 1;
  static constexpr Reads reads{.inputs = 0};
  struct Attrs {
    Dims shape;
  };
  static auto attributes() { return std::tuple{attribute("shape", &Attrs::shape, "the new shape")}; }

  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    Dim before(1), after(1);
    for (const Dim& d : in[0]) before = before * d;
    for (const Dim& d : attrs.shape) after = after * d;
    in.require(same_size(before, after), fmt::format("{} cannot become {}", text(in[0]), text(attrs.shape)));
    return {attrs.shape};
  }
  template <class T> static void forward(const Attrs&, Kernel<T>& k) { k.share(0, *k.call().inputs[0]); }
  // dx = dy, under the shape of x.
  template <class T> static void backward(const Attrs&, Kernel<T>& k) { k.share(0, *k.call().cotangents[0]); }
  static std::vector<Sample> samples() {
    return {{{{2, 6}}, {{"shape", Dims{3, 4}}}}, {{{4}}, {{"shape", Dims{1, 4, 1}}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{2, 3}}, {{"shape", Dims{4}}}}, "[2, 3] cannot become [4]"}};
  }
};

inline Var reshape(const Var& x, Dims shape) { return apply<Reshape>({x}, {.shape = std::move(shape)}); }

}  // namespace weft::ops
