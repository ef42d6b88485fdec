#pragma once
#include "engine/kernel.h"

namespace weft::ops {

struct Embedding : General {
  static constexpr Doc doc{"rows of a table, chosen by tokens",
                           "y[t] = table[tokens[t]], and 0 for the token -1, which is none"};
  static constexpr const char* gradient = "dtable[v] = sum of dy[t] over the t with tokens[t] = v";
  static constexpr std::array inputs{Input{"tokens", Input::index}, Input{"table", Input::plain, 2}};
  static constexpr Reads reads{.inputs = 0b01};

  static std::vector<Dims> infer(const Attrs&, const InputDims& in) {
    in.require(in[1].size() == 2, fmt::format("the table is [V, D], not {}", text(in[1])));
    Dims out = in[0];
    out.push_back(in[1][1]);
    return {out};
  }
  template <class T> static void forward(const Attrs&, Kernel<T>& k) {
    const auto tokens = k.indices(0);
    const i64 V = k.shape(1)[0], D = k.shape(1)[1];
    for (const i32 token : tokens)
      check(token >= -1 && token < V, "embedding: the token {} is not in a table of {} rows", token, V);
    const T* table = k.input(1).data();
    T* y = k.result().data();
    k.rows(std::ssize(tokens), D, [=](i64 t) {
      if (tokens[t] < 0) std::fill_n(y + t * D, D, T(0));
      else std::copy_n(table + tokens[t] * D, D, y + t * D);
    });
  }
  // dtable[v] = sum of dy[t] over the t with tokens[t] = v: blocks of columns in parallel, tokens in order.
  template <class T> static void backward(const Attrs&, Kernel<T>& k) {
    const auto tokens = k.indices(0);
    const i64 V = k.shape(1)[0], D = k.shape(1)[1];
    const T* dy = k.cotangent().data();
    T* g = k.gradient(1).data();
    constexpr i64 kColumns = 64;
    k.rows((D + kColumns - 1) / kColumns, (V + std::ssize(tokens)) * kColumns, [=](i64 b) {
      const i64 first = b * kColumns, n = std::min(kColumns, D - first);
      for (i64 v = 0; v < V; ++v) std::fill_n(g + v * D + first, n, T(0));
      for (i64 t = 0; t < std::ssize(tokens); ++t) {
        if (tokens[t] < 0) continue;
        T* to = g + tokens[t] * D + first;
        const T* from = dy + t * D + first;
        for (i64 c = 0; c < n; ++c) to[c] += from[c];
      }
    });
  }
  static std::vector<Sample> samples() { return {{{{5}, {3, 4}}}, {{{2, 3}, {3, 2}}}}; }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{5}, {3}}}, "the table is [V, D]"}, {{{{5}, {3, 4}}, {}, -2, 2, 9}, "is not in a table of 3 rows"}};
  }
};

inline Var embedding(const Var& tokens, const Var& table) { return apply<Embedding>({tokens, table}); }

}  // namespace weft::ops
