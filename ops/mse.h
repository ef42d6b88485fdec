#pragma once
#include "ops/mean.h"
#include "ops/square.h"
#include "ops/sub.h"
#include "ops/sum.h"

namespace weft::ops {

struct Mse : Composite {
  static constexpr Doc doc{"squared error of a prediction", "y = mean of (x - target)^2 over all elements"};
  static constexpr Along along = Along::whole;  // mean and sum go over all positions
  static constexpr std::array inputs{Input{"x"}, Input{"target"}};
  struct Attrs {
    std::string reduction = "mean";
  };
  static auto attributes() {
    return std::tuple{attribute("reduction", &Attrs::reduction, "mean, none (the errors themselves), or sum",
                                {"mean", "none", "sum"})};
  }
  static Along along_with(const Attrs& attrs) { return attrs.reduction == "none" ? Along::pointwise : Along::whole; }
  static Var build(Graph&, const Attrs& attrs, std::span<const Var> x) {
    Var y = square(sub(x[0], x[1]));
    while (attrs.reduction != "none" && !y.dims().empty()) y = attrs.reduction == "mean" ? mean(y, -1) : sum(y, -1);
    return y;
  }
  static std::vector<Sample> samples() {
    return {{{{2, 3}, {2, 3}}},
            {{{2, 3}, {1, 3}}, {{"reduction", std::string("sum")}}},
            {{{4}, {4}}, {{"reduction", std::string("none")}}}};
  }
  static std::vector<ErrorSample> error_samples() { return {{{{{2, 3}, {2, 4}}}, "shapes do not broadcast"}}; }
};

inline Var mse(const Var& x, const Var& target, const std::string& reduction = "mean") {
  return apply<Mse>({x, target}, {.reduction = reduction});
}

}  // namespace weft::ops
