#pragma once
#include "engine/kernel.h"

namespace weft::ops {

struct IsToken : General {
  static constexpr Doc doc{"where a batch holds tokens: shorter sequences are filled up with -1",
                           "y[t] = [tokens[t] >= 0]"};
  static constexpr std::array inputs{Input{"tokens", Input::index}};

  template <class T> static void forward(const Attrs&, Kernel<T>& k) {
    const auto tokens = k.indices(0);
    std::transform(tokens.begin(), tokens.end(), k.result().begin(), [](i32 token) { return T(token >= 0 ? 1 : 0); });
  }
  static std::vector<Sample> samples() { return {{{{5}}}, {{{2, 3}}}}; }
};

inline Var is_token(const Var& tokens) { return apply<IsToken>({tokens}); }

}  // namespace weft::ops
