#pragma once
#include "engine/kernel.h"

namespace weft::ops {

struct Scan : General {
  static constexpr Doc doc{"the sequential loop: runs the graph of one step once a position; the meaning of every recurrence",
                           "(s_t, y_t) = step(s_{t-1}, x_t, constants)"};
  static constexpr Along along = Along::streams;
  static constexpr std::array inputs{Input{"values"}};  // first states, then sequences with time in front, then constants
  static constexpr bool variadic = true;
  static std::vector<std::string> outputs() { return {"states and reads"}; }
  struct Attrs {
    std::shared_ptr<const Graph> step;
    i64 states = 0, sequences = 0, chunk = 0;
  };
  static auto attributes() {
    return std::tuple{
        attribute("step", &Attrs::step, "takes states, a slice of each sequence, constants; gives the next states, then reads"),
        attribute("states", &Attrs::states, "how many inputs are states"),
        attribute("sequences", &Attrs::sequences, "how many inputs after them are sequences"),
        attribute("chunk", &Attrs::chunk, "positions between two states that are kept for the backward; 0: their root")};
  }

  static std::vector<Dims> infer(const Attrs& a, const InputDims& in) {
    in.require(a.step != nullptr, "it needs the graph of a step");
    in.require(in.size() == a.step->inputs.size(),
               fmt::format("the step takes {} values, and {} are given", a.step->inputs.size(), in.size()));
    in.require(a.sequences > 0 && a.states + a.sequences <= static_cast<i64>(in.size()),
               "at least one sequence says how long it is");
    const Dim& T = in.at(static_cast<std::size_t>(a.states), 0);
    for (std::size_t i = 0; i < in.size(); ++i) {
      Dims inside = a.step->inputs[i].dims();
      const bool sequence = static_cast<i64>(i) >= a.states && static_cast<i64>(i) < a.states + a.sequences;
      if (sequence) inside.insert(inside.begin(), T);
      in.require(same_size(in[i], inside), fmt::format("value {} is {}, not {}", i, text(in[i]), text(inside)));
    }
    std::vector<Dims> out;
    for (std::size_t r = 0; r < a.step->results.size(); ++r) {
      Dims d = a.step->results[r].dims();
      if (static_cast<i64>(r) >= a.states) d.insert(d.begin(), T);
      else in.require(same_size(d, in[r]), fmt::format("state {} is {} and becomes {}", r, text(in[r]), text(d)));
      out.push_back(std::move(d));
    }
    return out;
  }

  // The values of a call by their part, and slices of sequences without a copy of more than one position.
  template <class T> struct Loop {
    const Attrs& attrs;
    Kernel<T>& k;
    i64 states, sequences, length;
    explicit Loop(const Attrs& a, Kernel<T>& kernel)
        : attrs(a), k(kernel), states(a.states), sequences(a.sequences),
          length(kernel.shape(static_cast<std::size_t>(a.states))[0]) {}

    Tensor slice(const Tensor& whole, i64 t) const {
      const Shape inside(whole.shape().begin() + 1, whole.shape().end());
      Tensor one = k.scratch(inside);
      const auto to = one.template mutable_values<T>();
      std::copy_n(whole.template values<T>().data() + t * std::ssize(to), to.size(), to.data());
      return one;
    }
    void put(const Tensor& one, T* whole, i64 t) const {
      const auto from = one.template values<T>();
      std::copy(from.begin(), from.end(), whole + t * std::ssize(from));
    }
    Run::Feeds feeds(const std::vector<Tensor>& state, i64 t) const {
      Run::Feeds f;
      const auto& in = attrs.step->inputs;
      for (std::size_t i = 0; i < in.size(); ++i) {
        const Tensor* given = k.call().inputs[i];
        const i64 at = static_cast<i64>(i);
        f.emplace_back(in[i], at < states ? state[i] : at < states + sequences ? slice(*given, t) : *given);
      }
      return f;
    }
    // Random numbers of a step depend on its position alone, so that every cut draws the same.
    RunSettings settings(i64 t) const {
      RunSettings s = k.settings();
      s.key = k.key().fold(static_cast<u64>(k.offset(0) + t));
      return s;
    }
    std::vector<Tensor> start() const {
      std::vector<Tensor> s;
      for (i64 i = 0; i < states; ++i) s.push_back(*k.call().inputs[static_cast<std::size_t>(i)]);
      return s;
    }
  };

