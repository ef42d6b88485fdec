// Values of expressions over params. Whole numbers stay whole and are checked for overflow: a width
// that wraps around would pass every later test of shapes.

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "dsl/params.h"

namespace weft::dsl {
namespace {

class Evaluator {
 public:
  Evaluator(const Scope& scope, Diagnostics& diagnostics, Division division)
      : scope_(scope), diagnostics_(diagnostics), division_(division) {}

  Value run(const Expr& expr) {
    switch (expr.kind) {
      case Expr::Kind::number: return expr.integer ? Value(expr.whole) : Value(expr.number);
      case Expr::Kind::boolean: return expr.whole != 0;
      case Expr::Kind::name: return name(expr);
      case Expr::Kind::negate: return negate(expr);
      case Expr::Kind::logical_not: return !truth(*expr.args[0]);
      case Expr::Kind::binary: return binary(expr);
      case Expr::Kind::comparison: return comparison(expr);
      case Expr::Kind::logical:
        return expr.name == "and" ? truth(*expr.args[0]) && truth(*expr.args[1])
                                  : truth(*expr.args[0]) || truth(*expr.args[1]);
      case Expr::Kind::conditional: return run(*expr.args[truth(*expr.args[0]) ? 1 : 2]);
      case Expr::Kind::call: return call(expr);
      case Expr::Kind::text:
      case Expr::Kind::transpose:
      case Expr::Kind::rest: break;
    }
    fail(expr.at, "a number was expected here");
  }

 private:
  [[noreturn]] void fail(const Span& span, const std::string& message, std::string help = {},
                         std::string_view code = "E0407") {
    diagnostics_.error(code, span, message).help(std::move(help));
    throw Failed{};
  }

  Value name(const Expr& expr) {
    const auto found = scope_.find(expr.name);
    if (found != scope_.end()) {
      if (!found->second) throw Failed{};  // reported where its definition failed
      return *found->second;
    }
    Diagnostic& d = diagnostics_.error("E0201", expr.span, fmt::format("unknown name `{}`", expr.name));
    // Thousands of errors against thousands of names would take minutes, and twenty are shown.
    constexpr int kExplained = 100;
    if (diagnostics_.error_count() > kExplained) throw Failed{};
    std::vector<std::string> names;
    for (const auto& entry : scope_) names.push_back(entry.first);
    for (const auto& [words, truth] :
         {std::pair(" yes on Yes On True TRUE ", "true"), std::pair(" no off No Off False FALSE ", "false")}) {
      if (std::string_view(words).find(" " + expr.name + " ") == std::string_view::npos) continue;
      d.help(fmt::format("write `{}`", truth));
      throw Failed{};
    }
    if (!names.empty()) d.note("names known here are " + listed(names, "and"));
    const std::string guess = guess_text(expr.name, names);
    d.help(guess.empty() ? "declare it: a number under `params` or `dims`, a word as a param with `choices`" : guess);
    throw Failed{};
  }

  bool truth(const Expr& expr) {
    const Value value = run(expr);
    if (const bool* b = std::get_if<bool>(&value)) return *b;
    fail(expr.span, fmt::format("a condition was expected, not {} {}", value_kind(value), value_text(value)),
         "compare it, as in `n > 0`");
  }

  Value number(const Expr& expr) {
    Value value = run(expr);
    if (std::holds_alternative<i64>(value) || std::holds_alternative<double>(value)) return value;
    fail(expr.span, fmt::format("a number was expected, not {} {}", value_kind(value), value_text(value)),
         still_number(value));
  }

  static double real(const Value& value) {
    return std::holds_alternative<i64>(value) ? static_cast<double>(std::get<i64>(value)) : std::get<double>(value);
  }

  Value finite(double value, const Expr& expr) {
    if (std::isfinite(value)) return value;
    fail(expr.at, fmt::format("{} is not a finite number", expr_text(expr)));
  }

