#pragma once
#include <algorithm>
#include <cstring>
#include <map>

#include "ops/add.h"
#include "ops/shared/step_runs.h"
#include "ops/swish.h"

namespace weft::ops {

struct Scan : General {
  static constexpr Doc doc{
      "runs the graph of one step for each position in turn: the meaning of every recurrence",
      "(s_t, r_t) = step(s_t-1, x_t, c) for t = 1 .. T; gives s_T and all r_t",
      "states kept per chunk, computed again in backward: Griewank 1992, Chen et al. 2016, arXiv:1604.06174"};
  static constexpr const char* gradient =
      "(ds_t-1, dx_t, dc) = the gradient of step at (s_t-1, x_t, c) for (ds_t, dr_t), t = T .. 1\n"
      "ds_T is the cotangent of s_T, dc the sum over t";
  static constexpr Along along = Along::streams;   // its states are its first inputs and its first outputs
  static constexpr std::array inputs{Input{"x"}};  // initial states, then sequences [T, ...], then constants
  static constexpr bool variadic = true;
  static constexpr std::size_t saved = 1;  // the states before each chunk, side by side: [chunks, all their elements]
  struct Attrs {
    std::shared_ptr<const Graph> step;
    i64 states = 1, sequences = 1, chunk = 0;
  };
  static auto attributes() {
    return std::tuple{
        attribute("step", &Attrs::step, "takes states, one entry of each sequence, constants; gives states, reads"),
        attribute("states", &Attrs::states, "how many of the inputs are initial states"),
        attribute("sequences", &Attrs::sequences, "how many of the inputs are sequences, with time first"),
        attribute("chunk", &Attrs::chunk, "steps from one kept state to the next; 0: 16")};
  }

  // states [...], sequences [T, ...], constants [...] -> final states [...], reads [T, ...]
  static std::vector<Dims> infer(const Attrs& a, const InputDims& in) {
    const Graph& step = step_of(a, in);
    in.require(a.chunk >= 0, fmt::format("a chunk has at least one step, not {}", a.chunk));
    const Dim& length = in.at(first(a), 0);
    Sizes sizes;
    for (std::size_t i = 0; i < in.size(); ++i) {
      const bool sequence = is_sequence(a, i);
      const Dims given(in[i].begin() + sequence, in[i].end()), &own = step.inputs[i].dims();
      in.require(
          sizes.match(own, given) && (!sequence || same_size(in[i][0], length)),
          fmt::format("the input {} must be [{}{} (it is {})", step.value(step.inputs[i].id()).name,
                      sequence ? length.text() + (own.empty() ? "" : ", ") : "", text(own).substr(1), text(in[i])));
    }
    std::vector<Dims> out;
    Dim kept = 0;
    for (std::size_t r = 0; r < step.results.size(); ++r) {
      Dims dims = sizes.of(step.results[r].dims());
      if (r < first(a)) {
        in.require(same_size(dims, in[r]) && dims.size() == in[r].size(),
                   fmt::format("a step turns the state {} into {}", text(in[r]), text(dims)));
        Dim elements = 1;
        for (const Dim& d : in[r]) elements = elements * d;
        kept = kept + elements;
      } else {
        dims.insert(dims.begin(), length);
      }
      out.push_back(std::move(dims));
    }
    out.push_back({Dim::chunks(length, chunk_of(a)), kept});
    return out;
  }

  template <class T> static void forward(const Attrs& a, Kernel<T>& k) {
    Steps<T> steps(a, k);
    Run& run = *k.once([&] { return std::make_unique<Run>(*a.step, a.step->results, RunMemory{.stay = true}); });
    const std::size_t states = first(a);
    std::vector<Tensor> state = steps.initial();
    T* kept = k.save(0).data();
    for (i64 t = 0; t < steps.length; ++t) {
      if (t % chunk_of(a) == 0) kept = steps.keep(state, kept);
      std::vector<Tensor> made = steps(run, t, state);
      for (std::size_t r = states; r < made.size(); ++r) write_entry(k.result(r).data(), t, made[r]);
      std::move(made.begin(), made.begin() + static_cast<std::ptrdiff_t>(states), state.begin());
    }
    for (std::size_t s = 0; s < states; ++s) k.call().results[s] = state[s];
    run.release();
  }

