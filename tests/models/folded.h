// Folds over x [T, 4] alone, as functions of named tensors.
#pragma once
#include "tests/models/build.h"
#include "tests/tensors.h"

namespace weft::tests {

inline const Runtime& runtime() {
  static const Runtime r;
  return r;
}

inline std::string def(const std::string& body) {
  return "schema: 1\ndefs:\n  f:\n    in: {x: [T, D]}\n" + body +
         "model: [{embed: {width: 4}}, f, {logits: {tie: embed}}]\n";
}

struct Outcome {
  std::map<std::string, Tensor> tensors;
  const Tensor& operator[](const std::string& name) const {
    INFO(name);
    REQUIRE(tensors.contains(name));
    return tensors.at(name);
  }
};

inline Tensor numbers(const Shape& shape, u64 seed) { return drawn(shape, seed, 0.7); }

using Tensors = dsl::Function::Tensors;

struct Folded {
  std::string text;
  std::vector<Tensor> weights = {};
  std::unique_ptr<const dsl::Function> function = {};

  // A def with an input `g`, constant over time, is given that of its rows.
  Outcome operator()(Tensors inputs, bool gradients = false, RunSettings settings = {}) {
    const i64 count = inputs.at("x").shape()[0];
    if (text.find("g: [D]") != std::string::npos && !inputs.contains("g")) {
      inputs["g"] =
          positions(numbers({1, 8, 4}, 30), settings.first_row, settings.first_row + count).reshaped({count, 4});
    }
    dsl::Diagnostics d;
    const dsl::Description description(dsl::make_source("test.yaml", text), {}, surroundings(), d);
    dsl::Asked asked{.def = "f", .with_tensors = true, .gradients = gradients};
    for (const auto& [name, tensor] : inputs) asked.given[name] = tensor.shape();
    function = description.function(asked, 16, d);
    INFO(d.render(false));
    REQUIRE(function != nullptr);
    if (weights.empty()) {
      for (const auto& slot : function->slots()) weights.push_back(numbers(slot.weight.shape, 77 + weights.size()));
    }
    CHECK(function->faults(inputs) == "");
    Outcome o;
    for (auto& [name, tensor] : (*function)(runtime(), DType::f64, weights, inputs, settings)) o.tensors[name] = tensor;
    return o;
  }
  bool uses(std::string_view op) const {
    const auto& nodes = function->graph().nodes();
    return std::any_of(nodes.begin(), nodes.end(), [&](const Node& n) { return n.op->name == op; });
  }
};

inline RunSettings noisy(u64 key, i64 first_row = 0) {
  RunSettings s;
  s.key = Key{key};
  s.training = true;
  s.first_row = first_row;
  return s;
}

inline Tensor rows(const std::vector<Tensor>& parts) {
  std::vector<double> values;
  Shape shape = parts[0].shape();
  shape[0] = 0;
  for (const Tensor& p : parts) {
    for (i64 i = 0; i < p.size(); ++i) values.push_back(p.at(i));
    shape[0] += p.shape()[0];
  }
  return Tensor::from(values, shape, DType::f64);
}

inline Tensor row(const Tensor& x, i64 b) {
  Shape shape = x.shape();
  shape[0] = 1;
  return x.entry(b).reshaped(shape);
}

// What a later part starts from.
inline void go_on(Tensors& inputs, const Outcome& before) {
  for (const auto& [name, tensor] : before.tensors) {
    if (name.starts_with("final.")) inputs["initial." + name.substr(6)] = tensor;
  }
}

inline const std::vector<std::pair<const char*, std::string>>& folds() {
  static const std::vector<std::pair<const char*, std::string>> all = {
      {"sum", def("    fold: {over: T, leaf: {c: x}, merge: {c: left(c) + right(c)}, read: {y: 'sum(c, dim=L)'}}\n"
                  "    out: y\n")},
      {"max", def("    fold: {over: T, leaf: {c: x}, merge: {c: 'maximum(left(c), right(c))'},\n"
                  "           read: {y: 'sum(present * exp(c), dim=L)'}}\n    out: y\n")},
      {"gated",
       def("    weights: {A: {shape: [2 * D, D]}, G: {shape: [2 * D, 3]}, b: {shape: [D]}}\n"
           "    fold:\n      over: T\n      leaf: {c: x}\n      merge:\n"
           "        lr: \"concat(left(c), right(c), dim=-1)\"\n"
           "        m: tanh(lr @ A + b) / level\n"
           "        p: \"gumbel_softmax(lr @ G, tau=0.7, eval=soft)\"\n"
           "        c: \"slice(p, 0, 1, dim=-1) * left(c) + slice(p, 1, 1, dim=-1) * m + slice(p, 2, 1, dim=-1) * "
           "right(c)\"\n"
           "      read: {y: 'sum(c, dim=L)'}\n    out: y\n")},
      {"levels weighed by the query",
       def("    weights: {Q: {shape: [D, D]}}\n    let: {q: x @ Q}\n"
           "    fold:\n      over: T\n      leaf: {c: x}\n      merge: {c: 0.5 * left(c) + tanh(right(c))}\n"
           "      read: {p: \"softmax(dot(c, q), dim=L, mask=present) -> [L]\", y: p @ c}\n    out: y + x\n")},
      {"a mean of two values, by a leaf that does not vary",
       def("    fold:\n      over: T\n      leaf: {c: x, n: 1}\n"
           "      merge: {c: left(c) + right(c), n: left(n) + right(n)}\n"
           "      read: {s: \"sum(c * sigmoid(c), dim=L)\", y: s / (1 + prefix(n)) + prefix(c) / prefix(n)}\n"
           "    out: y\n")},
      {"a def in the merge, and a product behind the sum",
       def("    weights: {W: {shape: [D, D]}}\n"
           "    fold: {over: T, leaf: {c: x}, merge: {c: 'g(left(c)) + right(c)'},\n"
           "           read: {y: \"sum(tanh(c) @ W, dim=L) * sigmoid(x)\"}}\n    out: y\n"
           "  g: {in: {x: [D]}, weights: {V: {shape: [D, D]}}, out: tanh(x @ V)}\n")},
      {"a constant of the row, in the merge, in the sum and beside it",
       "schema: 1\ndefs:\n  f:\n    in: {x: [T, D], g: [D]}\n"
       "    fold: {over: T, leaf: {c: x, w: g}, merge: {c: left(c) * sigmoid(g) + right(c) * left(w), w: right(w)},\n"
       "           read: {y: \"sum(c * tanh(g), dim=L) + g * prefix(c)\"}}\n    out: y\n"
       "model: [{embed: {width: 4}}, {logits: {tie: embed}}]\n"},
      {"levels that are dropped at random",
       def("    fold: {over: T, leaf: {c: x}, merge: {c: left(c) * sigmoid(right(c))},\n"
           "           read: {y: \"sum(dropout(present * c, 0.3), dim=L)\"}}\n    out: y\n")},
      {"heads",
       def("    let: {h: \"to_heads(x, 2)\"}\n"
           "    fold: {over: T, leaf: {c: h}, merge: {c: left(c) * sigmoid(right(c))}, read: {y: 'sum(c, dim=L)'}}\n"
           "    out: merge_heads(y)\n")}};
  return all;
}

}  // namespace weft::tests