  Value negate(const Expr& expr) {
    const Value value = number(*expr.args[0]);
    if (const i64* whole = std::get_if<i64>(&value)) {
      i64 result;
      if (__builtin_sub_overflow(i64{0}, *whole, &result)) overflow(expr);
      return result;
    }
    return -std::get<double>(value);
  }

  [[noreturn]] void overflow(const Expr& expr) {
    fail(expr.at, fmt::format("{} is too large for a whole number", expr_text(expr)));
  }

  Value binary(const Expr& expr) {
    const Value left = number(*expr.args[0]);
    const Value right = number(*expr.args[1]);
    if (expr.name == "@") fail(expr.at, "`@` contracts tensors, not numbers", "write `*`");
    const i64* a = std::get_if<i64>(&left);
    const i64* b = std::get_if<i64>(&right);
    const bool divides = expr.name == "/" || expr.name == "//" || expr.name == "%";
    if (divides && real(right) == 0) fail(expr.at, fmt::format("{} divides by zero", expr_text(expr)));
    return a && b ? whole_binary(expr, *a, *b) : real_binary(expr, real(left), real(right));
  }

  Value whole_binary(const Expr& expr, i64 a, i64 b) {
    i64 result = 0;
    bool over = false;
    switch (expr.name[0]) {
      case '+': over = __builtin_add_overflow(a, b, &result); break;
      case '-': over = __builtin_sub_overflow(a, b, &result); break;
      case '*': over = __builtin_mul_overflow(a, b, &result); break;
      case '^': return power(expr, a, b);
      default:
        if (a == std::numeric_limits<i64>::min() && b == -1) overflow(expr);
        return quotient(expr, a, b);
    }
    if (over) overflow(expr);
    return result;
  }

  Value quotient(const Expr& expr, i64 a, i64 b) {
    const i64 remainder = a % b;
    const bool below = remainder != 0 && (remainder < 0) != (b < 0);  // C++ truncates, the language floors
    if (expr.name == "%") return below ? remainder + b : remainder;
    if (expr.name == "//") return a / b - (below ? 1 : 0);
    if (remainder == 0) return a / b;
    if (division_ == Division::real) return static_cast<double>(a) / static_cast<double>(b);
    diagnostics_.error("E0408", expr.at, fmt::format("{} / {} is not whole", a, b))
        .note(expr_text(expr))
        .help("`//` rounds down; with a real number on one side, as in `1.0 * a / b`, it is a real division");
    throw Failed{};
  }

  Value power(const Expr& expr, i64 base, i64 exponent) {
    if (exponent < 0) return finite(std::pow(static_cast<double>(base), static_cast<double>(exponent)), expr);
    i64 result = 1;
    if (base == 0 || base == 1) return exponent == 0 ? i64{1} : base;
    if (base == -1) return exponent % 2 == 0 ? i64{1} : i64{-1};
    for (i64 i = 0; i < exponent; ++i) {  // at most 63 steps before it overflows
      if (__builtin_mul_overflow(result, base, &result)) overflow(expr);
    }
    return result;
  }

  Value real_binary(const Expr& expr, double a, double b) {
    switch (expr.name[0]) {
      case '+': return finite(a + b, expr);
      case '-': return finite(a - b, expr);
      case '*': return finite(a * b, expr);
      case '^': return finite(std::pow(a, b), expr);
      case '%': return finite(a - b * std::floor(a / b), expr);
      default: return finite(expr.name == "//" ? std::floor(a / b) : a / b, expr);
    }
  }

  // A word stands for itself beside an enum: `feature == dpfp`.
  Value side(const Expr& expr, const Expr& other) {
    const bool literal =
        (expr.kind == Expr::Kind::name && !scope_.contains(expr.name)) || expr.kind == Expr::Kind::text;
    if (!literal || other.kind != Expr::Kind::name || !scope_.contains(other.name)) return run(expr);
    const Value against = name(other);
    const Word* word = std::get_if<Word>(&against);
    if (!word) return run(expr);
    for (const std::string& choice : word->choices) {
      if (choice == expr.name) return Word{expr.name, word->choices};
    }
    diagnostics_.error("E0402", expr.span, fmt::format("`{}` is not a choice of `{}`", expr.name, other.name))
        .note("choices are " + listed(word->choices))
        .help(guess_text(expr.name, word->choices));
    throw Failed{};
  }

