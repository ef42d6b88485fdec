// `apply` through the real program, on tensors given and taken.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "tests/cli/program.h"
#include "tests/tensors.h"

namespace weft::cli {

using Tensors = std::map<std::string, Tensor>;
using tests::drawn, tests::positions;

inline Tensor tokens(const Shape& shape, u64 seed, i32 count) {
  std::vector<i32> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<i32>(bits(Key{seed}, i) % static_cast<u64>(count));
  return Tensor::of_indices(values, shape);
}

inline void put(const Desk& desk, const std::string& file, const Tensors& tensors) {
  std::vector<train::NamedTensor> list;
  for (const auto& [name, tensor] : tensors) list.push_back({name, tensor});
  train::write_safetensors(desk / file, list, {});
}

inline Tensors taken(const Desk& desk, const std::string& file) {
  Tensors tensors;
  for (auto& [name, tensor] : train::Safetensors(desk / file).load_all()) tensors[name] = tensor;
  return tensors;
}

// apply FILE on `in`, in f64 unless told otherwise; must succeed.
inline Tensors applied(Desk& desk, const std::string& file, const Tensors& in, const Words& more = {}) {
  put(desk, "in.safetensors", in);
  Words words = {"apply", file, "--in", "in.safetensors", "--out", "out.safetensors"};
  if (std::find(more.begin(), more.end(), "--dtype") == more.end()) words.insert(words.end(), {"--dtype", "f64"});
  words.insert(words.end(), more.begin(), more.end());
  const Finished f = desk.run(words);
  INFO(f.err);
  REQUIRE(f.exit == 0);
  return taken(desk, "out.safetensors");
}

inline double distance(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double worst = 0;
  for (i64 i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a.at(i) - b.at(i)));
  return worst;
}

inline double inner(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double sum = 0;
  for (i64 i = 0; i < a.size(); ++i) sum += a.at(i) * b.at(i);
  return sum;
}

inline Tensor moved(const Tensor& x, const Tensor& direction, double step) {
  std::vector<double> values;
  for (i64 i = 0; i < x.size(); ++i) values.push_back(x.at(i) + step * direction.at(i));
  return Tensor::from(values, x.shape(), DType::f64);
}

// Two states, one of them learned; a decay from the data; an input without time.
inline const char* const kDefs =
    "schema: 1\n"
    "params: {H: 2}\n"
    "defs:\n"
    "  memory:\n"
    "    params: {H: int, keep: 0.9}\n"
    "    in: {x: [T, D], scale: [D]}\n"
    "    dims: {d: D / H}\n"
    "    weights: {Wk: {shape: [D, H * d]}, Wv: {shape: [D, H * d]}, Wa: {shape: [D, H]}}\n"
    "    let:\n"
    "      k: to_heads(x @ Wk, H)\n"
    "      v: to_heads(x * scale @ Wv, H)\n"
    "      a: sigmoid(x @ Wa)\n"
    "    recurrence:\n"
    "      over: T\n"
    "      state: {S: {shape: [H, d, d], learned: true}, n: {shape: [H, d], init: 0.5}}\n"
    "      step: {S: \"a * S + outer(k, v)\", n: \"keep * n + k\"}\n"
    "      read: {y: \"(k @ S) / maximum(abs(dot(k, n)), 1)\"}\n"
    "    out: merge_heads(y)\n"
    "  gru:\n"
    "    in: {x: [T, D]}\n"
    "    weights: {U: {shape: [D, D]}}\n"
    "    recurrence:\n"
    "      over: T\n"
    "      state: {h: [D]}\n"
    "      step: {h: tanh(h @ U + x)}\n"
    "      read: {y: h}\n"
    "    out: y\n"
    "  twice:\n"
    "    in: {x: [T, D]}\n"
    "    let: {a: gru(x)}\n"
    "    out: a + gru(2 * x)\n";

// States that the derived forms hold in another layout than the loop.
inline const char* const kMoreDefs =
    "  turning:\n"
    "    in: {x: [T, D]}\n"
    "    recurrence:\n"
    "      over: T\n"
    "      state: {S: {shape: [D, D], init: 0.3}}\n"
    "      step: {S: \"0.9 * rotate(S, 1 / (1 + arange(D / 2))) + outer(x, 0.5 * x)\"}\n"
    "      read: {y: x @ S}\n"
    "    out: y\n"
    "  delta:\n"
    "    in: {x: [T, D]}\n"
    "    let: {k: l2_norm(x)}\n"
    "    recurrence:\n"
    "      over: T\n"
    "      state: {S: [D, D]}\n"
    "      step: {S: \"S + 0.5 * outer(k, x - k @ S)\"}\n"
    "      read: {y: k @ S}\n"
    "    out: y\n"
    "  columns:\n"
    "    in: {x: [T, D]}\n"
    "    recurrence:\n"
    "      over: T\n"
    "      state: {S: [D, D]}\n"
    "      step: {S: \"0.8 * S + outer(2 * x, x)\"}\n"
    "      read: {y: S @ x}\n"
    "    out: y\n"
    "  last:\n"
    "    in: {x: [T, D]}\n"
    "    recurrence:\n"
    "      over: T\n"
    "      state: {S: [D]}\n"
    "      step: {S: \"3 * x\"}\n"
    "      read: {y: S}\n"
    "    out: y\n";

}  // namespace weft::cli
