#include "dsl/classify.h"

#include <fmt/format.h>

#include <algorithm>

namespace weft::dsl {
namespace {

// Whether `from` reads `to`, itself or through other states.
bool reaches(const Recurrence& r, const std::string& from, const std::string& to, std::vector<std::string>& seen) {
  if (std::find(seen.begin(), seen.end(), from) != seen.end()) return false;
  seen.push_back(from);
  const auto at = assignment(r, from);
  return at && std::any_of(r.states.begin(), r.states.end(), [&](const StateDef& s) {
           return s.name != from && reads(*r.step[*at].value, s.name, r) &&
                  (s.name == to || reaches(r, s.name, to, seen));
         });
}

// A state on a circle of states that read each other; empty when there is none.
std::string partner(const Recurrence& r, const std::string& state) {
  const Expr& update = *r.step[*assignment(r, state)].value;
  for (const StateDef& s : r.states) {
    std::vector<std::string> seen;
    if (s.name != state && reads(update, s.name, r) && reaches(r, s.name, state, seen)) return s.name;
  }
  return {};
}

StateClass class_of(const StateForm& f) {
  std::vector<const Summand*> own;
  bool corrected = false;
  for (const Summand& t : f.terms) {
    if (t.core == Summand::Core::state) own.push_back(&t);
    corrected = corrected || t.core == Summand::Core::read;
  }
  const bool sum = own.size() == 1 && own[0]->sign > 0 && own[0]->factors.empty() && !own[0]->rotation;
  if (corrected) return sum ? StateClass::delta : StateClass::gated_delta;
  if (own.empty()) return StateClass::constant;
  if (sum) return StateClass::sum;
  if (std::any_of(own.begin(), own.end(), [](const Summand* t) { return bool(t->rotation); }))
    return StateClass::rotating;
  return f.is_matrix() ? StateClass::decay : StateClass::elementwise;
}

// How the state comes back, and what else decides its class, in the words of the equation.
std::string reason_of(const StateForm& f) {
  const std::string& name = f.state->name;
  const Expr& update = *f.update->value;
  ExprPtr back, reads;
  bool own = false;
  std::string turned;
  for (const Summand& t : f.terms) {
    if (t.core == Summand::Core::read) reads = reads ? reads : t.value.value;
    if (t.core != Summand::Core::state) continue;
    own = true;
    if (t.rotation) turned = fmt::format("turned by `{}`", expr_text(*t.rotation.value));
    if (t.sign < 0 || !t.factors.empty() || back || !t.rotation)
      back = sum_of(back, product_of(t.sign, t.factors, {}, update));
  }
  if (!own && !reads) return fmt::format("the update does not read `{}`", name);
  const std::string by = back ? expr_text(*back) : "1";
  std::string text = fmt::format("`{}` comes back ", name);
  if (!own) text = fmt::format("of `{}` nothing comes back", name);
  else if (by == "1") text += turned.empty() ? "as it is" : turned;
  else text += fmt::format("{}{}times `{}`", turned, turned.empty() ? "" : " and ", by);
  if (reads) return text + fmt::format(", less what `{}` reads of it", expr_text(*reads));
  if (f.kind == StateClass::elementwise && f.state->shape.size() > 1) text += ", and gets no outer product";
  return text;
}

void settle(StateForm& f, StateClass kind, std::string reason, const Span& where) {
  f.kind = kind, f.reason = std::move(reason), f.where = where;
}

void classify(StateForm& f, const Recurrence& r) {
  const std::string& name = f.state->name;
  f.where = f.update->value->span;
  if (const std::string other = partner(r, name); !other.empty()) {
    return settle(f, StateClass::system, fmt::format("`{}` and `{}` read each other", name, other), f.where);
  }
  try {
    f.terms = expand({f.update->value, *assignment(r, name)}, name, r);
  } catch (const NotLinear& no) {
    return settle(f, no.kind, no.reason, no.where);
  }
  int rotated = 0, own = 0;
  for (const Summand& t : f.terms) {
    own += t.core == Summand::Core::state;
    rotated += bool(t.rotation);
    const bool alone = t.core == Summand::Core::read && !t.left && !t.right;
    if (alone || (t.core == Summand::Core::state && t.transposed)) {
      const auto* what = alone ? "mixes the elements of the state by a matrix" : "adds the transpose of the state";
      return settle(f, StateClass::affine, fmt::format("the update of `{}` {}", name, what), f.where);
    }
  }
  if (rotated && own > 1) return settle(f, StateClass::affine, fmt::format("`{}` is rotated in a part", name), f.where);
  f.kind = class_of(f);
  f.reason = reason_of(f);
}

}  // namespace

std::string_view name(StateClass c) {
  constexpr std::string_view names[] = {"constant", "sum",         "decay",        "elementwise", "rotating decay",
                                        "delta",    "gated delta", "dense affine", "system",      "nonlinear"};
  return names[static_cast<std::size_t>(c)];
}

bool StateForm::is_matrix() const {
  const auto outer = [](const Summand& t) { return t.left || t.right; };
  const auto fits = [&](const Summand& t) { return t.core == Summand::Core::state || outer(t); };
  return state->shape.size() > 1 && std::any_of(terms.begin(), terms.end(), outer) &&
         std::all_of(terms.begin(), terms.end(), fits);
}

bool reads_state(const Expr& expr, const Recurrence& recurrence) {
  return std::any_of(recurrence.states.begin(), recurrence.states.end(),
                     [&](const StateDef& s) { return reads(expr, s.name, recurrence); });
}

std::vector<StateForm> classify(const Recurrence& recurrence) {
  std::vector<StateForm> forms;
  for (const StateDef& state : recurrence.states) {
    StateForm form;
    form.state = &state;
    if (const auto at = assignment(recurrence, state.name)) {
      form.update = &recurrence.step[*at];
      classify(form, recurrence);
    } else {
      form.reason = fmt::format("the update of `{}` is missing", state.name);
    }
    forms.push_back(std::move(form));
  }
  return forms;
}

}  // namespace weft::dsl
