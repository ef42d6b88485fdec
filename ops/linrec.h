#pragma once
#include "ops/shared/head_layout.h"

namespace weft::ops {

struct Linrec : General {
  static constexpr Doc doc{
      "linear recurrence whose state is a matrix of keys and values: sums, decays, and the delta rule (with beta or erase)",
      "S_t = a_t S_t-1 + k_t^T u_t, y_t = q_t S_t; u_t = v_t, or beta_t (v_t - k_t a_t S_t-1) with beta",
      "Katharopoulos et al. 2020, arXiv:2006.16236; Schlag et al. 2021, arXiv:2102.11174; Yang et al. 2024, arXiv:2412.06464"};
  static constexpr const char* gradient =
      "dq_t = dy_t S_t^T, dk_t = u_t G_t^T, dv_t = k_t G_t, ddecay_t = rowsum(G_t * S_t-1), dinitial = G_0\n"
      "G_t-1 = a_t G_t + q_t-1^T dy_t-1, G_T = dfinal + q_T^T dy_T; read=before: with q_t^T dy_t, dq_t with S_t-1\n"
      "beta or erase (r_t, else k_t): e_t = v_t - r_t a_t S_t-1, dbeta_t = k_t G_t e_t^T, dv_t = beta_t k_t G_t\n"
      "derase_t = -dv_t (a_t S_t-1)^T, without erase part of dk_t; ddecay_t -= rowsum(r_t^T dv_t * S_t-1)\n"
      "G_t-1 -= (a_t r_t)^T dv_t; with error=before no a_t in e_t, derase_t and here, no r_t in ddecay_t";
  static constexpr Along along = Along::streams;
  using In = LinrecInput;
  static constexpr std::array inputs{Input{"q", Input::plain, 2},       Input{"k", Input::plain, 2},
                                     Input{"v", Input::plain, 2},       Input{"decay", Input::optional, 2},
                                     Input{"beta", Input::optional, 1}, Input{"initial", Input::optional, 2},
                                     Input{"erase", Input::optional, 2}};
  static std::vector<std::string> outputs() { return {"y", "final"}; }
  static std::vector<StateInfo> states() { return {{In::initial, 1}}; }
  struct Attrs {
    std::string form = "auto";
    i64 chunk = 0;
    std::string read = "after", error = "decayed";
  };
  static auto attributes() {
    return std::tuple{
        attribute("form", &Attrs::form, "how it is computed; the result is the same",
                  {"auto", "recurrent", "chunkwise", "parallel"}),
        attribute("chunk", &Attrs::chunk, "positions of a chunk; 0: chosen by cost"),
        attribute("read", &Attrs::read, "whether q reads the state after its step or before", {"after", "before"}),
        attribute("error", &Attrs::error, "whether the error is taken of a_t S_t-1 or of S_t-1",
                  {"decayed", "before"})};
  }

  // q, k, erase [.., T, K], v [.., T, V], decay [.., T or 1, K or 1], beta [.., T or 1], initial [.., K, V]
  // -> y [.., T, V], final [.., K, V]
  static std::vector<Dims> infer(const Attrs& attrs, const InputDims& in) {
    in.require(attrs.chunk >= 0, fmt::format("a chunk has at least one position, not {}", attrs.chunk));
    const Dim &T = in.at(In::v, -2), &K = in.at(In::k, -1), &V = in.at(In::v, -1);
    const auto ends = [&](std::size_t i, const Dims& core, bool may_be_one) {
      if (!in.has(i)) return;
      bool ok = in[i].size() >= core.size();
      for (std::size_t d = 0; ok && d < core.size(); ++d) {
        const Dim& own = in[i][in[i].size() - core.size() + d];
        ok = same_size(own, core[d]) || (may_be_one && is_one(own));
      }
      in.require(ok, fmt::format("{} is {}, and ends with {}{}", inputs[i].name, text(in[i]), text(core),
                                 may_be_one ? ", each of which may be 1" : ""));
    };
    ends(In::k, {T, K}, false);
    ends(In::q, {T, K}, false);
    ends(In::decay, {T, K}, true);
    ends(In::beta, {T}, true);
    ends(In::initial, {K, V}, false);
    ends(In::erase, {T, K}, false);
    Dims y = all_leads(in), state = y;
    y.insert(y.end(), {T, V});
    state.insert(state.end(), {K, V});
    return {y, state};
  }
  static Dims all_leads(const InputDims& in) {
    Dims out;
    for (std::size_t i = 0; i < In::count; ++i) {
      if (in.has(i)) out = broadcast(out, Dims(in[i].begin(), in[i].end() - In::core[i]), "linrec");
    }
    return out;
  }
  static Dims state_dims(const Attrs&, const InputDims& in, std::size_t, const Dim&) {
    Dims d = all_leads(in);
    d.insert(d.end(), {in.at(In::k, -1), in.at(In::v, -1)});
    return d;
  }