  // ds_t-1, dx_t and the share of dc at time t are the step's own gradients for the cotangents ds_t and dr_t.
  template <class T> static void backward(const Attrs& a, Kernel<T>& k) {
    check(a.step->gradients.size() == a.step->inputs.size(), "scan: its step was not differentiated");
    Steps<T> steps(a, k);
    const std::size_t states = first(a);
    for (std::size_t i = 0; i < a.step->inputs.size(); ++i) {
      if (k.wants(i)) std::fill(k.gradient(i).begin(), k.gradient(i).end(), T(0));
    }
    StepRuns& runs = *k.once([&] { return std::make_unique<StepRuns>(*a.step, first(a), varying(a), k); });

    const i64 chunk = chunk_of(a);
    std::vector<Tensor> cotangents = steps.final_cotangents();
    for (i64 begin = (steps.length - 1) / chunk * chunk; begin >= 0 && steps.length > 0; begin -= chunk) {
      const i64 end = std::min(steps.length, begin + chunk);
      std::vector<std::vector<Tensor>> before{steps.kept(begin / chunk)};  // the states before each step of the chunk
      std::vector<std::vector<Tensor>> given;                              // values of each that its backward is given
      for (i64 t = begin; t < end - (runs.kept.empty() ? 1 : 0); ++t) {
        auto made = steps(runs.forward, t, before.back());
        const auto middle = std::make_move_iterator(made.begin() + static_cast<std::ptrdiff_t>(states));
        before.emplace_back(std::make_move_iterator(made.begin()), middle);
        given.emplace_back(middle, std::make_move_iterator(made.end()));
      }
      given.resize(static_cast<std::size_t>(end - begin));
      std::vector<std::vector<Tensor>> left;  // by each for the chunk
      for (i64 t = end - 1; t >= begin; --t) {
        const auto at = static_cast<std::size_t>(t - begin);
        auto made = steps(runs.backward, t, before[at], &cotangents, runs.kept, given[at]);
        for (std::size_t s = 0; s < states; ++s) cotangents[s] = steps.zeros[s];
        for (std::size_t f = 0; f < runs.of_inputs.size(); ++f) {
          const std::size_t i = runs.of_inputs[f];
          if (i < states) cotangents[i] = made[f];
          else if (is_sequence(a, i)) write_entry(k.gradient(i).data(), t, made[f]);
          else add(k, k.gradient(i), made[f]);
        }
        made.erase(made.begin(), made.begin() + std::ssize(runs.of_inputs));
        left.push_back(std::move(made));
      }
      if (!runs.of_chunk) continue;
      const auto made = steps.together(*runs.of_chunk, runs.cut, left);
      for (std::size_t f = 0; f < made.size(); ++f) add(k, k.gradient(runs.of_constants[f]), made[f]);
    }
    for (std::size_t s = 0; s < states; ++s) {
      if (k.wants(s)) add(k, k.gradient(s), cotangents[s]);
    }
    runs.forward.release();
    runs.backward.release();
  }

  // Those of a step, for each position.
  static double flops(const Attrs& a, const std::vector<Shape>& inputs, const std::vector<Shape>&) {
    const Sizes sizes = sizes_of(a, inputs);
    const double length = static_cast<double>(inputs[first(a)][0]);
    return length * Run(*a.step, a.step->results).flops(sizes.numbers);
  }

  // Backward, the steps of a chunk are rows of one batch.
  static double scratch(const Attrs& a, const std::vector<Shape>& inputs, const std::vector<Shape>&, bool backward) {
    const Bindings numbers = sizes_of(a, inputs).numbers;
    const auto rows = numbers.find("B");
    if (rows == numbers.end()) return 0;
    const i64 steps = backward && rows_apart(*a.step, varying(a)) ? std::min(chunk_of(a), inputs[first(a)][0]) : 1;
    return inner_numbers(*a.step, steps * rows->second, backward, numbers);
  }
  static std::vector<Sample> samples() {
    const AttributeValue one = smoother(false), two = smoother(true), none = map();
    return {{{{2, 3}, {5, 2, 3}, {3}}, {{"step", one}}},
            {{{2, 3}, {2, 3}, {7, 2, 3}, {7, 3}, {3}},
             {{"step", two}, {"states", i64{2}}, {"sequences", i64{2}}, {"chunk", i64{3}}}},
            {{{0, 3}, {4, 0, 3}, {3}}, {{"step", one}}},
            {{{2, 3}, {0, 2, 3}, {3}}, {{"step", one}, {"chunk", i64{2}}}},
            {{{6, 3}}, {{"step", none}, {"states", i64{0}}}}};
  }
  static std::vector<ErrorSample> error_samples() {
    const AttributeValue one = smoother(false);
    return {{{{{2, 3}, {5, 2, 3}}, {{"step", one}}}, "the step takes 3 inputs, not 2"},
            {{{{2, 3}, {5, 2, 4}, {3}}, {{"step", one}}}, "the input x must be [5, B, 3] (it is [5, 2, 4])"},
            {{{{2, 3}, {5, 2, 3}, {3}}, {{"step", one}, {"sequences", i64{0}}}}, "it needs a sequence"},
            {{{{2, 3}, {5, 2, 3}, {3}}, {{"step", one}, {"chunk", i64{-1}}}}, "a chunk has at least one step, not -1"},
            {{{{2, 3}, {5, 2, 3}, {3}}}, "it needs a step"}};
  }

