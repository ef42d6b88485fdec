#include "dsl/equations.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "dsl/classify.h"
#include "dsl/gradient.h"

namespace weft::dsl {
namespace {

const char* greek(const std::string& name) {
  static const std::map<std::string, const char*> letters = {
      {"alpha", "α"}, {"beta", "β"},  {"gamma", "γ"}, {"delta", "δ"},  {"epsilon", "ε"}, {"eps", "ε"}, {"zeta", "ζ"},
      {"eta", "η"},   {"theta", "θ"}, {"kappa", "κ"}, {"lambda", "λ"}, {"mu", "μ"},      {"nu", "ν"},  {"xi", "ξ"},
      {"rho", "ρ"},   {"sigma", "σ"}, {"tau", "τ"},   {"phi", "φ"},    {"chi", "χ"},     {"psi", "ψ"}, {"omega", "ω"},
      {"Gamma", "Γ"}, {"Delta", "Δ"}, {"Theta", "Θ"}, {"Lambda", "Λ"}, {"Sigma", "Σ"},   {"Phi", "Φ"}, {"Omega", "Ω"}};
  const auto found = letters.find(name);
  return found == letters.end() ? nullptr : found->second;
}

std::string symbol(const std::string& name) { return greek(name) ? greek(name) : name; }

// Expressions with the signs of a paper. `index` adds the time to a name: "ₜ", "ₜ₋₁" or nothing.
class Printer {
 public:
  std::map<std::string, std::string> index;

  std::string text(const Expr& e) const { return part(e, 0); }
  std::string name(const std::string& name) const {
    const auto found = index.find(name);
    return symbol(name) + (found == index.end() ? "" : found->second);
  }

 private:
  // Ranks as the language has them: an operand weaker than its place stands in parentheses.
  static int rank(const Expr& e) {
    if (e.kind == Expr::Kind::call && e.name == "outer" && e.args.size() == 2) return 3;
    if (e.kind == Expr::Kind::negate) return 4;
    if (e.kind == Expr::Kind::conditional || e.kind == Expr::Kind::logical) return 0;
    if (e.kind == Expr::Kind::comparison) return 1;
    if (e.kind != Expr::Kind::binary) return 6;
    return e.name == "+" || e.name == "-" ? 2 : e.name == "^" ? 5 : 3;
  }
  std::string part(const Expr& e, int least) const {
    const std::string s = plain(e);
    return rank(e) < least ? "(" + s + ")" : s;
  }
  std::string plain(const Expr& e) const {
    switch (e.kind) {
      case Expr::Kind::name: return name(e.name);
      case Expr::Kind::negate: return "-" + part(*e.args[0], 4);
      case Expr::Kind::transpose: return part(*e.args[0], 6) + "ᵀ";
      case Expr::Kind::binary: return binary(e);
      case Expr::Kind::call: return call(e);
      case Expr::Kind::conditional:
        return fmt::format("{} if {} else {}", text(*e.args[1]), text(*e.args[0]), text(*e.args[2]));
      case Expr::Kind::comparison: return fmt::format("{} {} {}", part(*e.args[0], 2), e.name, part(*e.args[1], 2));
      default: return expr_text(e);
    }
  }
  std::string binary(const Expr& e) const {
    const int own = rank(e);
    if (e.name == "^") {
      const Expr& exponent = *e.args[1];
      if (exponent.integer && exponent.whole == 2) return part(*e.args[0], 6) + "²";
      return part(*e.args[0], 6) + "^" + part(exponent, 6);
    }
    static const std::map<std::string, const char*> signs = {
        {"@", "·"}, {"*", " ⊙ "}, {"/", " / "}, {"+", " + "}, {"-", " - "}};
    const auto sign = signs.find(e.name);
    // `a * b @ c` is read from left to right; a paper that writes both products shows which comes first.
    const bool mixed = own == 3 && e.args[0]->kind == Expr::Kind::binary && rank(*e.args[0]) == 3 &&
                       (e.name == "@") != (e.args[0]->name == "@");
    return part(*e.args[0], mixed ? 4 : own) + (sign == signs.end() ? " " + e.name + " " : sign->second) +
           part(*e.args[1], own + 1);
  }
  std::string call(const Expr& e) const {
    if (e.name == "prev" && e.args.size() == 1) return symbol(e.args[0]->name) + "ₜ₋₁";
    for (const auto& [side, mark] : {std::pair("left", "ₗ"), std::pair("right", "ᵣ")}) {  // of a fold
      if (e.name == side && e.args.size() == 1 && e.args[0]->kind == Expr::Kind::name)
        return symbol(e.args[0]->name) + mark;
    }
    if (e.name == "outer" && e.args.size() == 2) return part(*e.args[0], 4) + " ⊗ " + part(*e.args[1], 4);
    if (e.name == "sqrt" && e.args.size() == 1) return "√" + part(*e.args[0], 6);
    std::string inside;
    for (const ExprPtr& a : e.args) inside += (inside.empty() ? "" : ", ") + text(*a);
    for (const NamedArg& a : e.named) inside += (inside.empty() ? "" : ", ") + a.name + "=" + text(*a.value);
    return e.name + "(" + inside + ")";
  }
};

// Columns of a terminal that a text takes: code points, of which those here are all one wide.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xc0) != 0x80; }));
}

class Sheet {
 public:
  explicit Sheet(const Def& def) : def_(def) {}

