#include "dsl/classify.h"

#include <fmt/format.h>

#include <algorithm>

namespace weft::dsl {
namespace {

const StateDef* find_state(const Recurrence& r, const std::string& name) {
  const auto found = std::find_if(r.states.begin(), r.states.end(), [&](const StateDef& s) { return s.name == name; });
  return found == r.states.end() ? nullptr : &*found;
}

const Equation* find_local(const Recurrence& r, const std::string& name) {
  if (find_state(r, name)) return nullptr;
  const auto found = std::find_if(r.step.begin(), r.step.end(), [&](const Equation& e) { return e.name == name; });
  return found == r.step.end() ? nullptr : &*found;
}

// States that an expression reads, through equations of the step too. Equations read only what stands above them,
// so this ends.
void states_read(const Expr& expr, const Recurrence& r, std::vector<std::string>& found) {
  for (const std::string& name : names_in(expr)) {
    if (find_state(r, name)) {
      if (std::find(found.begin(), found.end(), name) == found.end()) found.push_back(name);
    } else if (const Equation* local = find_local(r, name); local && local->value.get() != &expr) {
      states_read(*local->value, r, found);
    }
  }
}

class Classifier {
 public:
  Classifier(const Recurrence& r, StateForm& form) : r_(r), form_(form) {}

  void run() {
    form_.where = form_.update->value->span;
    std::vector<std::string> read;
    states_read(*form_.update->value, r_, read);
    for (const std::string& other : read) {
      if (other == form_.state->name) continue;
      return settle(StateClass::system, fmt::format("`{}` reads the state `{}`", form_.state->name, other),
                    form_.update->value->span);
    }
    form_.kind = StateClass::sum;  // until something says otherwise
    walk(form_.update->value, {});
    if (!form_.derivable()) return;
    if (form_.own.empty()) form_.kind = StateClass::constant;
    else if (form_.own.size() > 1 || form_.own[0].sign < 0 || !form_.own[0].factors.empty()) form_.kind = StateClass::decay;
  }

 private:
  bool dependent(const Expr& e) const { return reads_state(e, r_); }

  void settle(StateClass kind, const std::string& reason, const Span& where) {
    if (!form_.derivable()) return;  // the first reason stands
    form_.kind = kind;
    form_.reason = reason;
    form_.where = where;
  }

  void walk(const ExprPtr& e, Summand s) {
    if (!dependent(*e)) {
      s.value = e;
      form_.added.push_back(std::move(s));
      return;
    }
    switch (e->kind) {
      case Expr::Kind::name:
        if (e->name == form_.state->name) form_.own.push_back(std::move(s));
        else walk(find_local(r_, e->name)->value, std::move(s));
        return;
      case Expr::Kind::negate:
        s.sign = -s.sign;
        return walk(e->args[0], std::move(s));
      case Expr::Kind::binary:
        return binary(e, std::move(s));
      case Expr::Kind::call:
        return call(e, std::move(s));
      default:
        return settle(StateClass::nonlinear, fmt::format("`{}` is no sum of products with `{}`", expr_text(*e), form_.state->name),
                      e->span);
    }
  }

  void binary(const ExprPtr& e, Summand s) {
    const bool left = dependent(*e->args[0]), right = dependent(*e->args[1]);
    if (e->name == "+" || e->name == "-") {
      walk(e->args[0], s);
      if (e->name == "-") s.sign = -s.sign;
      return walk(e->args[1], std::move(s));
    }
    if ((e->name == "*" && left != right) || (e->name == "/" && !right)) {
      s.factors.push_back({e->args[left ? 1 : 0], e->name == "/"});
      return walk(e->args[left ? 0 : 1], std::move(s));
    }
    if (e->name == "@" && left != right) {
      return settle(StateClass::affine, fmt::format("`{}` multiplies the state by a matrix", expr_text(*e)), e->span);
    }
    settle(StateClass::nonlinear, fmt::format("`{}` is not linear in `{}`", expr_text(*e), form_.state->name), e->span);
  }

  void call(const ExprPtr& e, Summand s) {
    if (e->name == "prev" && e->args.size() == 1 && e->args[0]->kind == Expr::Kind::name) return walk(e->args[0], std::move(s));
    if (e->name == "outer" && e->args.size() == 2 && !dependent(*e->args[0])) {
      return settle(StateClass::rank_one, fmt::format("`{}` adds what it reads from the state", expr_text(*e)), e->span);
    }
    if (e->name == "rotate") return settle(StateClass::rotating, fmt::format("`{}` rotates the state", expr_text(*e)), e->span);
    settle(StateClass::nonlinear, fmt::format("`{}` is not linear in `{}`", expr_text(*e), form_.state->name), e->span);
  }

  const Recurrence& r_;
  StateForm& form_;
};

}  // namespace

std::string_view name(StateClass c) {
  constexpr std::string_view names[] = {"constant", "sum",    "decay",  "rotating decay",
                                        "rank one", "affine", "system", "nonlinear"};
  return names[static_cast<std::size_t>(c)];
}

bool reads_state(const Expr& expr, const Recurrence& recurrence) {
  std::vector<std::string> read;
  states_read(expr, recurrence, read);
  return !read.empty();
}

std::vector<StateForm> classify(const Recurrence& recurrence) {
  std::vector<StateForm> forms;
  for (const StateDef& state : recurrence.states) {
    StateForm form;
    form.state = &state;
    for (const Equation& e : recurrence.step) {
      if (e.name == state.name) form.update = &e;
    }
    Classifier(recurrence, form).run();
    forms.push_back(std::move(form));
  }
  return forms;
}

}  // namespace weft::dsl