  template <class T> static void forward(const Attrs& attrs, Kernel<T>& k) {
    const Loop<T> loop(attrs, k);
    Run step(*attrs.step, attrs.step->results);
    auto state = loop.start();
    const std::size_t n = static_cast<std::size_t>(loop.states);
    std::vector<T*> reads;
    for (std::size_t r = n; r < attrs.step->results.size(); ++r) reads.push_back(k.result(r).data());
    for (i64 t = 0; t < loop.length; ++t) {
      auto results = step(k.runtime(), dtype_of<T>(), loop.feeds(state, t), loop.settings(t));
      for (std::size_t r = 0; r < reads.size(); ++r) loop.put(results[n + r], reads[r], t);
      results.resize(n);
      state = std::move(results);
    }
    for (std::size_t i = 0; i < n; ++i) k.share(i, state[i]);
  }

  // From the last chunk to the first: the states of a chunk are computed again from the one before it, then its
  // steps are gone back through, each by the gradient nodes of the step's own graph.
  template <class T> static void backward(const Attrs& attrs, Kernel<T>& k) {
    const Loop<T> loop(attrs, k);
    const Graph& g = *attrs.step;
    check(g.gradients.size() == g.inputs.size(), "scan: the step was not differentiated");
    const std::size_t n = static_cast<std::size_t>(loop.states);
    Run forth(g, std::vector<Var>(g.results.begin(), g.results.begin() + attrs.states));
    std::vector<Var> wanted;
    for (const Var& v : g.gradients) {
      if (v) wanted.push_back(v);
    }
    Run back(g, wanted);

    const i64 chunk = attrs.chunk > 0 ? attrs.chunk : std::max<i64>(1, std::llround(std::sqrt(static_cast<double>(loop.length))));
    std::vector<std::vector<Tensor>> kept = {loop.start()};  // the states before every chunk
    const auto next = [&](const std::vector<Tensor>& s, i64 t) {
      return forth(k.runtime(), dtype_of<T>(), loop.feeds(s, t), loop.settings(t));
    };
    for (i64 t = 0; t + chunk < loop.length; t += chunk) {
      auto s = kept.back();
      for (i64 u = t; u < t + chunk; ++u) s = next(s, u);
      kept.push_back(std::move(s));
    }
    std::vector<Tensor> dstate;
    for (std::size_t i = 0; i < n; ++i) {
      dstate.push_back(k.has_cotangent(i) ? *k.call().cotangents[i] : zeros_of(k, k.output_shape(i)));
    }
    for (std::size_t i = n; i < k.input_count(); ++i) {
      if (k.wants(i)) std::ranges::fill(k.gradient(i), T(0));
    }
    for (std::size_t c = kept.size(); c-- > 0 && loop.length > 0;) {
      const i64 begin = static_cast<i64>(c) * chunk, end = std::min(loop.length, begin + chunk);
      std::vector<std::vector<Tensor>> states = {std::move(kept[c])};
      for (i64 t = begin; t + 1 < end; ++t) states.push_back(next(states.back(), t));
      for (i64 t = end - 1; t >= begin; --t) {
        step_back(loop, back, states[static_cast<std::size_t>(t - begin)], t, dstate);
      }
    }
    for (std::size_t i = 0; i < n; ++i) {
      if (k.wants(i)) k.share(i, dstate[i]);
    }
  }