  // ---- which form ---------------------------------------------------------------------------------------------

  struct Choice {
    bool recurrent;
    i64 chunk;
  };
  // Forward and backward at B 8, H 4, T 256, processor time against the best, AVX-512 (bench/linrec.cpp; K V 32 32 and
  // 64 128):
  //   chunk            8          16         32         64         128        recurrent
  //   sum, decay   2.2 1.6    1.2 1.2    1.0 1.0    1.4 1.05   2.5 1.3    2.5 2.2
  //   per channel  1.0 1.1    1.1 1.0    1.6 1.2    2.7 1.8    5.3 2.8    1.0 1.6
  //   delta        1.6 1.3    1.0 1.1    1.2 1.0    1.5 1.1    2.3 1.4    2.0 1.9
  // A step with the delta rule took 3 % longer by 16 than by 32 at size S, 2 % at M.
  // A single position is always the recurrent form.
  static Choice choose(const Attrs& attrs, i64 length, bool by_channel) {
    const bool recurrent = attrs.form == "recurrent" || length == 1;
    const i64 standard = by_channel || recurrent ? 16 : 32;
    const i64 chunk = attrs.form == "parallel" ? length : attrs.chunk ? attrs.chunk : standard;
    return {recurrent, std::max<i64>(1, std::min(chunk, length))};
  }
  template <class T> static Choice choose(const Attrs& attrs, const Head<T>& h) {
    return choose(attrs, h.length, h.by_channel());
  }
  // The form for one head after the other, which differ in their width alone where they are slices.
  template <class T> struct Forms {
    const Choice& choice;
    const Kernel<T>& kernel;
    i64 chunks;  // of which a backward keeps what it computes twice
    i64 width = -1;
    std::unique_ptr<Form<T>> made{};
    Form<T>& of(const Head<T>& h) {
      if (std::exchange(width, h.V) == h.V) return *made;
      if (choice.recurrent) made = std::make_unique<Recurrent<T>>(kernel, h.K, h.V, choice.chunk);
      else made = std::make_unique<Chunks<T>>(kernel, h, choice.chunk, chunks);
      return *made;
    }
  };
  template <class T> static HeadLayout<T> layout(const Attrs& a, const Kernel<T>& k) {
    return {k, a.read == "before" ? Reading::before : Reading::after,
            a.error == "before" ? Reading::before : Reading::decayed};
  }

  // ---- forward and backward: a head after the other, chunk by chunk ---------------------------------------------

  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    HeadLayout<T> layout = Linrec::layout(attrs, k);
    layout.set_ends(k.is_read(1));
    const Choice choice = choose(attrs, layout.like());
    k.ranges(layout.count(), grain(layout.like()), [&](i64 begin, i64 end) {
      Forms<T> forms{choice, k, 1};
      for (i64 n = begin; n < end; ++n) {
        const Head<T> h = layout.head(n);
        Form<T>& form = forms.of(h);
        T *y = k.result(0).data() + layout.y_offset(n), *last = k.result(1).data() + layout.state_offset(n);
        if (h.start && h.ends && h.V == h.stride && form.single(h, last, y)) continue;
        Tensor memory;
        T* S = last;  // the state is computed where it ends, unless its rows do not lie behind each other there
        if (h.V != h.stride) memory = k.scratch({h.K, h.V}), S = memory.template mutable_values<T>().data();
        copy(h.start, h.stride, S, h.V, h);
        for (i64 t = 0; t < h.length; t += choice.chunk) {
          form.forward(h, t, std::min(choice.chunk, h.length - t), S, y + t * h.stride);
        }
        if (S != last || !h.ends) copy<T>(h.ends ? S : nullptr, h.V, last, h.stride, h);
      }
    });
  }