 private:
  static std::size_t first(const Attrs& a) { return static_cast<std::size_t>(a.states); }
  static std::size_t varying(const Attrs& a) { return static_cast<std::size_t>(a.states + a.sequences); }
  static bool is_sequence(const Attrs& a, std::size_t i) { return i >= first(a) && i < varying(a); }
  // Memory is T/c states and c steps' worth of states: least near sqrt(T), and flat around it.
  static i64 chunk_of(const Attrs& a) { return a.chunk ? a.chunk : 16; }

  static const Graph& step_of(const Attrs& a, const InputDims& in) {
    in.require(a.step != nullptr, "it needs a step");
    in.require(a.states >= 0 && a.sequences > 0, "it needs a sequence, and no negative number of states");
    const std::size_t takes = a.step->inputs.size(), gives = a.step->results.size();
    in.require(in.size() == takes, fmt::format("the step takes {} inputs, not {}", takes, in.size()));
    in.require(takes >= first(a) + static_cast<std::size_t>(a.sequences) && gives >= std::max<std::size_t>(1, first(a)),
               fmt::format("the step takes {} inputs and gives {} results: too few for {} states and {} sequences",
                           takes, gives, a.states, a.sequences));
    return *a.step;
  }

  // What the symbols of the step (its batch) are in this call: numbers, or the same symbols.
  struct Sizes {
    Bindings numbers;
    bool match(const Dims& own, const Dims& given) {
      if (own.size() != given.size()) return false;
      for (std::size_t d = 0; d < own.size(); ++d) {
        if (own[d].is_symbol() && given[d].known()) numbers.try_emplace(own[d].text(), given[d].value());
      }
      return same_size(of(own), given);
    }
    Dims of(Dims dims) const {
      for (Dim& d : dims) {
        if (!d.known() && !numbers.empty()) d = d.value(numbers);
      }
      return dims;
    }
  };

  static Sizes sizes_of(const Attrs& a, const std::vector<Shape>& inputs) {
    Sizes sizes;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      Shape own = inputs[i];
      if (is_sequence(a, i)) own.erase(own.begin());
      sizes.match(a.step->inputs[i].dims(), to_dims(own));
    }
    return sizes;
  }

  template <class T> static void write_entry(T* to, i64 t, const Tensor& entry) {
    std::copy_n(entry.values<T>().data(), entry.size(), to + t * entry.size());
  }
  template <class T> static void add(const Kernel<T>& k, std::span<T> sum, const Tensor& term) {
    const T* x = term.values<T>().data();
    T* y = sum.data();
    k.each(std::ssize(sum), [=](i64 i) { y[i] += x[i]; });
  }