  std::string text() {
    for (const DimDef& d : def_.dims) add(symbol(d.name), print_.text(*d.value));
    for (const Equation& e : def_.let) add(symbol(e.name), print_.text(*e.value));
    if (def_.recurrence) recurrence(*def_.recurrence);
    if (def_.fold) fold(*def_.fold);
    for (const Equation& e : def_.out) add(symbol(e.name), print_.text(*e.value));
    return head() + lines() + classes() + tree();
  }

 private:
  void add(std::string left, std::string right) { rows_.emplace_back(std::move(left), std::move(right)); }

  std::string head() const {
    std::string inputs, weights;
    for (const InputDef& in : def_.in)
      inputs += fmt::format("{}{} {}", inputs.empty() ? "" : ", ", symbol(in.name), shape_text(in.shape));
    for (const WeightDef& w : def_.weights)
      weights += fmt::format("{}{} {}", weights.empty() ? "" : ", ", symbol(w.name), shape_text(w.shape));
    std::string s = fmt::format("{}({})\n", def_.name, inputs);
    for (const Param& p : def_.params) {
      s += fmt::format("  param  {}{}\n", symbol(p.name), p.value ? " = " + expr_text(*p.value) : "");
    }
    return weights.empty() ? s : s + "  learns " + weights + "\n";
  }
  std::string lines() const {
    std::size_t widest = 0;
    for (const auto& [left, right] : rows_) widest = std::max(widest, width(left));
    std::string s;
    for (const auto& [left, right] : rows_)
      s += fmt::format("  {}{} = {}\n", left, std::string(widest - width(left), ' '), right);
    return s;
  }

  // Names that have a value of their own at every time.
  std::set<std::string> timely() const {
    std::set<std::string> names;
    for (const InputDef& in : def_.in) {
      const bool time = std::any_of(in.shape.begin(), in.shape.end(), [](const ExprPtr& e) {
        return e->kind == Expr::Kind::rest || (e->kind == Expr::Kind::name && e->name == "T");
      });
      if (time) names.insert(in.name);
    }
    const auto follow = [&](const std::vector<Equation>& list) {
      for (const Equation& e : list) {
        const auto read = names_in(*e.value);
        if (std::any_of(read.begin(), read.end(), [&](const std::string& n) { return names.contains(n) || n == "T"; }))
          names.insert(e.name);
      }
    };
    follow(def_.let);
    return names;
  }

  void recurrence(const Recurrence& r) {
    for (const std::string& name : timely()) print_.index[name] = "ₜ";
    for (const StateDef& s : r.states) print_.index[s.name] = "ₜ₋₁";
    for (const std::vector<Equation>* part : {&r.step, &r.read}) {
      for (const Equation& e : *part) {
        std::string value = print_.text(*e.value);
        if (const auto start = start_of(r, e.name); !start.empty()) value += ",  " + start;
        print_.index[e.name] = "ₜ";
        add(symbol(e.name) + "ₜ", value);
      }
    }
    print_.index.clear();
  }
  // A token's node, the node of two neighbours, and what a position reads of the last ones.
  void fold(const Fold& f) {
    const auto times = timely();
    for (const std::string& name : times) print_.index[name] = "ₜ";
    for (const Equation& e : f.leaf) add(symbol(e.name) + "⁰ₜ", print_.text(*e.value));
    const auto at_time = std::exchange(print_.index, {});
    for (const Equation& e : f.merge) add(symbol(e.name), print_.text(*e.value));
    print_.index = at_time;
    for (const Equation& e : f.leaf) print_.index.erase(e.name);
    for (const Equation& e : f.read) {
      const std::string value = print_.text(*e.value);
      print_.index[e.name] = "ₜ";
      add(symbol(e.name) + "ₜ", value);
    }
    print_.index.clear();
  }
  static std::string start_of(const Recurrence& r, const std::string& name) {
    for (const StateDef& s : r.states) {
      if (s.name != name) continue;
      const std::string value = s.learned ? "learned" : s.init ? expr_text(*s.init) : "0";
      return fmt::format("{}₀ = {} {}", symbol(name), value, shape_text(s.shape));
    }
    return {};
  }

  std::string classes() const {
    if (!def_.recurrence) return {};
    if (has_gradient(*def_.recurrence))
      return "  the classes are those of the derived gradients: `weft explain` tells\n";
    std::string s;
    for (const StateForm& f : classify(*def_.recurrence)) {
      s += fmt::format("  {} is {}, {}\n", symbol(f.state->name), name(f.kind),
                       f.derivable() ? "with forms for all positions at once" : "by the loop alone: " + f.reason);
    }
    return s;
  }

  std::string tree() const {
    if (!def_.fold) return {};
    const std::string c = symbol(def_.fold->leaf[0].name);
    return fmt::format("  neighbours merge level by level: {0}ₗ and {0}ᵣ are the nodes below, {0}⁰ those of tokens\n",
                       c);
  }

  const Def& def_;
  Printer print_;
  std::vector<std::pair<std::string, std::string>> rows_;
};

}  // namespace

std::string equations(const Def& def) { return Sheet(def).text(); }

}  // namespace weft::dsl
