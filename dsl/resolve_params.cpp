// Values of declared parameters: each after those it needs.

#include <algorithm>

#include <fmt/format.h>

#include "dsl/params.h"

namespace weft::dsl {
namespace {

/// The words an enum accepts are values only where that enum is meant.
std::optional<Value> word_value(const Param& param, const Expr& expr, Diagnostics& diagnostics) {
  const bool plain = expr.kind == Expr::Kind::name || expr.kind == Expr::Kind::text;
  const auto& choices = param.choices;
  if (plain && std::find(choices.begin(), choices.end(), expr.name) != choices.end()) return Word{expr.name, choices};
  diagnostics.error("E0402", expr.span, fmt::format("`{}` is not a choice of `{}`", expr_text(expr), param.name))
      .note("choices are " + listed(choices))
      .help(plain ? guess_text(expr.name, choices) : "");
  return {};
}

/// The value in the type the param declares.
std::optional<Value> typed(const Param& param, Value value, const Span& span, Diagnostics& diagnostics) {
  const auto wrong = [&](const char* wanted, const std::string& help) {
    diagnostics.error("E0402", span, fmt::format("`{}` must be {}, not {}", param.name, wanted, value_text(value)))
        .help(help);
    return std::optional<Value>();
  };
  switch (param.type) {
    case Param::Type::whole:
      if (!std::holds_alternative<i64>(value))
        return wrong("a whole number",
                     std::holds_alternative<double>(value) ? "use `floor(...)` or `//`" : still_number(value));
      return value;
    case Param::Type::real:
      if (std::holds_alternative<Anneal>(value)) return value;
      if (std::holds_alternative<i64>(value)) return static_cast<double>(std::get<i64>(value));
      return std::holds_alternative<double>(value) ? std::optional(value) : wrong("a number", "");
    case Param::Type::boolean:
      return std::holds_alternative<bool>(value) ? std::optional(value) : wrong("`true` or `false`", "");
    case Param::Type::word:
    case Param::Type::any: break;
  }
  return value;
}

// The least and the most that the number is while it lasts.
std::pair<double, double> extent(const Value& value) {
  if (const Anneal* a = std::get_if<Anneal>(&value)) return std::minmax({a->from, a->to});
  const double x =
      std::holds_alternative<i64>(value) ? static_cast<double>(std::get<i64>(value)) : std::get<double>(value);
  return {x, x};
}

class Resolver {
 public:
  Resolver(const std::vector<Param>& params, const std::vector<Argument>& arguments, const Scope& caller,
           const Scope& known, Diagnostics& diagnostics)
      : params_(params), arguments_(arguments), caller_(caller), scope_(known), diagnostics_(diagnostics) {}

  Scope run() {
    for (const Param& param : params_) index_.emplace(param.name, &param);
    for (const Param& param : params_) resolve(param);
    for (const Param& param : params_) check_range(param);
    return std::move(scope_);
  }

 private:
  enum class Mark { fresh, open, done };

  const Argument* given(const std::string& name) const {
    const auto found =
        std::find_if(arguments_.begin(), arguments_.end(), [&](const Argument& a) { return a.name == name; });
    return found == arguments_.end() ? nullptr : &*found;
  }

  // Depth first along the defaults; params are at most as many as a file has nodes, and a chain of
  // them is followed by a stack of our own, never by recursion.
  void resolve(const Param& first) {
    std::vector<const Param*> path = {&first};
    while (!path.empty()) {
      const Param& param = *path.back();
      if (marks_[param.name] == Mark::done) {
        path.pop_back();
        continue;
      }
      marks_[param.name] = Mark::open;
      const Param* next = pending(param);
      if (!next) {
        scope_[param.name] = value_of(param);
        marks_[param.name] = Mark::done;
      } else if (marks_[next->name] == Mark::open) {
        report_cycle(path, *next);
      } else {
        path.push_back(next);
      }
    }
  }

  /// A param that must have its value before this one can.
  const Param* pending(const Param& param) {
    if (given(param.name) || !param.value || param.broken || param.type == Param::Type::word) return nullptr;
    for (const std::string& name : names_in(*param.value)) {
      const auto other = index_.find(name);
      if (other != index_.end() && marks_[name] != Mark::done) return other->second;
    }
    return nullptr;
  }

  void report_cycle(const std::vector<const Param*>& path, const Param& start) {
    const auto begin = std::find(path.begin(), path.end(), &start);
    // Told from the member that stands first in the file, whichever param led here.
    std::vector<const Param*> members(begin, path.end());
    std::rotate(members.begin(),
                std::min_element(members.begin(), members.end(),
                                 [](auto* a, auto* b) { return a->span.begin < b->span.begin; }),
                members.end());
    std::string shown;
    for (const Param* member : members) {
      shown += fmt::format("`{}` -> ", member->name);
      marks_[member->name] = Mark::done;
      scope_[member->name] = std::nullopt;
    }
    diagnostics_
        .error("E0401", members[0]->span,
               fmt::format("params depend on each other in a circle: {}`{}`", shown, members[0]->name))
        .help("give one of them a value of its own");
  }