  // One call's inputs, by position in time.
  template <class T> struct Steps {
    const Attrs& a;
    Kernel<T>& k;
    KernelCall& call;
    i64 length;
    std::vector<Tensor> zeros;  // a cotangent for each result: of a state, of one entry of a read
    RunSettings settings;

    Steps(const Attrs& attrs, Kernel<T>& kernel)
        : a(attrs), k(kernel), call(kernel.call()), length(kernel.shape(first(attrs))[0]), settings(k.settings()) {
      settings.key = k.key();
      for (std::size_t r = 0; r < a.step->results.size(); ++r) {
        Shape shape = k.output_shape(r);
        if (r >= first(a)) shape.erase(shape.begin());
        zeros.push_back(Tensor::zeros(std::move(shape), dtype_of<T>()));
      }
    }
    std::vector<Tensor> initial() const {
      std::vector<Tensor> states;
      for (std::size_t s = 0; s < first(a); ++s) states.push_back(*call.inputs[s]);
      return states;
    }
    std::vector<Tensor> final_cotangents() const {
      std::vector<Tensor> states;
      for (std::size_t s = 0; s < first(a); ++s) states.push_back(k.has_cotangent(s) ? *call.cotangents[s] : zeros[s]);
      return states;
    }
    T* keep(const std::vector<Tensor>& state, T* to) const {
      for (const Tensor& s : state) to = std::copy_n(s.template values<T>().data(), s.size(), to);
      return to;
    }
    std::vector<Tensor> kept(i64 chunk) const {
      const T* from = k.saved(0).data() + chunk * call.output_shapes.back()->back();
      std::vector<Tensor> states;
      for (std::size_t s = 0; s < first(a); ++s) {
        states.push_back(k.scratch(k.shape(s)));
        std::copy_n(from, states.back().size(), states.back().template mutable_values<T>().data());
        from += states.back().size();
      }
      return states;
    }
    // Random ops of the step count by row and absolute time, so that every cut draws the same numbers.
    std::vector<Tensor> operator()(Run& run, i64 t, const std::vector<Tensor>& state,
                                   const std::vector<Tensor>* cotangents = nullptr, const std::vector<Var>& kept = {},
                                   const std::vector<Tensor>& given = {}) {
      settings.offsets = k.settings().offsets;
      if (settings.offsets.empty()) settings.offsets = {0};
      for (i64& offset : settings.offsets) offset += t;
      const Graph& step = *a.step;
      Run::Feeds feeds;
      for (std::size_t i = 0; i < step.inputs.size(); ++i) {
        const bool sequence = is_sequence(a, i);
        feeds.emplace_back(step.inputs[i], i < state.size() ? state[i]
                                           : sequence       ? call.inputs[i]->entry(t)
                                                            : *call.inputs[i]);
      }
      for (std::size_t r = 0; cotangents && r < step.cotangents.size(); ++r) {
        const bool read = r >= first(a);
        feeds.emplace_back(step.cotangents[r], !read                ? (*cotangents)[r]
                                               : k.has_cotangent(r) ? call.cotangents[r]->entry(t)
                                                                    : zeros[r]);
      }
      for (std::size_t i = 0; i < given.size(); ++i) feeds.emplace_back(kept[i], given[i]);
      return run(k.runtime(), dtype_of<T>(), feeds, settings);
    }

    // The steps of a chunk as the rows of one batch: `left` has the values `cut` of each.
    std::vector<Tensor> together(Run& run, const std::vector<Var>& cut, const std::vector<std::vector<Tensor>>& left) {
      const Graph& step = *a.step;
      Run::Feeds feeds;
      for (std::size_t i = varying(a); i < step.inputs.size(); ++i) feeds.emplace_back(step.inputs[i], *call.inputs[i]);
      for (std::size_t i = 0; i < cut.size(); ++i) feeds.emplace_back(cut[i], joined(left, i));
      settings.offsets = {0};
      return run(k.runtime(), dtype_of<T>(), feeds, settings);
    }
    Tensor joined(const std::vector<std::vector<Tensor>>& parts, std::size_t i) const {
      Shape shape = parts[0][i].shape();
      const i64 size = parts[0][i].size();
      shape[0] *= std::ssize(parts);
      Tensor all = k.scratch(std::move(shape));
      T* to = all.template mutable_values<T>().data();
      for (const auto& part : parts) to = std::copy_n(part[i].template values<T>().data(), size, to);
      return all;
    }
  };

  // s' = swish(s + x + c), read swish(s' + x); with `two`, a second state that adds up the first and a second sequence.
  static std::shared_ptr<const Graph> smoother(bool two) {
    const auto graph = std::make_shared<Graph>();
    const Dim batch = Dim::symbol("B");
    const auto in = [&](const char* name, Dims dims) {
      graph->inputs.push_back(graph->input(name, std::move(dims), Kind::real, true));
      return graph->inputs.back();
    };
    const Var s = in("s", {batch, 3}), z = two ? in("z", {batch, 3}) : Var(), x = in("x", {batch, 3});
    const Var u = two ? in("u", {3}) : Var(), c = in("c", {3});
    const Var next = swish(weft::ops::add(weft::ops::add(s, x), c));
    graph->results = {next};
    if (two) graph->results.push_back(weft::ops::add(weft::ops::add(z, next), u));
    graph->results.push_back(swish(weft::ops::add(graph->results.back(), x)));
    graph->differentiate();
    return graph;
  }
  static std::shared_ptr<const Graph> map() {
    const auto graph = std::make_shared<Graph>();
    graph->inputs = {graph->input("x", {3}, Kind::real, true)};
    graph->results = {swish(graph->inputs[0])};
    graph->differentiate();
    return graph;
  }
};

/// Initial states, sequences [T, ...] and constants through `step`, whose maker called `differentiate()`: the final
/// states, then the reads [T, ...].
inline std::vector<Var> scan(const std::vector<Var>& states, const std::vector<Var>& sequences,
                             const std::vector<Var>& constants, std::shared_ptr<const Graph> step, i64 chunk = 0) {
  std::vector<Var> inputs = states;
  inputs.insert(inputs.end(), sequences.begin(), sequences.end());
  inputs.insert(inputs.end(), constants.begin(), constants.end());
  return apply_all<Scan>(std::move(inputs), {std::move(step), std::ssize(states), std::ssize(sequences), chunk});
}

}  // namespace weft::ops
