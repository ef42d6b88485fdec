#pragma once
#include "engine/kernel.h"

namespace weft::ops {

struct Digit : General {
  static constexpr Doc doc{"a digit of tokens: what several numbers in one token are taken apart with",
                           "y[t] = floor(tokens[t] / base^place) mod base; -1 stays"};
  static constexpr std::array inputs{Input{"tokens", Input::index}};
  static Kind output_kind(std::size_t) { return Kind::index; }
  struct Attrs {
    Dim base = 10;
    i64 place = 0;
  };
  static auto attributes() {
    return std::tuple{attribute("base", &Attrs::base, "numbers that a digit can be").required(),
                      attribute("place", &Attrs::place, "0: the last digit, which counts ones")};
  }
  static std::vector<Dims> infer(const Attrs& a, const InputDims& in) {
    in.require(!a.base.known() || a.base.value() >= 2, fmt::format("base is 2 or more, not {}", a.base.text()));
    in.require(a.place >= 0, fmt::format("place is 0 or more, not {}", a.place));
    return {in[0]};
  }
  template <class T> static void forward(const Attrs& a, Kernel<T>& k) {
    const auto tokens = k.indices(0);
    const i64 base = a.base.value();
    i64 scale = 1;
    for (i64 i = 0; i < a.place && scale <= std::numeric_limits<i32>::max(); ++i) scale *= base;
    std::transform(tokens.begin(), tokens.end(), k.index_result().begin(),
                   [=](i32 token) { return token < 0 ? i32(-1) : static_cast<i32>(token / scale % base); });
  }
  static std::vector<Sample> samples() {
    return {{.shapes = {{5}}, .attributes = {{"base", Dim(3)}}, .classes = 100},
            {.shapes = {{2, 7}}, .attributes = {{"base", Dim(4)}, {"place", i64{2}}}, .classes = 1000},
            {.shapes = {{4}}, .attributes = {{"base", Dim(10)}, {"place", i64{40}}}, .classes = 100}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{5}}, {{"base", Dim(1)}}}, "base is 2 or more"},
            {{{{5}}, {{"base", Dim(3)}, {"place", i64{-1}}}}, "place is 0 or more"}};
  }
};

inline Var digit(const Var& tokens, const Dim& base, i64 place = 0) {
  return apply<Digit>({tokens}, {.base = base, .place = place});
}

}  // namespace weft::ops
