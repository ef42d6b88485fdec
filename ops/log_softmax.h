#pragma once
#include "ops/logsumexp.h"
#include "ops/reshape.h"
#include "ops/sub.h"

namespace weft::ops {

struct LogSoftmax : Composite {
  static constexpr Doc doc{"logarithm of the softmax, without overflow", "y_i = x_i - logsumexp(x)"};
  struct Attrs {
    Axis dim;
  };
  static auto attributes() { return std::tuple{attribute("dim", &Attrs::dim, "the dimension that sums to one")}; }
  static Var build(Graph&, const Attrs& attrs, std::span<const Var> x) {
    Dims kept = x[0].dims();
    kept[static_cast<std::size_t>(axis_from_front(attrs.dim.index, kept.size(), "log_softmax"))] = 1;
    return sub(x[0], reshape(logsumexp(x[0], attrs.dim.index), kept));
  }
  static std::vector<Sample> samples() { return {{{{2, 5}}}, {{{2, 3, 4}}, {{"dim", i64{1}}}}}; }
  static std::vector<ErrorSample> error_samples() { return {{{{{2, 3}}, {{"dim", i64{2}}}}, "there is no axis 2"}}; }
};

inline Var log_softmax(const Var& x, i64 dim = -1) { return apply<LogSoftmax>({x}, {.dim = {dim}}); }

}  // namespace weft::ops
