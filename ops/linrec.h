#pragma once
#include "ops/shared/chunks.h"

namespace weft::ops {

struct Linrec : General {
  static constexpr Doc doc{"linear recurrence with a decay: the state is a matrix of keys and values",
                           "S_t = a_t S_{t-1} + k_t^T v_t, y_t = q_t S_t",
                           "Katharopoulos et al. 2020, arXiv:2006.16236; Sun et al. 2023, arXiv:2307.08621"};
  static constexpr Along along = Along::streams;
  static constexpr std::array inputs{Input{"q", Input::plain, 2}, Input{"k", Input::plain, 2}, Input{"v", Input::plain, 2},
                                     Input{"decay", Input::optional, 1}, Input{"initial", Input::optional, 2}};
  static std::vector<std::string> outputs() { return {"y", "final"}; }
  static std::vector<StateInfo> states() { return {{4, 1}}; }
  struct Attrs {
    std::string form = "auto";
    i64 chunk = 0;
  };
  static auto attributes() {
    return std::tuple{attribute("form", &Attrs::form, "how it is computed; the result is the same",
                                {"auto", "recurrent", "chunkwise", "parallel"}),
                      attribute("chunk", &Attrs::chunk, "positions of a chunk; 0: chosen by cost")};
  }

  static Dims lead(const InputDims& in, std::size_t i, std::size_t core) {
    in.require(in[i].size() >= core, fmt::format("the input {} is {}, and {} dimensions are its own", i, text(in[i]), core));
    return Dims(in[i].begin(), in[i].end() - static_cast<std::ptrdiff_t>(core));
  }
  static Dims all_leads(const InputDims& in) {
    Dims out = broadcast(broadcast(lead(in, 0, 2), lead(in, 1, 2), "linrec"), lead(in, 2, 2), "linrec");
    if (in.has(3)) out = broadcast(out, lead(in, 3, 1), "linrec");
    if (in.has(4)) out = broadcast(out, lead(in, 4, 2), "linrec");
    return out;
  }
  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    in.require(attrs.chunk >= 0, fmt::format("a chunk has at least one position, not {}", attrs.chunk));
    Dims y = all_leads(in), state = y;
    const Dim &T = in.at(2, -2), &K = in.at(1, -1), &V = in.at(2, -1);
    in.require(same_size(in.at(0, -1), K), fmt::format("q {} and k {} differ in the last dimension", text(in[0]), text(in[1])));
    in.require(same_size(in.at(0, -2), T) && same_size(in.at(1, -2), T),
               fmt::format("q {}, k {} and v {} differ in time", text(in[0]), text(in[1]), text(in[2])));
    in.require(!in.has(3) || is_one(in.at(3, -1)) || same_size(in.at(3, -1), T),
               in.has(3) ? fmt::format("the decay {} ends with time or 1", text(in[3])) : "");
    in.require(!in.has(4) || (same_size(in.at(4, -2), K) && same_size(in.at(4, -1), V)),
               in.has(4) ? fmt::format("the initial state {} does not end with [{}, {}]", text(in[4]), K.text(), V.text()) : "");
    y.insert(y.end(), {T, V});
    state.insert(state.end(), {K, V});
    return {y, state};
  }
  static Dims state_dims(const Attrs&, const InputDims& in, std::size_t, const Dim&) {
    Dims d = all_leads(in);
    d.insert(d.end(), {in.at(1, -1), in.at(2, -1)});
    return d;
  }

  // Measured forward and backward at B 8, H 4, T 256, K = V = 32: see bench/linrec.
  static i64 chunk_of(const Attrs& attrs, i64 length) {
    const i64 chunk = attrs.chunk ? attrs.chunk : 64;
    const i64 chosen = attrs.form == "recurrent" ? 1 : attrs.form == "parallel" ? length : chunk;
    return std::max<i64>(1, std::min(chosen, length));
  }