  template <class T>
  static void step_back(const Loop<T>& loop, Run& back, const std::vector<Tensor>& state, i64 t, std::vector<Tensor>& dstate) {
    Kernel<T>& k = loop.k;
    const Graph& g = *loop.attrs.step;
    const std::size_t n = static_cast<std::size_t>(loop.states);
    auto feeds = loop.feeds(state, t);
    for (std::size_t r = 0; r < g.results.size(); ++r) {
      const bool read = r >= n;
      const Shape inside = read ? Shape(k.output_shape(r).begin() + 1, k.output_shape(r).end()) : Shape();
      feeds.emplace_back(g.cotangents[r], !read                ? dstate[r]
                                          : k.has_cotangent(r) ? loop.slice(*k.call().cotangents[r], t)
                                                               : zeros_of(k, inside));
    }
    const auto gradients = back(k.runtime(), dtype_of<T>(), feeds, loop.settings(t));
    std::size_t at = 0;
    for (std::size_t i = 0; i < g.inputs.size(); ++i) {
      const Tensor d = g.gradients[i] ? gradients[at++] : Tensor();
      if (i < n) {
        dstate[i] = d ? d : zeros_of(k, k.shape(i));
      } else if (d && k.wants(i)) {
        const auto from = d.template values<T>();
        const bool sequence = i < n + static_cast<std::size_t>(loop.sequences);
        T* to = k.gradient(i).data() + (sequence ? t * std::ssize(from) : 0);
        for (std::size_t e = 0; e < from.size(); ++e) to[e] += from[e];
      }
    }
  }
  template <class T> static Tensor zeros_of(const Kernel<T>& k, const Shape& shape) {
    Tensor z = k.scratch(shape);
    std::ranges::fill(z.template mutable_values<T>(), T(0));
    return z;
  }

  static double flops(const Attrs& attrs, const std::vector<Shape>& inputs, const std::vector<Shape>&) {
    Run step(*attrs.step, attrs.step->results);
    Bindings bindings;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const bool sequence = static_cast<i64>(i) >= attrs.states && static_cast<i64>(i) < attrs.states + attrs.sequences;
      const Dims& dims = attrs.step->inputs[i].dims();
      for (std::size_t d = 0; d < dims.size(); ++d) {
        if (!dims[d].known()) bindings.emplace(dims[d].text(), inputs[i][d + (sequence ? 1 : 0)]);
      }
    }
    return static_cast<double>(inputs[static_cast<std::size_t>(attrs.states)][0]) * step.flops(bindings);
  }

  // s' = swish(s + x) + c, read y = s' + x: a step that needs its states again in the backward.
  static std::shared_ptr<const Graph> sample_step();
  static std::vector<Sample> samples() {
    const auto with = [](i64 chunk) {
      return std::vector<std::pair<std::string, AttributeValue>>{{"step", sample_step()}, {"states", i64{2}}, {"sequences", i64{1}}, {"chunk", chunk}};
    };
    const Shape s = {2, 3};
    return {{{s, {3}, {5, 2, 3}, {3}}, with(0)}, {{s, {3}, {4, 2, 3}, {3}}, with(3)}};
  }
  static std::vector<ErrorSample> error_samples() {
    return {{{{{2, 3}, {3}, {5, 2, 3}}, {{"step", sample_step()}, {"states", i64{2}}, {"sequences", i64{1}}}}, "the step takes 4 values"},
            {{{{2, 3}, {3}, {5, 2, 4}, {3}}, {{"step", sample_step()}, {"states", i64{2}}, {"sequences", i64{1}}}}, "value 2 is [5, 2, 4]"}};
  }
};

}  // namespace weft::ops

#include "ops/add.h"
#include "ops/swish.h"

inline std::shared_ptr<const weft::Graph> weft::ops::Scan::sample_step() {
  auto g = std::make_shared<Graph>();
  const Var s = g->input("s", {2, 3}, Kind::real, true), m = g->input("m", {3}, Kind::real, true);
  const Var x = g->input("x", {2, 3}, Kind::real, true), c = g->input("c", {3}, Kind::real, true);
  const Var next = add(swish(add(s, x)), c), memory = add(swish(m), c);
  g->inputs = {s, m, x, c};
  g->results = {next, memory, add(next, x)};
  g->differentiate();
  return g;
}
