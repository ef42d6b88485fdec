#include "dsl/weight_map.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "dsl/yaml.h"

namespace weft::dsl {
namespace {

std::string last_part(const std::string& path) { return path.substr(path.rfind('.') + 1); }
std::string before_last(const std::string& path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot + 1);
}

// Whole parts at the beginning that two paths share, in bytes.
std::size_t shared_parts(const std::string& a, const std::string& b) {
  const auto differ = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  return before_last(std::string(a.begin(), differ)).size();
}

std::string quoted(const Expr& e) {
  std::string text;
  for (const char c : expr_text(e)) text += c == '"' ? "\\\"" : std::string(1, c);
  return text;
}

}  // namespace

// A weight of one model as an expression of weights of the other, computed by the language itself: a def whose inputs
// they are.
class WeightMap::Mapper {
 public:
  Mapper(const NamedWeights& source, const WeightMap& map, const Runtime& runtime, const Surroundings& surroundings)
      : runtime_(runtime), surroundings_(surroundings) {
    if (map.has("let")) let_ = map.sides_.at("let");
    for (const auto& [name, tensor] : source) source_.emplace(name, tensor);
  }

  std::set<std::string> used;

  /// Empty when there is none.
  Tensor by_name(const std::string& name) {
    const auto found = source_.find(name);
    if (found == source_.end()) return {};
    used.insert(name);
    return found->second;
  }

  Tensor by_expression(const std::string& target, const Expr& e, Diagnostics& diagnostics) {
    std::set<std::string> names;
    add_names(e, names);
    std::string in, let;
    Function::Tensors inputs;
    for (const Line& equation : let_) {
      if (names.contains(equation.key)) let += fmt::format("      {}: \"{}\"\n", equation.key, quoted(*equation.value));
    }
    for (const std::string& name : names) {
      if (defined(name)) continue;
      const Tensor w = by_name(nearest(target, name)).converted(DType::f64);
      in += fmt::format("{}{}: [{}]", in.empty() ? "" : ", ", name, fmt::join(w.shape(), ", "));
      Shape batched = w.shape();
      batched.insert(batched.begin(), 1);
      inputs[name] = w.reshaped(batched);
    }
    check(!inputs.empty(), "the map says no weight in `{}: {}`", target, expr_text(e));
    const std::string text = fmt::format("schema: 1\ndefs:\n  map:\n    in: {{{}}}\n{}    out: \"{}\"\n", in,
                                         let.empty() ? "" : "    let:\n" + let, quoted(e));
    const Description map(make_source(fmt::format("<map of {}>", target), text), {}, surroundings_, diagnostics);
    Asked asked;
    asked.def = "map";
    const auto f = diagnostics.has_errors() ? nullptr : map.function(asked, {}, diagnostics);
    if (!f) throw Failed{};
    const Tensor y = (*f)(runtime_, DType::f64, {}, inputs).at(0).second;
    return y.reshaped(Shape(y.shape().begin() + 1, y.shape().end()));
  }

 private:
  const Line* defined(const std::string& name) const {
    const auto found = std::find_if(let_.begin(), let_.end(), [&](const Line& e) { return e.key == name; });
    return found == let_.end() ? nullptr : &*found;
  }
  // The names of an expression, and of the equations of `let` that it comes down to.
  void add_names(const Expr& e, std::set<std::string>& names) const {
    for (const std::string& name : names_in(e)) {
      if (!names.insert(name).second) continue;
      if (const Line* equation = defined(name)) add_names(*equation->value, names);
    }
  }
  std::string nearest(const std::string& target, const std::string& name) const {
    std::vector<std::string> same, all;
    std::size_t longest = 0;
    for (const auto& [known, tensor] : source_) {
      all.push_back(known);
      if (known != name && last_part(known) != name) continue;
      const std::size_t shared = shared_parts(known, target);
      if (shared > longest) same.clear();
      if (shared >= longest) same.push_back(known);
      longest = std::max(longest, shared);
    }
    check(same.size() == 1, "the map of `{}`: {} weights are called `{}`; there are {}", target, same.size(), name,
          fmt::join(all, ", "));
    return same[0];
  }

  const Runtime& runtime_;
  Surroundings surroundings_;
  std::vector<Line> let_;
  std::map<std::string, Tensor> source_;
};

WeightMap::WeightMap(const SourcePtr& source, Diagnostics& diagnostics) {
  const Yaml tree = read_yaml(source, diagnostics);
  if (diagnostics.has_errors()) return;
  check(tree.is_map(), "{}: a map has the sides `a` and `b`", source->name);
  for (const Entry& side : tree.entries) {
    const std::string& name = side.key.text;
    check(name == "a" || name == "b" || name == "let", "{}: a map has the sides `a` and `b`, and `let`; not `{}`",
          source->name, name);
    std::vector<Line>& lines = sides_[name];
    for (const Entry& e : side.value.entries) lines.push_back({e.key.text, parse_expression(e.value, diagnostics)});
  }
  check(has("a") || has("b"), "{}: the map has neither side: `a:` or `b:`", source->name);
}

MappedWeights WeightMap::weights(const std::string& side, const std::vector<Weight>& wanted, const NamedWeights& source,
                                 const std::string& target, const Runtime& runtime, const Surroundings& surroundings,
                                 Diagnostics& diagnostics) const {
  const std::vector<Line> map = has(side) ? sides_.at(side) : std::vector<Line>{};
  Mapper mapper(source, *this, runtime, surroundings);
  MappedWeights result;
  std::set<std::string> keys;
  for (const Weight& weight : wanted) {
    const std::string& name = weight.name;
    const auto found =
        std::find_if(map.begin(), map.end(), [&](const Line& e) { return e.key == name || e.key == last_part(name); });
    Tensor w;
    if (found != map.end()) {
      w = mapper.by_expression(name, *found->value, diagnostics);
      keys.insert(found->key);
      ++result.mapped;
    } else if ((w = mapper.by_name(name))) {
      result.by_name.insert(name);
    }
    if (!w) result.missing.push_back(fmt::format("{} {}", name, text(weight.shape)));
    else if (w.shape() != weight.shape)
      result.misfits.push_back(fmt::format("{} is {} and gets {}", name, text(weight.shape), text(w.shape())));
    else if (w.dtype() == DType::i32)
      result.misfits.push_back(fmt::format("{} is of real numbers and gets whole ones", name));
    result.weights.push_back(std::move(w));
  }
  for (const Line& e : map) check(keys.contains(e.key), "the map has `{}`, and {} has no such weight", e.key, target);
  result.used = std::move(mapper.used);
  return result;
}

}  // namespace weft::dsl
