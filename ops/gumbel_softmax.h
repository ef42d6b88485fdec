#pragma once
#include <limits>

#include "engine/kernel.h"
#include "engine/math.h"

namespace weft::ops {

struct GumbelSoftmax : General {
  static constexpr Doc doc{
      "a soft choice along the last dimension: in training with Gumbel noise, in evaluation as `eval` says",
      "y = softmax((x + g) / tau), g = -ln(-ln u)", "Jang, Gu and Poole 2016, arXiv:1611.01144"};
  static constexpr const char* gradient =
      "dx = s * (dy - sum(s * dy)) / tau, s = softmax((x + g) / tau), also where the choice is hard";
  static constexpr bool random = true;
  static constexpr bool straight_through = true;
  static constexpr std::array inputs{Input{"x", Input::plain, 1}, Input{"noise", Input::optional | Input::fixed, 1}};
  static constexpr Reads reads{.inputs = 0};
  static constexpr std::size_t saved = 1;  // the soft choice, which the gradient follows also where the choice is hard
  struct Attrs {
    double tau = 1;
    bool hard = false;
    std::string eval = "argmax";
  };
  static auto attributes() {
    return std::tuple{
        attribute("tau", &Attrs::tau, "temperature: small ones make the choice sharp"),
        attribute("hard", &Attrs::hard, "in training, a choice of one; its gradient is that of the soft choice"),
        attribute("eval", &Attrs::eval, "in evaluation: the likeliest, the softmax without noise, or a draw",
                  {"argmax", "soft", "sample"})};
  }
  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    in.at(0, -1);
    in.require(attrs.tau > 0, fmt::format("tau is above 0, not {}", attrs.tau));
    in.require(!in.has(1) || same_size(in[0], in[1]),
               in.has(1) ? fmt::format("the noise is {}, not {}", text(in[0]), text(in[1])) : "");
    return {in[0], in[0]};
  }

  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    const Shape& shape = k.shape(0);
    const i64 n = shape.back(), rows = element_count(Shape(shape.begin(), shape.end() - 1));
    const bool noisy = k.training() || attrs.eval == "sample" || k.has(1);
    const bool hard = k.training() ? attrs.hard : attrs.eval != "soft";
    const T *x = k.input(0).data(), *given = k.has(1) ? k.input(1).data() : nullptr;
    T *y = k.result().data(), *soft = k.save(0).data();
    const auto counter = k.counter(shape);
    const Key key = k.key();
    k.ranges(rows, std::max<i64>(1, kGrain / std::max<i64>(1, n * 8)), [&](i64 begin, i64 end) {
      for (i64 r = begin; r < end; ++r) {
        T top = -std::numeric_limits<T>::infinity(), total = 0;
        i64 best = 0;
        T *s = soft + r * n, *out = y + r * n;
        for (i64 i = 0; i < n; ++i) {
          const i64 at = r * n + i;
          const double g = given   ? static_cast<double>(given[at])
                           : noisy ? -std::log(-std::log(uniform(key, counter(at))))
                                   : 0;
          s[i] = (x[at] + static_cast<T>(g)) / static_cast<T>(attrs.tau);
          if (s[i] > top) top = s[i], best = i;
        }
        for (i64 i = 0; i < n; ++i) total += s[i] = weft::exp(s[i] - top);
        for (i64 i = 0; i < n; ++i) s[i] /= total;
        for (i64 i = 0; i < n; ++i) out[i] = hard && total == total ? T(i == best) : s[i];
      }
    });
  }
  // dx = s o (dy - <s, dy>) / tau, s being the soft choice
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    const i64 n = k.shape(0).back();
    const T *s = k.saved(0).data(), *dy = k.cotangent().data();
    T* dx = k.gradient(0).data();
    const T tau = static_cast<T>(attrs.tau);
    k.rows(std::ssize(k.cotangent()) / std::max<i64>(1, n), n * 2, [=](i64 r) {
      T dot = 0;
      for (i64 i = 0; i < n; ++i) dot += s[r * n + i] * dy[r * n + i];
      for (i64 i = 0; i < n; ++i) dx[r * n + i] = s[r * n + i] * (dy[r * n + i] - dot) / tau;
    });
  }
  static std::vector<Sample> samples() {
    return {{{{2, 4}, {-1}}, {{"eval", std::string("soft")}}},
            {{{3, 4}, {3, 4}}, {{"tau", 0.5}, {"eval", std::string("soft")}}},
            {{{2, 3}, {-1}}, {{"hard", true}, {"eval", std::string("soft")}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{2, 3}, {-1}}, {{"tau", 0.0}}}, "tau is above 0"}, {{{{2, 3}, {3}}}, "the noise is [2, 3]"}};
  }
};

inline Var gumbel_softmax(const Var& x, double tau = 1, bool hard = false, const std::string& eval = "argmax") {
  return apply<GumbelSoftmax>({x, {}}, {.tau = tau, .hard = hard, .eval = eval});
}

}  // namespace weft::ops
