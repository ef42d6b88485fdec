#pragma once
#include "engine/kernel.h"

namespace weft::ops {

struct OneHot : General {
  static constexpr Doc doc{"a vector for every token, 1 at its own place; no gradient", "y[t, c] = [tokens[t] = c]"};
  static constexpr std::array inputs{Input{"tokens", Input::index}};
  struct Attrs {
    Dim classes = 1;
  };
  static auto attributes() { return std::tuple{attribute("classes", &Attrs::classes, "size of the vectors")}; }

  static std::vector<Dims> infer(const Attrs& a, const InputDims& in) {
    Dims out = in[0];
    out.push_back(a.classes);
    return {out};
  }
  template <class T> static void forward(const Attrs& a, Kernel<T>& k) {
    const auto tokens = k.indices(0);
    const i64 classes = a.classes.value();
    for (const i32 c : tokens)
      check(c >= 0 && c < classes, "one_hot: the token {} is none of the {} classes", c, classes);
    T* y = k.result().data();
    k.rows(std::ssize(tokens), classes, [=](i64 t) {
      std::fill_n(y + t * classes, classes, T(0));
      y[t * classes + tokens[static_cast<std::size_t>(t)]] = 1;
    });
  }
  static std::vector<Sample> samples() { return {{{{5}}, {{"classes", Dim(3)}}}, {{{2, 3}}, {{"classes", Dim(4)}}}}; }
  static std::vector<ErrorSample> error_samples() {
    return {{{.shapes = {{9}}, .attributes = {{"classes", Dim(2)}}, .classes = 1000}, "is none of the 2 classes"}};
  }
};

inline Var one_hot(const Var& tokens, const Dim& classes) { return apply<OneHot>({tokens}, {.classes = classes}); }

}  // namespace weft::ops
