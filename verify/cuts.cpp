// A sequence cut anywhere and carried on gives what it gives in one piece.
#include <fmt/format.h>

#include "verify/property.h"

namespace weft::verify {
namespace {

const How kWhole{.form = "loop", .start = Start::described};

std::string result_of(const Subject& s) { return s.claim().def.empty() ? "logits" : "out"; }

// The dimension of the result that is time.
std::optional<std::size_t> time_of(const Subject& s) {
  const Dims& dims = s.function(kWhole).result_dims(result_of(s));
  for (std::size_t d = 0; d < dims.size(); ++d) {
    if (dsl::is_time(dims[d])) return d;
  }
  return {};
}

// Why it cannot be cut; empty when it can.
std::string uncut(const Subject& s) {
  if (!s.causal()) return s.sees();
  if (!time_of(s)) return "the result has no T";
  if (const auto& at = s.function({.form = "auto", .streams = true}).repeats())
    return "no state: the prefix is computed again for every token (" + place_text(*at) + ")";
  return {};
}

// What a stream gives in parts of these lengths, joined; part i in `forms[i % size]`.
Tensor streamed(const Subject& s, const std::vector<How>& forms, const Tensors& inputs, const std::vector<i64>& parts,
                RunSettings settings = {}) {
  std::vector<Tensor> states, results;
  i64 begin = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const How& how = forms[i % forms.size()];
    settings.offsets = {begin};
    const auto given = s.function(how).feed(s.runtime(), DType::f64, s.weights(),
                                            part(s, how, inputs, begin, begin + parts[i]), settings, states);
    results.push_back(given[0].second);
    begin += parts[i];
  }
  return joined(results, *time_of(s));
}

// Forms that keep the same states in a stream: those of `linrec` do, the loop where nothing turns or is transposed.
std::vector<How> streams_of(const Subject& s) {
  std::vector<How> all = {{.form = "auto", .streams = true}};
  for (const std::string& form : forms_of(s)) {
    if (underived(s, form).empty())
      all.push_back({.form = form, .chunk = form == "chunkwise" ? 4 : 0, .streams = true});
  }
  return all;
}

// Ops that are made for recurrences and folds alone: what they keep are the states of those, which have names.
bool keeps_named_states(const Op& op) { return op.name == "linrec" || op.name == "affine_scan" || op.name == "fold"; }

std::string place_of(const Graph& graph, const std::string& op) {
  for (const Node& node : graph.nodes()) {
    if (node.op->name == op) return graph.origin_of(node);
  }
  return {};
}

std::string parts_text(const std::vector<i64>& parts) { return fmt::format("parts of {}", fmt::join(parts, ", ")); }

}  // namespace

Finding prove_cuts(const Subject& s, const std::vector<i64>& lengths) {
  if (const std::string why = uncut(s); !why.empty()) return Finding::absent(why);
  Worst worst(kEqual);
  const auto forms = streams_of(s);
  for (const i64 n : lengths) {
    const Tensors inputs = s.inputs(kWhole, Subject::kRows, n);
    const Subject::Results whole = s.run(kWhole, inputs);
    std::vector<std::vector<i64>> partitions;
    for (const i64 cut : {i64{1}, i64{3}, i64{4}, i64{5}, n - 1}) {
      if (cut > 0 && cut < n) partitions.push_back({cut, n - cut});
    }
    if (n > 9) partitions.push_back({3, 1, 4, 1, n - 9});
    for (const auto& parts : partitions) {
      const Tensor found = streamed(s, forms, inputs, parts);
      worst.compare({{result_of(s), whole.at(result_of(s))}}, {{result_of(s), found}}, n,
                    fmt::format("T = {} in {}", n, parts_text(parts)));
    }
  }
  std::string about = "a stream in parts is the whole";
  if (forms.size() > 1) about += ", each part in another form";
  return worst.finding(about);
}

Finding prove_token_by_token(const Subject& s, const std::vector<i64>& lengths) {
  if (const std::string why = uncut(s); !why.empty()) return Finding::absent(why);
  Worst worst(kEqual);
  for (const i64 n : lengths) {
    const Tensors inputs = s.inputs(kWhole, Subject::kRows, n);
    const Tensor found = streamed(s, {{.form = "auto", .streams = true}}, inputs, std::vector<i64>(n, 1));
    worst.compare({{result_of(s), s.run(kWhole, inputs).at(result_of(s))}}, {{result_of(s), found}}, n,
                  fmt::format("T = {}, token by token", n));
  }
  return worst.finding("as `generate` does it");
}

