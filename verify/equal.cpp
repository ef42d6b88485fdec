#include "verify/equal.h"

#include <fmt/format.h>

#include <algorithm>

#include "dsl/yaml.h"

namespace weft::verify {
namespace {

std::string last_part(const std::string& path) { return path.substr(path.rfind('.') + 1); }
std::string before_last(const std::string& path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot + 1);
}

struct Entry {
  std::string key;
  dsl::ExprPtr value;
};

// One side of the map: key -> expression.
std::vector<Entry> entries(const dsl::Yaml& map, const std::string& side, dsl::Diagnostics& d) {
  std::vector<Entry> all;
  const dsl::Yaml* section = map.find(side);
  if (!section) return all;
  for (const dsl::Entry& e : section->entries) all.push_back({e.key.text, dsl::parse_expression(e.value, d)});
  return all;
}

// A weight of one subject as an expression of weights of the other, computed by the language itself: a def whose inputs
// they are.
class Mapper {
 public:
  Mapper(const Subject& source, const dsl::Surroundings& surroundings, const std::vector<Entry>& let)
      : source_(source), surroundings_(surroundings), let_(let) {
    const auto& slots = source.function({}).slots();
    for (std::size_t i = 0; i < slots.size(); ++i) index_[slots[i].weight.name] = i;
  }

  const Tensor& by_name(const std::string& name) const { return source_.weights()[index_.at(name)]; }
  bool has(const std::string& name) const { return index_.contains(name); }

  Tensor by_expression(const std::string& target, const dsl::Expr& e) const {
    std::set<std::string> names;
    add_names(e, names);
    std::string in, let;
    Tensors inputs;
    for (const Entry& equation : let_) {
      if (names.contains(equation.key)) let += fmt::format("      {}: \"{}\"\n", equation.key, quoted(*equation.value));
    }
    for (const std::string& name : names) {
      if (defined(name)) continue;
      const Tensor& w = by_name(beside(target, name));
      in += fmt::format("{}{}: [{}]", in.empty() ? "" : ", ", name, fmt::join(w.shape(), ", "));
      Shape batched = w.shape();
      batched.insert(batched.begin(), 1);
      inputs[name] = w.reshaped(batched);
    }
    check(!inputs.empty(), "the map says no weight in `{}: {}`", target, dsl::expr_text(e));
    const std::string description = fmt::format("schema: 1\ndefs:\n  map:\n    in: {{{}}}\n{}    out: \"{}\"\n", in,
                                                let.empty() ? "" : "    let:\n" + let, quoted(e));
    dsl::Diagnostics d;
    const dsl::Description map(dsl::make_source(fmt::format("<map of {}>", target), description), {}, surroundings_, d);
    dsl::Asked asked;
    asked.def = "map";
    const auto f = d.has_errors() ? nullptr : map.function(asked, {}, d);
    if (!f) throw Subject::NotBuilt{d};
    const Tensor y = (*f)(source_.runtime(), DType::f64, {}, inputs).at(0).second;
    return y.reshaped(Shape(y.shape().begin() + 1, y.shape().end()));
  }

 private:
  const Entry* defined(const std::string& name) const {
    const auto found = std::find_if(let_.begin(), let_.end(), [&](const Entry& e) { return e.key == name; });
    return found == let_.end() ? nullptr : &*found;
  }
  // The names of an expression, and of the equations of `let` that it comes down to.
  void add_names(const dsl::Expr& e, std::set<std::string>& names) const {
    for (const std::string& name : dsl::names_in(e)) {
      if (!names.insert(name).second) continue;
      if (const Entry* equation = defined(name)) add_names(*equation->value, names);
    }
  }
  static std::string quoted(const dsl::Expr& e) {
    std::string text;
    for (const char c : dsl::expr_text(e)) text += c == '"' ? "\\\"" : std::string(1, c);
    return text;
  }
  std::string beside(const std::string& target, const std::string& name) const {
    if (has(before_last(target) + name)) return before_last(target) + name;
    std::vector<std::string> same, all;
    for (const auto& [known, at] : index_) {
      all.push_back(known);
      if (known == name || last_part(known) == name) same.push_back(known);
    }
    check(same.size() == 1, "the map of `{}`: {} weights are called `{}`; there are {}", target, same.size(), name,
          fmt::join(all, ", "));
    return same[0];
  }

