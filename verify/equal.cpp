#include "verify/equal.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "dsl/weight_map.h"

namespace weft::verify {
namespace {

std::vector<dsl::Weight> wanted(const Subject& subject) {
  std::vector<dsl::Weight> all;
  for (const dsl::WeightSlot& slot : subject.function({}).slots()) all.push_back(slot.weight);
  return all;
}

dsl::NamedWeights drawn(const Subject& subject) {
  dsl::NamedWeights all;
  for (const dsl::Weight& w : wanted(subject)) all.emplace_back(w.name, subject.weights()[all.size()]);
  return all;
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
  const dsl::WeightMap weights = map ? dsl::WeightMap(map, d) : dsl::WeightMap();
  if (d.has_errors()) throw Subject::NotBuilt{d};
  Comparison comparison;
  for (const bool forward : {true, false}) {
    const std::string from = forward ? "a" : "b", to = forward ? "b" : "a";
    // By name alone one direction says it all; with a map those that it has.
    if (map ? !weights.has(to) : !forward) continue;
    const Subject &source = forward ? first : second, &target = forward ? second : first;
    try {
      const auto mapped = weights.weights(to, wanted(target), drawn(source), to, source.runtime(), a.surroundings, d);
      std::vector<std::string> faults = mapped.missing;
      faults.insert(faults.end(), mapped.misfits.begin(), mapped.misfits.end());
      check(faults.empty(),
            "weights of {} that do not follow from those of {}:\n  {}\ngive them in a map: `--map FILE`", to, from,
            fmt::join(faults, "\n  "));
      Direction direction{from, to, mapped.mapped, {}};
      hold_against(source, target, mapped.weights, mapped.by_name, direction);
      comparison.directions.push_back(std::move(direction));
    } catch (const dsl::Failed&) {
      throw Subject::NotBuilt{d};
    }
  }
  return comparison;
}

}  // namespace weft::verify
