#include "dsl/program.h"

#include <fmt/format.h>

#include <algorithm>

#include "dsl/wildcard.h"
#include "ops/table.h"

namespace weft::dsl {

FoundDef find_def(const Module& module, const std::string& name, bool prelude) {
  if (const Def* def = module.file.find_def(name)) return {def, &module};
  if (const auto dot = name.find('.'); dot != std::string::npos) {
    const auto import = module.imports.find(name.substr(0, dot));
    if (import != module.imports.end() && import->second) {
      return {import->second->file.find_def(name.substr(dot + 1)), import->second};
    }
  }
  if (prelude && module.prelude) return find_def(*module.prelude, name, false);
  return {};
}

bool from_lost_import(const Module& module, const std::string& name) {
  const auto import = module.imports.find(name.substr(0, name.find('.')));
  return name.find('.') != std::string::npos && import != module.imports.end() && !import->second;
}

Var Program::weight(const std::string& name, const Dims& dims, bool decays, const Initialiser& initialiser,
                    std::optional<i64> redraw) {
  const auto [at, fresh] = weight_index.emplace(name, weights.size());
  if (!fresh) return weights[at->second].var;
  const bool frozen =
      std::any_of(freeze.begin(), freeze.end(), [&](const std::string& pattern) { return matches(pattern, name); });
  const bool trained = !redraw && !frozen;
  const Var var = graph.input(name, dims, Kind::real, trained);
  const i64 steps = frozen ? 0 : redraw.value_or(0);  // others were tuned to a frozen buffer as it is
  weights.push_back({{name, bind(dims, {}), decays && trained, trained, steps, frozen}, initialiser, var});
  return var;
}

void Program::count_part(const Span& at) {
  // Fifty layers of RetNet are about 500 parts. Without a limit a dozen lines can ask for 2^30 calls.
  constexpr int kParts = 10000;
  if (++parts <= kParts) return;
  if (parts == kParts + 1) {
    diagnostics.error("E0214", at, fmt::format("the model has more than {} layers and calls of defs", kParts))
        .help("repeat fewer times");
  }
  throw Failed{};
}

Var Program::state_input(const std::string& name, const Dims& dims, Var start) {
  const auto taken = [&](const std::string& other) {
    return std::any_of(states.begin(), states.end(),
                       [&](const StreamState& s) { return graph.value(s.in.id()).name == other; });
  };
  std::string own = name;
  for (int n = 2; taken(own); ++n) own = fmt::format("{}.{}", name, n);
  const Var in = graph.input(own, dims);
  if (start) start = append(graph, "expand", {start}, {{"shape", dims}})[0];
  states.push_back({in, {}, start});
  if (mode != Mode::carry) return in;
  // A row that starts anew takes its start, by which a learned one gets its gradient; none crosses the cut.
  if (!begins) begins = graph.input("begins", {Dim::symbol("B")});
  if (!start) start = append(graph, "zeros", {}, {{"shape", dims}})[0];
  Dims column(dims.size(), Dim(1));
  column[0] = dims[0];
  return append(graph, "where", {append(graph, "reshape", {begins}, {{"shape", column}})[0], start, in})[0];
}

std::vector<Tensor> draw_weights(const std::vector<WeightSlot>& slots, u64 seed, DType dtype) {
  std::vector<Tensor> weights;
  const Key key = Key{seed}.fold("weights");
  for (const WeightSlot& w : slots)
    weights.push_back(w.initialiser.draw(w.weight.shape, dtype, key.fold(w.weight.name)));
  return weights;
}

std::vector<std::pair<std::string, i64>> Program::data_sizes() const {
  std::vector<std::pair<std::string, i64>> known;
  if (vocab) known.emplace_back("vocab", *vocab);
  if (classes) known.emplace_back("classes", *classes);
  return known;
}

Scope Program::data_numbers() const {
  Scope scope = {{"classes", i64{0}}};
  for (const auto& [name, size] : data_sizes()) scope[name] = size;
  return scope;
}

Var Program::valid() {
  if (tokens) return append(graph, "is_token", {tokens})[0];
  if (!given_valid) given_valid = graph.input("valid", {Dim::symbol("B"), Dim::symbol("T")});
  return given_valid;
}

NamedState* Program::named_state(const std::string& name) {
  const auto found =
      std::find_if(named_states.begin(), named_states.end(), [&](const NamedState& s) { return s.name == name; });
  return found == named_states.end() ? nullptr : &*found;
}

std::vector<Var> append(Graph& graph, std::string_view op, std::vector<Var> inputs,
                        std::vector<std::pair<std::string, AttributeValue>> attributes) {
  const Op* row = ops::find(op);
  check(row != nullptr, "the language needs the op `{}`, and it is not there", op);
  return graph.append(*row, row->complete(attributes), inputs);
}

bool has_batch(const Var& v) { return !v.dims().empty() && is_batch(v.dims()[0]); }

Dims dims_of(const Var& v) {
  const Dims& all = v.dims();
  return {all.begin() + (has_batch(v) ? 1 : 0), all.end()};
}

Dims with_batch(Dims dims, bool batch) {
  if (batch) dims.insert(dims.begin(), Dim::symbol("B"));
  return dims;
}

int count_time(const Dims& dims) { return static_cast<int>(std::count_if(dims.begin(), dims.end(), is_time)); }

Var renamed(const Var& v, const Dims& dims) {
  const Dims now = dims_of(v);
  const auto same = [](const Dim& a, const Dim& b) { return a.text() == b.text(); };
  if (std::equal(now.begin(), now.end(), dims.begin(), dims.end(), same)) return v;
  return append(v.graph(), "reshape", {v}, {{"shape", with_batch(dims, has_batch(v))}})[0];
}

}  // namespace weft::dsl
