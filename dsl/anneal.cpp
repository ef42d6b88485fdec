// anneal(from, to, steps, shape=linear): a number that follows the steps of training.

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "dsl/params.h"

namespace weft::dsl {
namespace {

const std::vector<std::string> kCurves = {"linear", "cosine", "exponential"};  // in the order of `Anneal::Curve`

enum Part { from, to, steps, shape };
const std::vector<std::string> kArguments = {"from", "to", "steps", "shape"};

using Given = std::array<const Expr*, 4>;

[[noreturn]] void refuse(Diagnostics& diagnostics, const Span& span, const std::string& message,
                         const std::string& help = {}) {
  diagnostics.error("E0206", span, message).note("anneal(from, to, steps, shape=linear)").help(help);
  throw Failed{};
}

Given arguments_of(const Expr& call, Diagnostics& diagnostics) {
  Given given{};
  if (call.args.size() > given.size()) refuse(diagnostics, call.args[4]->span, "`anneal` takes four arguments");
  std::transform(call.args.begin(), call.args.end(), given.begin(), [](const ExprPtr& e) { return e.get(); });
  for (const NamedArg& arg : call.named) {
    const auto found = std::find(kArguments.begin(), kArguments.end(), arg.name);
    if (found == kArguments.end()) {
      refuse(diagnostics, arg.span, fmt::format("`anneal` has no argument `{}`", arg.name),
             guess_text(arg.name, kArguments));
    }
    const Expr*& place = given[static_cast<std::size_t>(found - kArguments.begin())];
    if (place) refuse(diagnostics, arg.span, fmt::format("`{}` is given twice", arg.name));
    place = arg.value.get();
  }
  for (const Part needed : {from, to, steps}) {
    if (!given[needed]) refuse(diagnostics, call.at, fmt::format("`anneal` needs `{}`", kArguments[needed]));
  }
  return given;
}

Anneal::Curve curve_of(const Expr* word, Diagnostics& diagnostics) {
  if (!word) return Anneal::Curve::linear;
  const auto found = std::find(kCurves.begin(), kCurves.end(), word->name);
  if (found != kCurves.end()) return static_cast<Anneal::Curve>(found - kCurves.begin());
  refuse(diagnostics, word->span, fmt::format("`{}` is no choice of `shape`: {}", expr_text(*word), listed(kCurves)),
         guess_text(word->name, kCurves));
}

}  // namespace

Anneal read_anneal(const Expr& call, const Scope& scope, Diagnostics& diagnostics) {
  const Given given = arguments_of(call, diagnostics);
  const auto first = evaluate_real(*given[from], scope, diagnostics);
  const auto last = evaluate_real(*given[to], scope, diagnostics);
  const auto length = evaluate_whole(*given[steps], scope, diagnostics);
  const Anneal::Curve curve = curve_of(given[shape], diagnostics);
  if (!first || !last || !length) throw Failed{};
  if (*length < 1) refuse(diagnostics, given[steps]->span, fmt::format("`steps` is 1 or more, not {}", *length));
  for (const auto& [value, place] : {std::pair(*first, from), std::pair(*last, to)}) {
    if (curve != Anneal::Curve::exponential || value > 0) continue;
    refuse(diagnostics, given[place]->span,
           fmt::format("an exponential goes from ratio to ratio: `{}` is above 0, not {}", kArguments[place],
                       real_text(value)));
  }
  return {*first, *last, *length, curve};
}

std::string anneal_text(const Anneal& a) {
  return fmt::format("anneal({}, {}, {}{})", real_text(a.from), real_text(a.to), a.steps,
                     a.curve == Anneal::Curve::linear ? "" : ", shape=" + kCurves[static_cast<std::size_t>(a.curve)]);
}

std::string still_number(const Value& value) {
  return std::holds_alternative<Anneal>(value) ? "`anneal` is for attributes of ops alone, and passes through params"
                                               : "";
}

}  // namespace weft::dsl