  // Where the head of every leading index begins in each tensor.
  template <class T> struct Heads {
    Shape lead;
    i64 count, length, K, V, chunk;
    std::array<std::vector<i64>, 5> steps;
    Heads(const Attrs& attrs, const Kernel<T>& k) {
      const Shape& y = k.output_shape();
      lead = Shape(y.begin(), y.end() - 2);
      count = element_count(lead);
      length = y[y.size() - 2], V = y.back(), K = k.shape(1).back();
      chunk = chunk_of(attrs, length);
      for (std::size_t i = 0; i < 5; ++i) {
        if (!k.has(i)) continue;
        const Shape& s = k.shape(i);
        const std::ptrdiff_t core = i == 3 ? 1 : 2;
        const i64 size = element_count(Shape(s.end() - core, s.end()));
        steps[i] = broadcast_strides(Shape(s.begin(), s.end() - core), lead);
        for (i64& step : steps[i]) step *= size;
      }
    }
    i64 offset(std::size_t input, i64 head) const {
      i64 at = 0;
      for (std::size_t d = lead.size(); d-- > 0;) {
        at += head % lead[d] * steps[input][d];
        head /= lead[d];
      }
      return at;
    }
    Head<T> head(const Kernel<T>& k, i64 i) const {
      Head<T> h;
      h.q = k.input(0).data() + offset(0, i), h.k = k.input(1).data() + offset(1, i), h.v = k.input(2).data() + offset(2, i);
      if (k.has(3)) {
        h.a = k.input(3).data() + offset(3, i);
        h.a_step = k.shape(3).back() == 1 ? 0 : 1;
      }
      if (k.has(4)) h.start = k.input(4).data() + offset(4, i);
      h.length = length, h.K = K, h.V = V;
      return h;
    }
  };

  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    const Heads<T> heads(attrs, k);
    T *y = k.result(0).data(), *final = k.result(1).data();
    const i64 K = heads.K, V = heads.V;
    k.ranges(heads.count, grain(heads), [&](i64 begin, i64 end) {
      Chunks<T> chunks(k, K, V, heads.chunk);
      for (i64 i = begin; i < end; ++i) chunks.forward(heads.head(k, i), y + i * heads.length * V, final + i * K * V);
    });
  }
  template <class T> static i64 grain(const Heads<T>& h) {
    return std::max<i64>(1, (1 << 16) / std::max<i64>(1, h.length * h.K * h.V));
  }

  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    const Heads<T> heads(attrs, k);
    const i64 n = heads.count, L = heads.length, K = heads.K, V = heads.V;
    // Gradients of every head; what was broadcast is summed afterwards, in order.
    std::array<Tensor, 5> full = {k.scratch({n, L * K}), k.scratch({n, L * K}), k.scratch({n, L * V}),
                                  k.scratch({k.wants(3) ? n : 0, L}), k.scratch({n, K * V})};
    std::array<T*, 5> out;
    for (std::size_t i = 0; i < 5; ++i) out[i] = full[i].template mutable_values<T>().data();
    Tensor no_dy = k.has_cotangent(0) ? Tensor() : k.scratch({L * V});
    if (no_dy) std::ranges::fill(no_dy.template mutable_values<T>(), T(0));
    k.ranges(n, grain(heads), [&](i64 begin, i64 end) {
      Chunks<T> chunks(k, K, V, heads.chunk);
      Tensor states = k.scratch({(L + heads.chunk - 1) / heads.chunk + 1, K, V});
      T* before = states.template mutable_values<T>().data();
      for (i64 i = begin; i < end; ++i) {
        const Head<T> h = heads.head(k, i);
        chunks.states(h, before);
        T* dstate = out[4] + i * K * V;
        if (k.has_cotangent(1)) std::copy_n(k.cotangent(1).data() + i * K * V, K * V, dstate);
        else std::fill_n(dstate, K * V, T(0));
        const T* dy = no_dy ? std::as_const(no_dy).template values<T>().data() : k.cotangent(0).data() + i * L * V;
        chunks.backward(h, before, dy, dstate,
                        {out[0] + i * L * K, out[1] + i * L * K, out[2] + i * L * V, k.wants(3) ? out[3] + i * L : nullptr});
      }
    });
    for (std::size_t input = 0; input < 5; ++input) {
      if (k.wants(input)) gather(k, heads, input, out[input]);
    }
  }

  // Adds the gradients of all heads that read the same numbers.
  template <class T> static void gather(Kernel<T>& k, const Heads<T>& heads, std::size_t input, const T* full) {
    const auto g = k.gradient(input);
    std::ranges::fill(g, T(0));
    const bool constant = input == 3 && k.shape(3).back() == 1;  // one decay for all positions
    const i64 own = input == 3 ? heads.length : input == 4 ? heads.K * heads.V : heads.length * k.shape(input).back();
    for (i64 i = 0; i < heads.count; ++i) {
      T* to = g.data() + heads.offset(input, i);
      const T* from = full + i * own;
      for (i64 j = 0; j < own; ++j) to[constant ? 0 : j] += from[j];
    }
  }

  static double flops(const Attrs& attrs, const std::vector<Shape>& inputs, const std::vector<Shape>& outputs) {
    const double T = static_cast<double>(outputs[0][outputs[0].size() - 2]), V = static_cast<double>(outputs[0].back());
    const double K = static_cast<double>(inputs[1].back()), C = static_cast<double>(chunk_of(attrs, static_cast<i64>(T)));
    return 2 * static_cast<double>(element_count(outputs[0])) / std::max(1.0, V) * (C * (K + V) + 2 * K * V);
  }
  static std::vector<Sample> samples() {
    const auto form = [](const char* f) { return std::pair<std::string, AttributeValue>("form", std::string(f)); };
    const Shape q = {2, 7, 3}, v = {2, 7, 2}, none = {-1};
    return {{{q, q, v, none, none}},
            {{q, q, v, {2, 7}, {2, 3, 2}}, {form("recurrent")}, -1, 1},
            {{q, q, v, {2, 1}, none}, {form("chunkwise"), {"chunk", i64{3}}}, -1, 1},
            {{{2, 2, 5, 3}, {5, 3}, {2, 5, 2}, {5}, {3, 2}}, {form("parallel")}, -1, 1},
            {{q, q, v, {7}, {2, 3, 2}}, {{"chunk", i64{2}}}, -1, 1}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{5, 3}, {5, 4}, {5, 2}, {-1}, {-1}}}, "differ in the last dimension"},
            {{{{5, 3}, {5, 3}, {4, 2}, {-1}, {-1}}}, "differ in time"},
            {{{{5, 3}, {5, 3}, {5, 2}, {4}, {-1}}}, "ends with time or 1"},
            {{{{5, 3}, {5, 3}, {5, 2}, {-1}, {2, 3}}}, "does not end with"}};
  }
};

inline std::vector<Var> linrec(const Var& q, const Var& k, const Var& v, const Var& decay = {}, const Var& initial = {},
                               const std::string& form = "auto", i64 chunk = 0) {
  return apply_all<Linrec>({q, k, v, decay, initial}, {.form = form, .chunk = chunk});
}

}  // namespace weft::ops