  Value comparison(const Expr& expr) {
    const Value left = side(*expr.args[0], *expr.args[1]);
    const Value right = side(*expr.args[1], *expr.args[0]);
    const bool equality = expr.name == "==" || expr.name == "!=";
    const auto is_number = [](const Value& v) { return v.index() < 2; };
    if (!is_number(left) || !is_number(right)) {
      const bool comparable = equality && left.index() == right.index();
      if (!comparable)
        fail(expr.at, fmt::format("cannot compare {} {} with {} {}", value_kind(left), value_text(left),
                                  value_kind(right), value_text(right)));
      return (left == right) == (expr.name == "==");
    }
    if (std::holds_alternative<i64>(left) && std::holds_alternative<i64>(right))
      return ordered(expr.name, std::get<i64>(left), std::get<i64>(right));
    return ordered(expr.name, real(left), real(right));
  }

  template <typename T> static bool ordered(const std::string& op, T a, T b) {
    if (op == "==") return a == b;
    if (op == "!=") return a != b;
    if (op == "<") return a < b;
    if (op == "<=") return a <= b;
    return op == ">" ? a > b : a >= b;
  }

  Value call(const Expr& expr) {
    if (expr.name == "anneal") return read_anneal(expr, scope_, diagnostics_);
    const bool extremum = expr.name == "min" || expr.name == "max";
    bool known = false;
    for (const std::string& f : number_functions()) known |= f == expr.name;
    if (!known)
      fail(expr.at, fmt::format("`{}` is no function of numbers", expr.name), guess_text(expr.name, number_functions()),
           "E0202");
    if (!expr.named.empty()) fail(expr.named[0].span, fmt::format("`{}` takes its arguments by position", expr.name));
    if (extremum ? expr.args.size() < 2 : expr.args.size() != 1) {
      fail(expr.at, fmt::format("`{}` takes {}, not {}", expr.name, extremum ? "two arguments or more" : "one argument",
                                expr.args.size()));
    }
    Value best = number(*expr.args[0]);
    if (!extremum) return function(expr, best);
    for (size_t i = 1; i < expr.args.size(); ++i) {
      const Value next = number(*expr.args[i]);
      if (expr.name == "min" ? real(next) < real(best) : real(next) > real(best)) best = next;
    }
    return best;
  }

  Value function(const Expr& expr, const Value& value) {
    const double x = real(value);
    const i64* whole = std::get_if<i64>(&value);
    if (expr.name == "sqrt") return finite(std::sqrt(x), expr);
    if (expr.name == "log") return finite(std::log(x), expr);
    if (expr.name == "exp") return finite(std::exp(x), expr);
    if (expr.name == "abs") {
      if (!whole) return std::fabs(x);
      if (*whole == std::numeric_limits<i64>::min()) overflow(expr);
      return *whole < 0 ? -*whole : *whole;
    }
    if (whole) return value;
    const double rounded = expr.name == "floor" ? std::floor(x) : std::ceil(x);
    if (std::fabs(rounded) >= 9.2e18) overflow(expr);
    return static_cast<i64>(rounded);
  }

  const Scope& scope_;
  Diagnostics& diagnostics_;
  Division division_;
};

}  // namespace

const std::vector<std::string>& number_functions() {
  static const std::vector<std::string> names = {"min", "max", "sqrt", "log", "exp", "abs", "floor", "ceil"};
  return names;
}

std::optional<Value> evaluate(const Expr& expr, const Scope& scope, Diagnostics& diagnostics, Division division) {
  try {
    return Evaluator(scope, diagnostics, division).run(expr);
  } catch (const Failed&) {
    return {};
  }
}

}  // namespace weft::dsl
