#include "dsl/gradient.h"

#include <fmt/format.h>

#include <algorithm>

#include "dsl/algebra.h"
#include "dsl/terms.h"

namespace weft::dsl {
namespace {

[[noreturn]] void misuse(const GradientSite& site, const Span& at, const std::string& message, const std::string& note,
                         const std::string& help) {
  Diagnostic& d = site.diagnostics.error("E0321", at, message);
  if (!note.empty()) d.note(note);
  d.help(help);
  throw Failed{};
}

const StateDef& state_of(const Expr& call, const GradientSite& site) {
  const Recurrence& r = site.recurrence;
  const bool shape = call.args.size() == 2 && call.named.empty();
  if (!shape)
    misuse(site, call.span, "`grad` takes a scalar and the name of a state", "", "as in `grad(0.5 * sum(S ^ 2), S)`");
  const Expr& name = *call.args[1];
  std::vector<std::string> names;
  for (const StateDef& s : r.states) names.push_back(s.name);
  const StateDef* state = name.kind == Expr::Kind::name ? find_state(r, name.name) : nullptr;
  if (!state) {
    const std::string guess = name.kind == Expr::Kind::name ? guess_text(name.name, names) : "";
    misuse(site, name.span, fmt::format("`{}` is no state", expr_text(name)),
           "a gradient in a step is with respect to a state",
           guess.empty() ? "of states there are " + listed(names, "and") : guess);
  }
  if (const auto at = assignment(r, state->name); at && *at < site.at) {
    misuse(site, call.span, fmt::format("`{}` has its new value here already", state->name),
           "a gradient is that at the value before the step",
           fmt::format("write it above the equation of `{}`", state->name));
  }
  return *state;
}

// `sum(x)` inside an objective is over all dimensions of x but the leading ones of the state.
ExprPtr totalled(const ExprPtr& e, const Dims& lead, const GradientSite& site) {
  auto copy = std::make_shared<Expr>(*e);
  for (ExprPtr& a : copy->args) a = totalled(a, lead, site);
  const bool total =
      e->kind == Expr::Kind::call && (e->name == "sum" || e->name == "mean") && e->args.size() == 1 && e->named.empty();
  if (!total) return copy;
  ExprPtr x = copy->args[0];
  for (Dims all = site.dims(*x); !all.empty() && !has(lead, all.back()); all.pop_back()) {
    auto one = std::make_shared<Expr>(*e);
    one->args = {x};
    one->named.push_back({"dim", e->at, number_of(-1, *e)});
    x = one;
  }
  return x;
}

// The objective with the dimensions that are left of it: none, or leading ones of the state.
std::pair<ExprPtr, Dims> scalar_of(const Expr& call, const StateDef& state, const GradientSite& site) {
  const Dims own = site.dims(*call.args[1]);
  const auto first = [&](std::size_t n) { return Dims(own.begin(), own.begin() + static_cast<std::ptrdiff_t>(n)); };
  const std::size_t rank = own.size();
  const bool heads = rank == 2 && own[0].text() != own[1].text();  // the first of two may be
  const Dims lead = first(rank > 2 ? rank - 2 : heads ? 1 : 0);
  const ExprPtr f = totalled(call.args[0], first(rank > 2 ? rank - 2 : 0), site);
  const Dims dims = site.dims(*f);
  if (std::all_of(dims.begin(), dims.end(), [&](const Dim& d) { return has(lead, d); })) return {f, dims};
  misuse(site, call.args[0]->span,
         fmt::format("`{}` is {}, and `grad` takes a scalar", expr_text(*call.args[0]), text(dims)),
         lead.empty() ? "" : fmt::format("`{}` is {}: {} may stay", state.name, text(own), lead.back().text()),
         fmt::format("sum it: `sum(.., dim={})`", dims.back().text()));
}

ExprPtr derived(const Expr& call, const GradientSite& site) {
  struct Misfit {};
  const StateDef& state = state_of(call, site);
  const auto [f, scalar] = scalar_of(call, state, site);
  const Diagnostics before = site.diagnostics;
  GradientSite inner = site;  // the parts of the objective stand: what fails from here on was made here
  inner.dims = [&](const Expr& e) {
    try {
      return site.dims(e);
    } catch (const Failed&) {
      throw Misfit{};
    }
  };
  ExprPtr gradient;
  try {
    gradient = backward(f, state, scalar, inner);
    if (gradient) inner.dims(*gradient);
  } catch (const Misfit&) {
    site.diagnostics = before;
    site.diagnostics
        .error("E0320", call.span, fmt::format("`{}` cannot be differentiated here", expr_text(*call.args[0])))
        .note("the parts of its gradient do not combine by the names of their dimensions")
        .help("give the dimensions of the state different names, or write the update itself");
    throw Failed{};
  }
  if (gradient) return gradient;
  misuse(site, call.args[0]->span, fmt::format("`{}` does not read `{}`", expr_text(*call.args[0]), state.name),
         "its gradient is zero", "");
}

bool has_gradient(const Expr& e) {
  return (e.kind == Expr::Kind::call && e.name == "grad") ||
         std::any_of(e.args.begin(), e.args.end(), [](const ExprPtr& a) { return has_gradient(*a); }) ||
         std::any_of(e.named.begin(), e.named.end(), [](const NamedArg& a) { return has_gradient(*a.value); });
}

}  // namespace

bool has_gradient(const Recurrence& r) {
  return std::any_of(r.step.begin(), r.step.end(), [](const Equation& e) { return has_gradient(*e.value); });
}

ExprPtr with_gradients(const ExprPtr& expr, const GradientSite& site, std::vector<GradientReport>& found) {
  if (!has_gradient(*expr)) return expr;
  auto copy = std::make_shared<Expr>(*expr);
  for (ExprPtr& a : copy->args) a = with_gradients(a, site, found);
  for (NamedArg& a : copy->named) a.value = with_gradients(a.value, site, found);
  if (expr->kind != Expr::Kind::call || expr->name != "grad") return copy;
  const ExprPtr g = derived(*copy, site);
  found.push_back({expr_text(*expr), expr_text(*g), expr->span});
  return g;
}

}  // namespace weft::dsl
