#pragma once
#include "engine/op.h"

namespace weft::ops {

struct Expand : Pointwise {
  static constexpr Doc doc{"repeats x along dimensions of size 1 and new ones in front", "y = x, broadcast to `shape`"};
  static constexpr const char* gradient = "dx = sum of dy over the copies";
  static constexpr Reads reads{.inputs = 0};
  struct Attrs {
    Dims shape;
  };
  static auto attributes() { return std::tuple{attribute("shape", &Attrs::shape, "the shape that x takes")}; }

  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    in.require(same_size(broadcast(in[0], attrs.shape, "expand"), attrs.shape),
               fmt::format("{} is not repeated into {}", text(in[0]), text(attrs.shape)));
    return {attrs.shape};
  }
  template <class T> static T value(const Attrs&, T x) { return x; }
  // The engine sums over the copies.
  template <class T> static std::array<T, 1> slopes(const Attrs&, T, T) { return {T(1)}; }
  static std::vector<Sample> samples() {
    return {{{{3}}, {{"shape", Dims{2, 3}}}}, {{{2, 1, 3}}, {{"shape", Dims{2, 4, 3}}}}, {{{}}, {{"shape", Dims{2}}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{2, 3}}, {{"shape", Dims{3}}}}, "is not repeated into [3]"},
            {{{{2}}, {{"shape", Dims{3}}}}, "shapes do not broadcast"}};
  }
};

inline Var expand(const Var& x, Dims shape) { return apply<Expand>({x}, {.shape = std::move(shape)}); }

}  // namespace weft::ops
