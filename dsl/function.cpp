#include "dsl/function.h"

#include <fmt/format.h>

#include <algorithm>

namespace weft::dsl {
namespace {

// "tokens [B, T]"
std::string shown(const Port& port) { return fmt::format("{} {}", port.name, text(port.dims)); }

std::string bound_text(const Bindings& sizes) {
  std::string s;
  for (const auto& [name, value] : sizes) s += fmt::format("{}{} = {}", s.empty() ? "" : ", ", name, value);
  return s;
}

}  // namespace

Function::Function(const Asked& asked, Diagnostics& diagnostics)
    : asked_(asked),
      program_(asked.streams                      ? Mode::stream
               : asked.gradients || asked.explain ? Mode::train
                                                  : Mode::evaluate,
               diagnostics) {}

const Port* Function::port(const std::string& name) const {
  const auto found = std::find_if(ports_.begin(), ports_.end(), [&](const Port& p) { return p.name == name; });
  return found == ports_.end() ? nullptr : &*found;
}

std::vector<Weight> Function::weights() const {
  std::vector<Weight> all;
  for (const WeightSlot& w : program_.weights) all.push_back(w.weight);
  return all;
}

const Dims& Function::result_dims(const std::string& result) const {
  const auto found = std::find_if(results_.begin(), results_.end(), [&](const Result& r) { return r.name == result; });
  check(found != results_.end(), "the function has no result {}", result);
  return found->dims;
}

std::vector<Var> Function::outputs() const {
  std::vector<Var> all;
  for (const Result& r : results_) {
    if (r.var) all.push_back(r.var);
  }
  return all;
}

std::string Function::faults(const Tensors& inputs) const {
  std::string all;
  std::vector<std::string> names;
  Bindings sizes;
  for (const Port& p : ports_) {
    names.push_back(p.name);
    const auto found = inputs.find(p.name);
    if (found == inputs.end()) {
      if (p.use == Port::Use::required) all += "\n  missing: " + shown(p);
    } else if (const std::string fault = misfit(p, found->second, sizes); !fault.empty()) {
      all += "\n  " + fault;
    }
  }
  for (const auto& [name, tensor] : inputs) {
    if (port(name)) continue;
    const std::string guess = guess_text(name, names);
    all += fmt::format("\n  unknown: {}{}", printable(name), guess.empty() ? "" : "; " + guess);
  }
  return all;
}

// What is wrong with one tensor; binds B and T from the first that has them.
std::string Function::misfit(const Port& p, const Tensor& tensor, Bindings& sizes) const {
  const bool index = tensor.dtype() == DType::i32;
  if (index != (p.kind == Kind::index)) {
    return fmt::format("{} holds {} numbers, and {} are taken", p.name, index ? "whole" : "real",
                       index ? "real ones" : "whole ones");
  }
  const Shape& shape = tensor.shape();
  bool fits = shape.size() == p.dims.size();
  for (std::size_t d = 0; d < p.dims.size() && fits; ++d) {
    if (!p.dims[d].known()) sizes.try_emplace(p.dims[d].text(), shape[d]);
    fits = p.dims[d].value(sizes) == shape[d];
  }
  if (!fits) return fmt::format("{} is {}, and {} is taken ({})", p.name, text(shape), text(p.dims), bound_text(sizes));
  if (!is_model() || !index) return {};
  const bool classes = p.name == "targets" && program_.classes;
  const i64 end = classes ? *program_.classes : *program_.vocab;
  // -1: a target that is not counted, a place behind the end of a sequence that is classified.
  const i32 least = p.name == "targets" || program_.classes ? -1 : 0;
  for (const i32 token : tensor.values<i32>()) {
    if (token >= least && token < end) continue;
    return classes ? fmt::format("{} holds {}, and there are {} classes, from 0", p.name, token, end)
                   : fmt::format("{} holds {}, and the vocabulary has {} tokens, from 0", p.name, token, end);
  }
  return {};
}

std::vector<Tensor> Function::initial_weights(u64 seed, DType dtype) const {
  return draw_weights(program_.weights, seed, dtype);
}

Run::Feeds Function::feeds(DType dtype, const std::vector<Tensor>& weights, const Tensors& inputs,
                           Bindings& sizes) const {
  Run::Feeds feeds;
  for (const Port& p : ports_) {
    const auto found = inputs.find(p.name);
    if (found == inputs.end()) continue;
    misfit(p, found->second, sizes);
    feeds.emplace_back(p.var, p.kind == Kind::index ? found->second : found->second.converted(dtype));
  }
  for (const NamedState& s : program_.named_states) {
    if (s.is_input && !has("initial." + s.name)) {
      feeds.emplace_back(s.start, Tensor::full(weft::bind(s.start.dims(), sizes), s.value, dtype));
    }
  }
  if (const Var& valid = program_.given_valid; valid && !inputs.contains("valid"))
    feeds.emplace_back(valid, Tensor::full(weft::bind(valid.dims(), sizes), 1, dtype));
  for (std::size_t i = 0; i < weights.size(); ++i) feeds.emplace_back(program_.weights[i].var, weights[i]);
  return feeds;
}

std::vector<std::pair<std::string, Tensor>> Function::operator()(const Runtime& runtime, DType dtype,
                                                                 const std::vector<Tensor>& weights,
                                                                 const Tensors& inputs, const RunSettings& settings,
                                                                 Observer* observer) const {
  Bindings sizes;
  const Run::Feeds fed = feeds(dtype, weights, inputs, sizes);
  Run run(program_.graph, outputs());
  auto computed = run(runtime, dtype, fed, settings, observer);
  std::vector<std::pair<std::string, Tensor>> results;
  std::size_t next = 0;
  for (const Result& r : results_) {
    // A gradient of what nothing depends on is zero.
    results.emplace_back(r.name, r.var ? std::move(computed[next++]) : Tensor::zeros(weft::bind(r.dims, sizes), dtype));
  }
  return results;
}

std::vector<Dims> Function::state_dims() const {
  std::vector<Dims> all;
  for (const StreamState& s : program_.states) all.push_back(s.in.dims());
  return all;
}

std::vector<std::pair<std::string, Tensor>> Function::feed(const Runtime& runtime, DType dtype,
                                                           const std::vector<Tensor>& weights, const Tensors& inputs,
                                                           const RunSettings& settings,
                                                           std::vector<Tensor>& states) const {
  Bindings sizes;
  Run::Feeds fed = feeds(dtype, weights, inputs, sizes);
  std::vector<Var> wanted = outputs(), starts;
  const std::size_t given = wanted.size();
  for (const StreamState& s : program_.states) {
    wanted.push_back(s.out);
    if (s.start) starts.push_back(s.start);
  }
  if (states.empty()) {
    auto started = Run(program_.graph, starts)(runtime, dtype, fed, settings);
    sizes["P"] = 0;
    std::size_t next = 0;
    for (const StreamState& s : program_.states) {
      states.push_back(s.start ? std::move(started[next++]) : Tensor::zeros(weft::bind(s.in.dims(), sizes), dtype));
    }
  }
  for (std::size_t i = 0; i < states.size(); ++i) fed.emplace_back(program_.states[i].in, states[i]);
  auto computed = Run(program_.graph, wanted)(runtime, dtype, fed, settings);
  std::vector<std::pair<std::string, Tensor>> results;
  for (std::size_t i = 0; i < given; ++i) results.emplace_back(results_[i].name, std::move(computed[i]));
  for (std::size_t i = 0; i < states.size(); ++i) states[i] = std::move(computed[given + i]);
  return results;
}

}  // namespace weft::dsl