  std::optional<Value> value_of(const Param& param) {
    if (param.broken) return {};
    const Argument* argument = given(param.name);
    const Expr* expr = argument ? argument->value.get() : param.value.get();
    if (!expr) return {};  // a missing argument: reported by the caller, all in one message
    // A word may also come from a param of the caller: `{feature: phi_kind}`.
    const bool passed_on = argument && expr->kind == Expr::Kind::name && caller_.contains(expr->name);
    if (param.type == Param::Type::word && !passed_on) return word_value(param, *expr, diagnostics_);
    auto value = evaluate(*expr, argument ? caller_ : scope_, diagnostics_);
    if (!value) return {};
    if (param.type != Param::Type::word) return typed(param, *value, expr->span, diagnostics_);
    const Word* word = std::get_if<Word>(&*value);
    if (word && std::find(param.choices.begin(), param.choices.end(), word->text) != param.choices.end())
      return Word{word->text, param.choices};
    diagnostics_.error("E0402", expr->span, fmt::format("`{}` is not a choice of `{}`", value_text(*value), param.name))
        .note("choices are " + listed(param.choices));
    return {};
  }

  void check_range(const Param& param) {
    const auto& value = scope_[param.name];
    if (!value || std::holds_alternative<Word>(*value) || std::holds_alternative<bool>(*value)) return;
    const Argument* argument = given(param.name);
    const Span span = argument ? argument->value->span : param.value->span;
    for (const bool low : {true, false}) {
      const ExprPtr& bound = low ? param.min : param.max;
      if (!bound) continue;
      const auto limit = evaluate_real(*bound, scope_, diagnostics_);
      if (!limit || (low ? extent(*value).first >= *limit : extent(*value).second <= *limit)) continue;
      diagnostics_
          .error("E0403", span,
                 fmt::format("`{}` must be at {} {}, not {}", param.name, low ? "least" : "most",
                             value_text(*evaluate(*bound, scope_, diagnostics_)), value_text(*value)))
          .note("the bound is declared here", bound->span);
      scope_[param.name] = std::nullopt;
      return;
    }
  }

  const std::vector<Param>& params_;
  const std::vector<Argument>& arguments_;
  const Scope& caller_;
  Scope scope_;
  Diagnostics& diagnostics_;
  std::map<std::string, const Param*> index_;
  std::map<std::string, Mark> marks_;
};

void check_arguments(const std::vector<Param>& params, const std::vector<Argument>& arguments, const Span& call,
                     const std::string& owner, Diagnostics& diagnostics) {
  std::vector<std::string> names, missing, meant;
  for (const Param& param : params) {
    names.push_back(param.name);
    const bool given =
        std::any_of(arguments.begin(), arguments.end(), [&](const Argument& a) { return a.name == param.name; });
    if (!given && !param.value && !param.broken) missing.push_back(param.name);
  }
  for (const Argument& argument : arguments) {
    if (std::find(names.begin(), names.end(), argument.name) != names.end()) continue;
    Diagnostic& d =
        diagnostics.error("E0404", argument.span, fmt::format("{} has no param `{}`", owner, argument.name));
    d.note(names.empty() ? "it has none" : "its params are " + listed(names, "and"))
        .help(guess_text(argument.name, names));
    meant.push_back(did_you_mean(argument.name, names));
  }
  std::erase_if(missing,
                [&](const std::string& name) { return std::find(meant.begin(), meant.end(), name) != meant.end(); });
  if (missing.empty()) return;
  diagnostics.error("E0405", call, fmt::format("{} needs a value for {}", owner, listed(missing, "and")))
      .help("a param without a default must be given by name");
}

}  // namespace

Scope evaluate_params(const std::vector<Param>& params, const std::vector<Argument>& arguments, const Scope& caller,
                      const Scope& known, const Span& call, const std::string& owner, Diagnostics& diagnostics) {
  check_arguments(params, arguments, call, owner, diagnostics);
  std::vector<Argument> usable;  // an argument without a value had an error of its own
  for (const Argument& argument : arguments) {
    if (argument.value) usable.push_back(argument);
  }
  Scope scope = Resolver(params, usable, caller, known, diagnostics).run();
  for (const Argument& argument : arguments) {
    if (!argument.value && scope.contains(argument.name)) scope[argument.name] = std::nullopt;
  }
  return scope;
}

void run_checks(const std::vector<ExprPtr>& checks, const Scope& scope, Diagnostics& diagnostics) {
  for (const ExprPtr& check : checks) {
    const auto holds = evaluate_bool(*check, scope, diagnostics);
    if (!holds || *holds) continue;
    std::string values;
    for (const std::string& name : names_in(*check)) {
      const auto found = scope.find(name);
      if (found == scope.end() || !found->second) continue;
      values += fmt::format("{}{} = {}", values.empty() ? "" : ", ", name, value_text(*found->second));
    }
    diagnostics.error("E0406", check->span, fmt::format("this check does not hold: {}", expr_text(*check)))
        .note(values.empty() ? "it reads no params" : values);
  }
}

}  // namespace weft::dsl
