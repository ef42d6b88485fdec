#pragma once
#include <algorithm>

#include "ops/shared/lanes.h"
#include "ops/shared/leads.h"

namespace weft::ops {

struct WeightedSum : General {
  static constexpr Doc doc{"the sum of tensors, each with a weight of its own: what a gate makes of its options",
                           "y[..., d] = sum over i of p[..., i] x_i[..., d]"};
  static constexpr const char* gradient = "dp[..., i] = sum over d of x_i[..., d] dy[..., d]\ndx_i = p[..., i] dy";
  static constexpr std::array inputs{Input{"p", Input::plain, 1}, Input{"x", Input::plain, 1}};
  static constexpr bool variadic = true;

  // p [.., n], n tensors [.., D]; the leading dimensions of p broadcast to theirs
  static std::vector<Dims> infer(const Attrs&, const InputDims& in) {
    const i64 n = std::ssize(in) - 1;
    in.require(same_size(in.at(0, -1), Dim(n)),
               fmt::format("it has {} tensors, and the weights {} end with {}", n, text(in[0]), in.at(0, -1).text()));
    for (std::size_t i = 2; i < in.size(); ++i)
      in.require(same_size(in[i], in[1]), fmt::format("{} and {} differ", text(in[1]), text(in[i])));
    const Dims lead = lead_of(in, 1, 1);
    in.require(same_size(broadcast(lead, lead_of(in, 0, 1), "weighted_sum"), lead),
               fmt::format("x {} has no leading dimensions for p {}", text(in[1]), text(in[0])));
    return {in[1]};
  }

  template <class T> static Leads weights(const Kernel<T>& k) {
    const Shape& x = k.shape(1);
    return Leads(k.shape(0), 1, Shape(x.begin(), x.end() - 1));
  }
  template <class T> static void forward(const Attrs&, Kernel<T>& k) {
    const i64 n = std::ssize(k.call().inputs) - 1, D = k.shape(1).back();
    const Leads lead = weights(k);
    const T* p = k.input(0).data();
    T* y = k.result().data();
    k.rows(lead.count(), D * n, [&](i64 r) {
      const T* weight = p + lead.offset(r);
      T* to = y + r * D;
      for (i64 i = 0; i < n; ++i) {
        const T w = weight[i], *from = k.input(1 + i).data() + r * D;
        for (i64 d = 0; d < D; ++d) to[d] = i ? to[d] + w * from[d] : w * from[d];
      }
    });
  }
  template <class T> static void backward(const Attrs&, Kernel<T>& k) {
    const i64 n = std::ssize(k.call().inputs) - 1, D = k.shape(1).back();
    const Leads lead = weights(k);
    const T *p = k.input(0).data(), *dy = k.cotangent().data();
    // Where lines share their weights, each writes a gradient of its own first.
    const bool shared = lead.shared(), wanted = k.wants(0);
    Tensor apart = shared && wanted ? k.scratch({lead.count() * n}) : Tensor();
    T* dp = apart ? apart.template mutable_values<T>().data() : k.gradient(0).data();
    k.rows(lead.count(), 2 * D * n, [&](i64 r) {
      const i64 at = lead.offset(r);
      const T *weight = p + at, *up = dy + r * D;
      for (i64 i = 0; i < n; ++i) {
        const T w = weight[i], *from = k.input(1 + i).data() + r * D;
        if (wanted) dp[(shared ? r * n : at) + i] = lane_sum<T>(D, [=](auto j) { return j(from) * j(up); });
        if (!k.wants(1 + i)) continue;
        T* to = k.gradient(1 + i).data() + r * D;
        for (i64 d = 0; d < D; ++d) to[d] = w * up[d];
      }
    });
    if (!apart) return;
    T* sum = k.gradient(0).data();
    std::fill_n(sum, k.gradient(0).size(), T(0));
    for (i64 r = 0; r < lead.count(); ++r) {
      T* to = sum + lead.offset(r);
      for (i64 i = 0; i < n; ++i) to[i] += dp[r * n + i];
    }
  }
  static double flops(const Attrs&, const std::vector<Shape>& inputs, const std::vector<Shape>&) {
    return 2 * static_cast<double>(inputs.size() - 1) * static_cast<double>(element_count(inputs[1]));
  }
  static std::vector<Sample> samples() {
    return {{{{4, 2}, {4, 3}, {4, 3}}},
            {{{2, 3, 3}, {2, 3, 9}, {2, 3, 9}, {2, 3, 9}}},
            {{{2}, {4, 3}, {4, 3}}},
            {{{2, 1, 1}, {2, 3, 5}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{4, 3}, {4, 3}, {4, 3}}}, "it has 2 tensors, and the weights [4, 3] end with 3"},
            {{{{4, 2}, {4, 3}, {4, 2}}}, "[4, 3] and [4, 2] differ"},
            {{{{5, 2}, {4, 3}, {4, 3}}}, "shapes do not broadcast ([4] and [5])"},
            {{{{2, 4, 2}, {4, 3}, {4, 3}}}, "x [4, 3] has no leading dimensions for p [2, 4, 2]"}};
  }
};

/// x_i [.., D] with weights p [.., n], one for each.
inline Var weighted_sum(const Var& p, std::vector<Var> x) {
  x.insert(x.begin(), p);
  return apply<WeightedSum>(std::move(x));
}

}  // namespace weft::ops
