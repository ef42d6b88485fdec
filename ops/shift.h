#pragma once
#include "ops/shared/causal_window.h"

namespace weft::ops {

struct Shift : General {
  static constexpr Doc doc{"what stood n positions before", "y[t] = x[t - n], zeros before the start"};
  static constexpr const char* gradient =
      "dx[t] = dy[t + n], or dlast[t + n - T] where t + n >= T; dpast the same for t < 0";
  static constexpr Along along = Along::streams;
  static constexpr std::array inputs{Input{"x", Input::plain, 2}, Input{"past", Input::optional, 2}};
  static constexpr Reads reads{.inputs = 0};
  static std::vector<std::string> outputs() { return {"y", "last"}; }
  static std::vector<StateInfo> states() { return {{1, 1}}; }
  struct Attrs {
    i64 n = 1;
  };
  static auto attributes() { return std::tuple{attribute("n", &Attrs::n, "how many positions back")}; }

  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    in.at(0, -2);
    in.require(attrs.n >= 0, fmt::format("n is 0 or more, not {}: the future cannot be read", attrs.n));
    const Dims last = state_dims(attrs, in, 0, 0);
    in.require(!in.has(1) || same_size(in[1], last),
               in.has(1) ? fmt::format("the past is {}, not {}", text(last), text(in[1])) : "");
    return {in[0], last};
  }
  static Dims state_dims(const Attrs& attrs, const InputDims& in, std::size_t, const Dim&) {
    Dims d = in[0];
    d[d.size() - 2] = Dim(attrs.n);
    return d;
  }
  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    const CausalWindow<T> x(k, attrs.n, k.input(0).data(), k.input(1).data());
    T* y = k.result(0).data();
    for (i64 r = 0; r < x.lines * x.steps; ++r) {
      const T* from = x.at(r / x.steps, r % x.steps - attrs.n);
      if (from) std::copy_n(from, x.width, y + r * x.width);
      else std::fill_n(y + r * x.width, x.width, T(0));
    }
    x.keep(k.result(1).data());
  }
  // dx[t] = dy[t + n], or what `last` hands back where that lies behind the end; dpast likewise.
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    const Shape& s = k.shape(0);
    const i64 D = s.back(), steps = s[s.size() - 2], n = attrs.n, lines = element_count(Shape(s.begin(), s.end() - 2));
    const T* dy = k.has_cotangent(0) ? k.cotangent(0).data() : nullptr;
    const T* dlast = k.has_cotangent(1) ? k.cotangent(1).data() : nullptr;
    const auto at = [&](i64 line, i64 t, T* out) {
      const i64 to = t + n;
      const T* from = to < steps ? (dy ? dy + (line * steps + to) * D : nullptr)
                                 : (dlast ? dlast + (line * n + to - steps) * D : nullptr);
      if (from) std::copy_n(from, D, out);
      else std::fill_n(out, D, T(0));
    };
    for (i64 line = 0; line < lines; ++line) {
      for (i64 t = 0; k.wants(0) && t < steps; ++t) at(line, t, k.gradient(0).data() + (line * steps + t) * D);
      for (i64 t = -n; k.wants(1) && t < 0; ++t) at(line, t, k.gradient(1).data() + (line * n + n + t) * D);
    }
  }
  static std::vector<Sample> samples() {
    return {{{{5, 3}, {-1}}},
            {{{2, 4, 3}, {2, 2, 3}}, {{"n", i64{2}}}},
            {{{2, 2, 3}, {2, 5, 3}}, {{"n", i64{5}}}},
            {{{3, 2}, {-1}}, {{"n", i64{0}}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{5, 3}, {-1}}, {{"n", i64{-1}}}}, "the future cannot be read"},
            {{{{5, 3}, {2, 3}}}, "the past is [1, 3]"}};
  }
};

inline Var shift(const Var& x, i64 n = 1) { return apply<Shift>({x}, {.n = n}); }

}  // namespace weft::ops