  const Subject& source_;
  dsl::Surroundings surroundings_;
  std::vector<Entry> let_;
  std::map<std::string, std::size_t> index_;
};

std::vector<Tensor> weights_of(const Subject& target, const Mapper& mapper, const std::vector<Entry>& map,
                               Direction& direction, std::set<std::string>& used, std::set<std::string>& same) {
  std::vector<Tensor> weights;
  std::string missing;
  for (const dsl::WeightSlot& slot : target.function({}).slots()) {
    const std::string& name = slot.weight.name;
    const auto found =
        std::find_if(map.begin(), map.end(), [&](const Entry& e) { return e.key == name || e.key == last_part(name); });
    Tensor w;
    if (found != map.end()) {
      w = mapper.by_expression(name, *found->value);
      used.insert(found->key);
      ++direction.mapped;
    } else if (mapper.has(name)) {
      w = mapper.by_name(name);
      same.insert(name);
    }
    if (!w) missing += fmt::format("\n  {} {}", name, text(slot.weight.shape));
    else if (w.shape() != slot.weight.shape)
      missing += fmt::format("\n  {} is {} and gets {}", name, text(slot.weight.shape), text(w.shape()));
    weights.push_back(w);
  }
  check(missing.empty(), "weights of {} that do not follow from those of {}:{}\ngive them in a map: `--map FILE`",
        direction.to, direction.from, missing);
  for (const Entry& e : map)
    check(used.contains(e.key), "the map has `{}`, and {} has no such weight", e.key, direction.to);
  return weights;
}

// Outputs, gradients of inputs and of the weights that both have, at several lengths; the smallest that differs.
void hold_against(const Subject& source, const Subject& target, const std::vector<Tensor>& weights,
                  const std::set<std::string>& same, Direction& direction) {
  const How how{.form = "loop", .gradients = true, .start = Start::described};
  Worst worst(kEqual);
  for (const i64 n : {1, 2, 5, 13}) {
    const Tensors inputs = source.inputs(how, Subject::kRows, n);
    Tensors given;
    for (const auto& [name, t] : target.inputs(how, Subject::kRows, n)) {
      const auto found = inputs.find(name);
      const bool ours = !name.starts_with("cotangent.");
      check(!ours || (found != inputs.end() && found->second.shape() == t.shape()), "`{}` {} of {} has no match in {}",
            name, text(t.shape()), direction.to, direction.from);
      given[name] = ours ? found->second : Tensor::zeros(t.shape(), DType::f64);
    }
    Tensors alone = inputs;
    for (auto& [name, t] : alone) {
      if (name.starts_with("cotangent.")) t = Tensor::zeros(t.shape(), DType::f64);
    }
    Subject::Results wanted = source.run(how, alone);
    std::erase_if(wanted, [&](const auto& named) {
      const std::string& name = named.first;
      const bool gradient = name.starts_with("grad.");
      return name.starts_with("final.") ||
             (gradient && !inputs.contains(name.substr(5)) && !same.contains(name.substr(5)));
    });
    const auto found = target.run(how, target.runtime(), DType::f64, weights, given);
    worst.compare(wanted, found, n, fmt::format("T = {}", n));
    if (worst.failed()) break;
  }
  direction.finding =
      worst.finding(fmt::format("T = 1, 2, 5, 13; outputs, gradients of inputs and of {} weights", same.size()));
}

}  // namespace

bool Comparison::equal() const {
  return std::all_of(directions.begin(), directions.end(),
                     [](const Direction& d) { return d.finding.verdict == Finding::Verdict::holds; });
}

Comparison compare(const Claim& a, const Claim& b, const dsl::SourcePtr& map) {
  const Subject first(a), second(b);
  dsl::Diagnostics d;
  std::optional<dsl::Yaml> tree;
  if (map) tree = dsl::read_yaml(map, d);
  if (d.has_errors()) throw Subject::NotBuilt{d};
  if (tree) {
    check(tree->is_map(), "{}: a map has the sides `a` and `b`", map->name);
    for (const dsl::Entry& e : tree->entries)
      check(e.key.text == "a" || e.key.text == "b" || e.key.text == "let",
            "{}: a map has the sides `a` and `b`, and `let`; not `{}`", map->name, e.key.text);
  }
  const auto let = tree ? entries(*tree, "let", d) : std::vector<Entry>{};
  Comparison comparison;
  for (const bool forward : {true, false}) {
    const std::string from = forward ? "a" : "b", to = forward ? "b" : "a";
    const auto side = tree ? entries(*tree, to, d) : std::vector<Entry>{};
    if (d.has_errors()) throw Subject::NotBuilt{d};
    // By name alone one direction says it all; with a map those that it has.
    if (tree ? !tree->find(to) : !forward) continue;
    const Subject &source = forward ? first : second, &target = forward ? second : first;
    Direction direction{from, to, 0, {}};
    std::set<std::string> used, same;
    const auto weights = weights_of(target, Mapper(source, a.surroundings, let), side, direction, used, same);
    hold_against(source, target, weights, same, direction);
    comparison.directions.push_back(std::move(direction));
  }
  check(!comparison.directions.empty(), "the map has neither side: `a:` or `b:`");
  return comparison;
}

}  // namespace weft::verify
