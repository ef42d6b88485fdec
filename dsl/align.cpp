#include "dsl/align.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace weft::dsl {
namespace {

bool literal_one(const Dim& d) { return is_one(d) && !d.has_name(); }

Dims lead_of(const Operand& o) {
  Dims d = dims_of(o.var);
  d.resize(d.size() - static_cast<std::size_t>(std::min<int>(o.core, static_cast<int>(d.size()))));
  return d;
}

class Aligner {
 public:
  Aligner(std::vector<Operand>& operands, const Definitions& definitions, const Span& at, Diagnostics& diagnostics)
      : operands_(operands), definitions_(definitions), at_(at), diagnostics_(diagnostics) {}

  void run() {
    widest_ = &*std::max_element(operands_.begin(), operands_.end(), [](const Operand& a, const Operand& b) {
      return lead_of(a).size() < lead_of(b).size();
    });
    target_ = lead_of(*widest_);
    for (Operand& o : operands_) {
      if (&o == widest_) continue;
      const Dims lead = lead_of(o);
      if (lead.size() == target_.size()) by_place(o, lead);
      else place(o, by_name(o, lead));
    }
  }

 private:
  // Equal rank: place by place; an explicit 1 gives way.
  void by_place(const Operand& o, const Dims& lead) {
    for (std::size_t i = 0; i < lead.size(); ++i) {
      if (literal_one(target_[i])) {
        target_[i] = lead[i];
      } else if (!literal_one(lead[i]) && !agree(lead[i], target_[i], definitions_)) {
        fail(o, lead, i);
      }
    }
  }

  // Fewer dimensions: each finds its own among those of the widest.
  std::vector<int> by_name(const Operand& o, const Dims& lead) {
    std::vector<int> places;
    for (const Dim& d : lead) {
      std::vector<int> found;
      for (int i = 0; i < static_cast<int>(target_.size()); ++i) {
        const bool taken = std::find(places.begin(), places.end(), i) != places.end();
        if (!taken && agree(d, target_[static_cast<std::size_t>(i)], definitions_)) found.push_back(i);
      }
      const auto exact = [&](int i) { return same_name(d, target_[static_cast<std::size_t>(i)]); };
      if (std::any_of(found.begin(), found.end(), exact)) std::erase_if(found, [&](int i) { return !exact(i); });
      // A name that stands as often here as there is met in order: [T, T] in [H, T, T].
      const auto like = [&](const Dim& x) { return agree(d, x, definitions_); };
      const bool in_order =
          std::count_if(lead.begin(), lead.end(), like) == std::count_if(target_.begin(), target_.end(), like);
      if (found.empty() || (found.size() > 1 && !in_order)) {
        report(o).note(found.empty()
                           ? fmt::format("{} has no dimension {}", shown(*widest_), d.text())
                           : fmt::format("{} could stand in {} places of {}", d.text(), found.size(), shown(*widest_)));
        throw Failed{};
      }
      places.push_back(found[0]);
    }
    return places;
  }

  // Into the order of the target, with a 1 where the operand has no dimension.
  void place(Operand& o, const std::vector<int>& places) {
    if (places.empty() && o.core == 0 && !has_batch(o.var)) return;
    std::vector<int> order(dims_of(o.var).size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(places.size()),
              [&](int a, int b) { return places[static_cast<std::size_t>(a)] < places[static_cast<std::size_t>(b)]; });
    if (!std::is_sorted(order.begin(), order.end())) o.var = permuted(o.var, order);
    const Dims now = dims_of(o.var);
    Dims wide(target_.size(), Dim(1));
    auto sorted = places;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 0; i < sorted.size(); ++i) wide[static_cast<std::size_t>(sorted[i])] = now[i];
    if (!has_batch(o.var)) {  // without a batch, ones in front say nothing
      wide.erase(wide.begin(), std::find_if(wide.begin(), wide.end(), [](const Dim& d) { return !literal_one(d); }));
    }
    wide.insert(wide.end(), now.begin() + static_cast<std::ptrdiff_t>(places.size()), now.end());
    o.var = renamed(o.var, wide);
  }

  static std::string shown(const Operand& o) { return fmt::format("`{}` {}", o.text, text(dims_of(o.var))); }

  Diagnostic& report(const Operand& o) {
    return diagnostics_
        .error("E0204", at_, fmt::format("the dimensions of `{}` and `{}` do not meet", widest_->text, o.text))
        .note(shown(*widest_), widest_->span)
        .note(shown(o), o.span);
  }

  [[noreturn]] void fail(const Operand& o, const Dims& lead, std::size_t i) {
    Diagnostic& d = report(o);
    const auto has = [&](const Dim& x) {
      return std::any_of(target_.begin(), target_.end(), [&](const Dim& t) { return agree(x, t, definitions_); });
    };
    if (std::all_of(lead.begin(), lead.end(), has)) {
      d.help("they have the same names in another order: bring one into the order of the other, as in `" + o.text +
             (lead.size() == 2 ? "^T`" : "` through `transpose(x, order=...)`"));
    } else if (same_size(lead[i], target_[i])) {
      d.help(fmt::format("{} and {} have the same size but other names: rename one by a claim, `-> {}`", lead[i].text(),
                         target_[i].text(), text(dims_of(widest_->var))));
    } else {
      d.note(fmt::format("{} and {} are different sizes", lead[i].text(), target_[i].text()));
    }
    throw Failed{};
  }

  std::vector<Operand>& operands_;
  const Definitions& definitions_;
  const Span& at_;
  Diagnostics& diagnostics_;
  const Operand* widest_ = nullptr;
  Dims target_;
};

}  // namespace

bool agree(const Dim& a, const Dim& b, const Definitions& definitions) {
  if (!same_size(a, b)) return false;
  if (!a.has_name() || !b.has_name() || same_name(a, b)) return true;
  const auto own = [&](const Dim& d) { return definitions.contains(d.text()); };
  if (!own(a) || !own(b)) return true;  // H * dk and D: products go by their size
  const auto derived = [&](const Dim& d) { return !same_name(d, definitions.at(d.text())); };
  const Dim x = a.renamed(definitions), y = b.renamed(definitions);
  return x.has_name() && same_name(x, y) && !(derived(a) && derived(b));  // E: D is D; dk and dv, both D / H, are two
}

void align(std::vector<Operand>& operands, const Definitions& definitions, const Span& at, Diagnostics& diagnostics) {
  if (operands.size() > 1) Aligner(operands, definitions, at, diagnostics).run();
}

Var permuted(const Var& v, const std::vector<int>& order) {
  std::string from, to;
  if (has_batch(v)) from = to = "z";
  for (std::size_t i = 0; i < order.size(); ++i) from += static_cast<char>('a' + i);
  for (const int i : order) to += static_cast<char>('a' + i);
  return append(v.graph(), "transpose", {v}, {{"order", from + "->" + to}})[0];
}

}  // namespace weft::dsl
