// Nothing is seen of the future: by changing it, and by gradients that are exactly zero.
#include <fmt/format.h>

#include "verify/property.h"

namespace weft::verify {
namespace {

std::vector<How> all_forms(const Subject& s, bool gradients) {
  std::vector<How> all = {{.form = "loop", .gradients = gradients}, {.form = "auto", .gradients = gradients}};
  for (const std::string& form : forms_of(s))
    all.push_back({.form = form, .chunk = form == "parallel" ? 0 : 4, .gradients = gradients});
  return all;
}

// Chunks of 4: leaks are often found at their borders alone.
std::vector<i64> cuts(i64 length) {
  std::vector<i64> all;
  for (const i64 cut : {i64{1}, i64{3}, i64{4}, i64{5}, i64{8}, length - 1}) {
    if (cut > 0 && cut < length && std::find(all.begin(), all.end(), cut) == all.end()) all.push_back(cut);
  }
  return all;
}

std::optional<std::size_t> time_in(const Dims& dims) {
  for (std::size_t d = 0; d < dims.size(); ++d) {
    if (dsl::is_time(dims[d])) return d;
  }
  return {};
}

// Other values from position `cut` on: other tokens, larger numbers. Finite, for 0 * NaN would be a false alarm.
Tensors changed(const Subject& s, const How& how, const Tensors& inputs, i64 cut) {
  Tensors others = inputs;
  for (const dsl::Port& p : s.function(how).ports()) {
    const auto found = others.find(p.name);
    const auto axis = time_in(p.dims);
    if (found == others.end() || !axis || p.use == dsl::Port::Use::cotangent) continue;
    const Tensor before = slice(found->second, *axis, 0, cut);
    const Tensor after = slice(found->second, *axis, cut, found->second.shape()[*axis]);
    std::vector<double> values;
    const i64 classes = std::max<i64>(2, s.function(how).vocab());
    for (i64 i = 0; i < after.size(); ++i) {
      const double x = after.at(i);
      values.push_back(p.kind == Kind::index
                           ? static_cast<double>((static_cast<i64>(x) + 1 + i % (classes - 1)) % classes)
                           : 20 - 3 * x);
    }
    const Tensor other = p.kind == Kind::index
                             ? Tensor::of_indices(std::vector<i32>(values.begin(), values.end()), after.shape())
                             : Tensor::from(values, after.shape(), DType::f64);
    found->second = joined({before, other}, *axis);
  }
  return others;
}

// Every value of the main graph that has T, in the order of the nodes, up to position `cut`.
struct Trace {
  std::vector<std::pair<const Node*, Tensor>> prefixes;
  Subject::Results results;
};
Trace trace(const Subject& s, const How& how, const Tensors& inputs, i64 cut) {
  Trace t;
  const Graph& graph = s.function(how).graph();
  const Intervention watch = [&](const Node& node, std::vector<Tensor>& made) {
    const auto& nodes = graph.nodes();
    const bool ours = std::any_of(nodes.begin(), nodes.end(), [&](const Node& n) { return &n == &node; });
    if (!ours || made.empty() || !made[0]) return;
    const Dims& dims = graph.value(node.outputs[0]).dims;
    const auto axis = time_in(dims);
    if (!axis || std::count_if(dims.begin(), dims.end(), dsl::is_time) != 1) return;
    t.prefixes.emplace_back(&node, slice(made[0], *axis, 0, cut));
  };
  RunSettings settings;
  settings.intervention = &watch;
  t.results = s.run(how, inputs, settings);
  return t;
}

std::string first_that_sees(const Subject& s, const How& how, const Tensors& inputs, const Tensors& others, i64 cut) {
  const Graph& graph = s.function(how).graph();
  const Trace a = trace(s, how, inputs, cut), b = trace(s, how, others, cut);
  for (std::size_t i = 0; i < a.prefixes.size(); ++i) {
    if (!same_bits(a.prefixes[i].second, b.prefixes[i].second))
      return fmt::format("; first `{}` at {}", a.prefixes[i].first->op->name, graph.origin_of(*a.prefixes[i].first));
  }
  return {};
}

}  // namespace

Finding prove_unseen_values(const Subject& s, const std::vector<i64>& lengths) {
  if (!s.causal()) return Finding::absent("not claimed: " + s.sees());
  const std::string result = s.claim().def.empty() ? "logits" : "out";
  Worst worst(0);
  for (const i64 n : lengths) {
    for (const How& how : all_forms(s, false)) {
      const auto axis = time_in(s.function(how).result_dims(result));
      if (!axis) return Finding::absent("the result has no T");
      const Tensors inputs = s.inputs(how, Subject::kRows, n);
      const Tensor whole = s.run(how, inputs).at(result);
      for (const i64 cut : cuts(n)) {
        const Tensors others = changed(s, how, inputs, cut);
        const Tensor found = s.run(how, others).at(result);
        const Difference d = difference(result, slice(whole, *axis, 0, cut), slice(found, *axis, 0, cut));
        std::string where = d.where;
        if (d.error > 0) {
          where += fmt::format(" (positions from {} changed, T = {}, {}{})", cut, n, how.form,
                               first_that_sees(s, how, inputs, others, cut));
        }
        worst.add(d.error, n, where);
      }
    }
  }
  return worst.finding("another future leaves every bit of the past");
}

Finding prove_unseen_gradients(const Subject& s, const std::vector<i64>& lengths) {
  if (!s.causal()) return Finding::absent("not claimed: " + s.sees());
  const std::string result = s.claim().def.empty() ? "logits" : "out";
  Worst worst(0);
  for (const i64 n : lengths) {
    for (const How& how : all_forms(s, true)) {
      const dsl::Function& f = s.function(how);
      const auto axis = time_in(f.result_dims(result));
      if (!axis) return Finding::absent("the result has no T");
      for (const i64 cut : cuts(n)) {
        Tensors inputs = s.inputs(how, Subject::kRows, n);
        for (auto& [name, t] : inputs) {
          if (name.starts_with("cotangent.final.")) t = Tensor::zeros(t.shape(), DType::f64);
        }
        Tensor& c = inputs.at("cotangent");
        Shape rest = c.shape();
        rest[*axis] = n - cut;
        c = joined({slice(c, *axis, 0, cut), Tensor::zeros(rest, DType::f64)}, *axis);
        for (const auto& [name, g] : s.run(how, inputs)) {
          if (!name.starts_with("grad.") || name.starts_with("grad.initial.")) continue;
          const auto time = time_in(f.result_dims(name));
          if (!time) continue;
          const double seen = largest(slice(g, *time, cut, n));
          worst.add(seen, n,
                    seen == 0 ? ""
                              : fmt::format("{} is {:.3g} at positions from {} on, of results before (T = {}, {})",
                                            name, seen, cut, n, how.form));
        }
      }
    }
  }
  return worst.finding("gradients of the past with respect to the future are exactly 0");
}

}  // namespace weft::verify