// The states that have names are handed from one form to the next, the loop among them.
Finding prove_carried_states(const Subject& s, const std::vector<i64>& lengths) {
  if (const std::string why = uncut(s); !why.empty()) return Finding::absent(why);
  const How how{.form = "loop"};
  const dsl::Function& f = s.function(how);
  const bool named = std::any_of(f.ports().begin(), f.ports().end(),
                                 [](const dsl::Port& p) { return p.name.starts_with("initial."); });
  if (!named) return Finding::absent("there is no recurrence");
  for (const Node& node : f.graph().nodes()) {
    if (!node.op->states.empty() && !keeps_named_states(*node.op)) {
      return Finding::absent(
          fmt::format("`{}` keeps a state that has no name ({})", node.op->name, f.graph().origin_of(node)));
    }
  }
  std::vector<std::string> forms = forms_of(s);
  forms.insert(forms.begin(), "loop");
  Worst worst(kEqual);
  for (const i64 n : lengths) {
    const Tensors inputs = s.inputs(how, Subject::kRows, n);
    const Subject::Results whole = s.run(how, inputs);
    const i64 cut = std::max<i64>(1, 2 * n / 5);
    if (cut >= n) continue;
    for (std::size_t i = 0; i < forms.size(); ++i) {
      const How first{.form = forms[i]}, then{.form = forms[(i + 1) % forms.size()], .start = Start::given};
      const Subject::Results before = s.run(first, part(s, first, inputs, 0, cut));
      Tensors rest = part(s, then, inputs, cut, n);
      for (const auto& [name, t] : before) {
        if (name.starts_with("final.")) rest["initial." + name.substr(6)] = t;
      }
      RunSettings settings;
      settings.offsets = {cut};
      Subject::Results found = s.run(then, rest, settings);
      found[result_of(s)] = joined({before.at(result_of(s)), found.at(result_of(s))}, *time_of(s));
      worst.compare(whole, found, n,
                    fmt::format("T = {}, {} positions by {}, the others by {}", n, cut, first.form, then.form));
    }
  }
  return worst.finding(forms.size() == 1 ? "states that are handed back go on"
                                         : fmt::format("{} take each other's states", fmt::join(forms, ", ")));
}

Finding prove_rows_apart(const Subject& s, const std::vector<i64>& lengths) {
  if (const std::string where = place_of(s.function({}).graph(), "position"); !where.empty())
    return Finding::absent("`position()` is [T], the same for all rows (" + where + ")");
  if (const std::string why = uncut(s); !why.empty()) return Finding::absent(why);
  const How stream{.form = "auto", .streams = true};
  const dsl::Function& f = s.function(stream);
  for (const Dims& dims : f.state_dims()) {
    for (const Dim& d : dims) {
      if (!d.known() && !dsl::is_batch(d)) return Finding::absent("a cache that grows has one length for all rows");
    }
  }
  Worst worst(kEqual);
  for (const i64 n : lengths) {
    const std::vector<i64> starts = {n / 4, n / 2};
    const i64 more = n - n / 2;
    if (starts[0] < 1 || more < 1) continue;
    std::vector<std::vector<Tensor>> states(2);
    std::vector<Tensor> wanted;
    std::vector<Tensors> next;
    for (std::size_t row = 0; row < 2; ++row) {
      const Tensors inputs = s.inputs(kWhole, 1, starts[row] + more, 20 + row);
      RunSettings settings;
      settings.offsets = {0};
      settings.first_row = static_cast<i64>(row);  // where something is drawn outside training, too
      const Tensor whole = s.run(kWhole, inputs, settings).at(result_of(s));
      wanted.push_back(slice(whole, *time_of(s), starts[row], starts[row] + more));
      f.feed(s.runtime(), DType::f64, s.weights(), part(s, stream, inputs, 0, starts[row]), settings, states[row]);
      next.push_back(part(s, stream, inputs, starts[row], starts[row] + more));
    }
    std::vector<Tensor> both;
    for (std::size_t i = 0; i < states[0].size(); ++i) both.push_back(joined({states[0][i], states[1][i]}, 0));
    Tensors inputs;
    for (const auto& [name, t] : next[0]) inputs[name] = joined({t, next[1].at(name)}, 0);
    RunSettings settings;
    settings.offsets = starts;
    const auto found = f.feed(s.runtime(), DType::f64, s.weights(), inputs, settings, both);
    worst.compare({{result_of(s), joined(wanted, 0)}}, {{result_of(s), found[0].second}}, n,
                  fmt::format("rows at positions {} and {}", starts[0], starts[1]));
  }
  return worst.finding("each row of a batch goes on from its own position");
}

// Forms and cuts under one key, in training mode.
Finding prove_draws(const Subject& s, const std::vector<i64>& lengths) {
  if (!draws(s)) return Finding::absent("nothing is drawn at random");
  Worst worst(kEqual);
  RunSettings settings;
  settings.training = true;
  settings.key = Key{31};
  for (const i64 n : lengths) {
    const Tensors inputs = s.inputs(kWhole, Subject::kRows, n);
    const Subject::Results wanted = s.run(kWhole, inputs, settings);
    for (const std::string& form : forms_of(s)) {
      const How how{.form = form, .chunk = form == "parallel" ? 0 : 4, .start = Start::described};
      worst.compare(wanted, s.run(how, inputs, settings), n, fmt::format("T = {}, {}, training", n, form));
    }
    if (uncut(s).empty() && n > 2) {
      const std::vector<i64> parts = {1, n / 2, n - 1 - n / 2};
      const Tensor found = streamed(s, {{.form = "auto", .streams = true}}, inputs, parts, settings);
      worst.compare({{result_of(s), wanted.at(result_of(s))}}, {{result_of(s), found}}, n,
                    fmt::format("T = {} in {}, training", n, parts_text(parts)));
    }
    if (same_bits(s.run(kWhole, inputs).at(result_of(s)), wanted.at(result_of(s)))) continue;  // a dropout of 0
    Subject::Results other = s.run(kWhole, inputs, settings);
    if (!same_bits(other.at(result_of(s)), wanted.at(result_of(s)))) worst.add(HUGE_VAL, n, "one key, two results");
    settings.key = Key{32};
    other = s.run(kWhole, inputs, settings);
    if (n > 4 && same_bits(other.at(result_of(s)), wanted.at(result_of(s))))
      worst.add(HUGE_VAL, n, "two keys, one result");
    settings.key = Key{31};
  }
  return worst.finding("one key, one result: in every form, in parts, twice");
}

}  // namespace weft::verify