  // The states before the chunks are computed again: T / c of them, for the heads in work alone.
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    HeadLayout<T> layout = Linrec::layout(attrs, k);
    const Choice choice = choose(attrs, layout.like());
    const i64 chunks = (layout.like().length + choice.chunk - 1) / choice.chunk;
    layout.set_ends(k.has_cotangent(1));
    layout.open_gradients(k);
    Tensor none =
        k.has_cotangent(0) ? Tensor() : Tensor::zeros({layout.like().length * layout.like().stride}, dtype_of<T>());
    const T* no_dy = none ? std::as_const(none).template values<T>().data() : nullptr;
    k.ranges(layout.count(), grain(layout.like()), [&](i64 begin, i64 end) {
      Forms<T> forms{choice, k, chunks};
      for (i64 n = begin; n < end; ++n) {
        const T* dy = no_dy ? no_dy : k.cotangent(0).data() + layout.y_offset(n);
        const T* dfinal = k.has_cotangent(1) ? k.cotangent(1).data() + layout.state_offset(n) : nullptr;
        const Head<T> h = layout.head(n);
        backward_head(forms.of(h), choice.chunk, k, h, dy, dfinal, layout.gradients(n), layout.start_gradient(n));
      }
    });
    layout.close_gradients(k);
  }
  template <class T> static void backward_head(Form<T>& form, i64 c, const Kernel<T>& k, const Head<T>& h, const T* dy,
                                               const T* dfinal, const HeadGradients<T>& g, T* dstart) {
    const i64 size = h.K * h.V, chunks = (h.length + c - 1) / c;
    Tensor memory = k.scratch({(chunks + 1) * size});
    T *dS = memory.template mutable_values<T>().data(), *states = dS + size;
    if (chunks) copy(h.start, h.stride, states, h.V, h);
    for (i64 n = 1; n < chunks; ++n) {
      T* S = std::copy_n(states + (n - 1) * size, size, states + n * size) - size;
      form.advance(h, (n - 1) * c, c, S);
    }
    copy(dfinal, h.stride, dS, h.V, h);
    for (i64 n = chunks - 1; n >= 0; --n) {
      form.backward(h, n * c, std::min(c, h.length - n * c), states + n * size, dy + n * c * h.stride, dS, g);
    }
    if (dstart) copy<T>(dS, h.V, dstart, h.stride, h);
  }

  // A state between two strides; zeros from nothing.
  template <class T> static void copy(const T* from, i64 from_stride, T* to, i64 to_stride, const Head<T>& h) {
    for (i64 x = 0; x < h.K; ++x) {
      if (from) std::copy_n(from + x * from_stride, h.V, to + x * to_stride);
      else std::fill_n(to + x * to_stride, h.V, T(0));
    }
  }
  template <class T> static i64 grain(const Head<T>& h) {
    return std::max<i64>(1, (1 << 16) / std::max<i64>(1, h.length * h.K * h.V));
  }

  // Multiply-adds of a token: (K + V) C / 2 + 2 K V, for of its chunk a reader sees half; and for the errors half of a
  // chunk once more, and a third product with the state.
  static double flops(const Attrs& attrs, const std::vector<Shape>& inputs, const std::vector<Shape>& outputs) {
    const Shape& y = outputs[0];
    const auto given = [&](std::size_t i) { return i < inputs.size() && inputs[i] != Shape{0}; };
    const bool delta = given(In::beta) || given(In::erase),
               by_channel = given(In::decay) && inputs[In::decay].back() > 1;
    const Choice c = choose(attrs, y[y.size() - 2], by_channel);
    const double k = static_cast<double>(inputs[In::k].back()), v = static_cast<double>(y.back());
    const double C = c.recurrent ? 0 : static_cast<double>(c.chunk);
    const double tokens = static_cast<double>(element_count(y)) / std::max(1.0, v);
    return 2 * tokens * ((k + v) * C / 2 + 2 * k * v + (delta ? (k + v) * C / 2 + k * v : 0));
  }

  static std::vector<Sample> samples() {
    const auto word = [](const char* a, const char* w) {
      return std::pair<std::string, AttributeValue>(a, std::string(w));
    };
    const std::pair<std::string, AttributeValue> chunk{"chunk", i64{3}};
    const Sample::Sizes q = {2, 7, 3}, v = {2, 7, 2}, none = {-1}, state = {2, 3, 2};
    return {
        {{q, q, v, none, none, none, none}},
        {{q, q, v, {2, 7, 1}, none, state, none}, {word("form", "recurrent"), chunk}, -1, 1},
        {{q, q, v, {2, 1, 1}, none, none, none}, {word("form", "chunkwise"), chunk}, -1, 1},
        {{{2, 2, 5, 3}, {5, 3}, {2, 5, 2}, {5, 1}, none, {3, 2}, none}, {word("form", "parallel")}, -1, 1},
        {{q, q, v, {7, 3}, none, state, none}, {chunk, word("read", "before")}, -1, 1},
        {{q, q, v, {1, 3}, none, none, none}, {word("form", "recurrent"), word("read", "before")}, -1, 1},
        {{q, q, v, none, {2, 7}, state, none}, {chunk}, -1, 1},
        {{q, q, v, {2, 7, 1}, {1}, state, none}, {word("form", "recurrent")}, -1, 1},
        {{q, q, v, {2, 7, 1}, {7}, none, q}, {chunk, word("error", "before")}, -1, 1},
        {{q, q, v, {2, 7, 3}, none, state, {7, 3}}, {chunk, word("read", "before"), word("error", "before")}, -1, 1},
        {{q, q, v, {2, 7, 3}, {2, 7}, state, none}, {chunk}, -1, 1},
        {{q, q, v, {2, 7, 3}, {2, 7}, state, {7, 3}}, {word("form", "recurrent"), word("error", "before")}, -1, 1},
        {{{1, 5, 2}, {1, 5, 2}, {1, 5, 70}, {1, 5, 1}, {1, 5}, {1, 2, 70}, none}, {chunk}, -1, 1}};
  }
  static std::vector<ErrorSample> error_samples() {
    const Sample::Sizes q = {5, 3}, v = {5, 2}, none = {-1};
    return {{{{q, {5, 4}, v, none, none, none, none}}, "q is [5, 3], and ends with [5, 4]"},
            {{{q, q, {4, 2}, none, none, none, none}}, "k is [5, 3], and ends with [4, 3]"},
            {{{q, q, v, {4, 1}, none, none, none}}, "decay is [4, 1], and ends with [5, 3], each of which may be 1"},
            {{{q, q, v, none, {3}, none, none}}, "beta is [3], and ends with [5], each of which may be 1"},
            {{{q, q, v, none, none, {2, 3}, none}}, "initial is [2, 3], and ends with [3, 2]"},
            {{{q, q, v, none, none, none, {5, 2}}}, "erase is [5, 2], and ends with [5, 3]"}};
  }
};

/// What a linear recurrence may have besides q, k and v; shapes as in `Linrec::infer`.
struct LinrecOptions {
  Var decay = {}, beta = {}, initial = {}, erase = {};
  std::string form = "auto";
  i64 chunk = 0;
};
/// y [.., T, V] and the final state [.., K, V] of q, k [.., T, K] and v [.., T, V].
inline std::vector<Var> linrec(const Var& q, const Var& k, const Var& v, const LinrecOptions& o = {}) {
  return apply_all<Linrec>({q, k, v, o.decay, o.beta, o.initial, o.erase}, {.form = o.form, .chunk = o.chunk});
}

}  // namespace weft::ops
