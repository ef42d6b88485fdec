#pragma once
// Pratt parser: a table of binding strengths, as in Python, and one function per place in the
// grammar.

#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "dsl/expression.h"
#include "dsl/expression_lexer.h"

namespace weft::dsl {

// conditional < or < and < not < comparison < sum < product < unary minus < power < transpose and
// call.
enum Strength { kConditional = 1, kOr, kAnd, kNot, kComparison, kSum, kProduct, kMinus, kPower };

struct Infix {
  int strength = 0;  // 0: not an operator
  Expr::Kind kind = Expr::Kind::binary;
};

inline Infix infix_of(const Token& token) {
  const std::string& s = token.text;
  if (token.kind == Token::Kind::name) {
    if (s == "or") return {kOr, Expr::Kind::logical};
    if (s == "and") return {kAnd, Expr::Kind::logical};
    if (s == "if") return {kConditional, Expr::Kind::conditional};
  }
  if (token.kind != Token::Kind::symbol) return {};
  if (s == "==" || s == "!=" || s == "<" || s == "<=" || s == ">" || s == ">=")
    return {kComparison, Expr::Kind::comparison};
  if (s == "+" || s == "-") return {kSum};
  if (s == "*" || s == "/" || s == "//" || s == "%" || s == "@") return {kProduct};
  if (s == "^") return {kPower};
  return {};
}

class Parser {
 public:
  Parser(const std::vector<Token>& tokens, Diagnostics& diagnostics) : tokens_(tokens), diagnostics_(diagnostics) {}

  ExprPtr expression() { return parse(kConditional); }

  bool at_symbol(std::string_view symbol) const { return now().kind == Token::Kind::symbol && now().text == symbol; }

  bool take(std::string_view symbol) {
    if (!at_symbol(symbol)) return false;
    ++at_;
    return true;
  }

  /// `[...]` of a shape or a claim; the span runs from the opening to the closing bracket.
  ShapeExpr shape(Span& span) {
    if (!at_symbol("[")) fail(now().span, "a shape was expected", "write the dimensions in brackets, as `[H, T, dk]`");
    const Span open = now().span;
    ++at_;
    ShapeExpr result;
    while (!at_symbol("]")) {
      if (!result.empty() && !take(",")) fail(now().span, "`,` or `]` was expected in a shape", "");
      result.push_back(dimension(result.empty()));
    }
    span = join(open, now().span);
    ++at_;
    return result;
  }

  ExprPtr dimension(bool first) {
    if (!at_symbol("...")) return expression();
    if (!first) fail(now().span, "`...` stands only in front of a shape", "", "E0126");
    Expr rest = begin(Expr::Kind::rest, now().span);
    ++at_;
    return finish(std::move(rest));
  }

  void finish_text() {
    if (now().kind == Token::Kind::end) return;
    if (at_symbol("->")) fail(now().span, "a claim `-> [...]` is for equations only", "remove it");
    if (at_symbol("=")) fail(now().span, "`=` stands only in the arguments of a call", "compare with `==`");
    if (at_symbol(")") || at_symbol("]")) fail(now().span, fmt::format("`{}` closes nothing", now().text), "");
    fail(now().span, fmt::format("an operator was expected before {}", shown(now())),
         "write `*` for a product, `@` for a contraction");
  }

 private:
  // Counts brackets, calls and what binds to the right; between two of them the recursion is no
  // deeper than the number of strengths.
  struct Nested {
    explicit Nested(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > kExpressionDepth) {
        parser_.fail(parser_.now().span, fmt::format("an expression nested deeper than {}", kExpressionDepth),
                     "name its parts in `let`", "E0123");
      }
    }
    ~Nested() { --parser_.depth_; }
    Parser& parser_;
  };

  const Token& now() const { return tokens_[at_]; }

  static std::string shown(const Token& token) {
    return token.kind == Token::Kind::end ? "the end" : fmt::format("`{}`", token.text);
  }

  [[noreturn]] void fail(const Span& span, const std::string& message, std::string help,
                         std::string_view code = "E0120") {
    const std::string cut = cut_off();
    diagnostics_.error(code, span, message).help(cut.empty() ? std::move(help) : cut);
    throw Failed{};
  }

  // Why the text may end too early, when it has ended: what YAML saw behind it.
  std::string cut_off() const {
    const Span& end = tokens_.back().span;
    if (now().kind != Token::Kind::end || !end.source) return {};
    const std::string& text = end.source->text;
    const size_t next = text.find_first_not_of(" \t", static_cast<size_t>(end.begin));
    if (next == std::string::npos) return {};
    if (text[next] == '#') return "a `#` behind a space begins a comment: the expression ends before it";
    if (text[next] == ',' && depth_ > 0)
      return "a comma ends a value inside `[...]` and `{...}`: put the expression in quotes";
    return {};
  }

  static Expr begin(Expr::Kind kind, const Span& at) {
    Expr expr;
    expr.kind = kind;
    expr.span = expr.at = at;
    return expr;
  }

  ExprPtr finish(Expr expr) {
    if (++nodes_ > kExpressionNodes) {
      fail(expr.span, fmt::format("an expression of more than {} parts", kExpressionNodes), "name its parts in `let`",
           "E0123");
    }
    return std::make_shared<const Expr>(std::move(expr));
  }

  ExprPtr parse(int strength) {
    ExprPtr left = prefix();
    for (;;) {
      const Infix infix = infix_of(now());
      if (infix.strength == 0 || infix.strength < strength) return left;
      left = infix.kind == Expr::Kind::conditional ? conditional(left) : operation(left, infix);
    }
  }

  ExprPtr operation(const ExprPtr& left, const Infix& infix) {
    const Token& op = now();
    ++at_;
    if (op.text == "^") refuse_transpose(op);
    // The power binds to the right and its exponent may be signed; all others bind to the left.
    const ExprPtr right = infix.strength == kPower ? exponent() : parse(infix.strength + 1);
    if (infix.kind == Expr::Kind::comparison && infix_of(now()).kind == Expr::Kind::comparison) {
      fail(now().span, "comparisons do not chain", "write `a < b and b < c`");
    }
    Expr expr = begin(infix.kind, op.span);
    expr.span = join(left->span, right->span);
    expr.name = op.text;
    expr.args = {left, right};
    return finish(std::move(expr));
  }

  ExprPtr exponent() {
    const Nested nested(*this);
    const bool sign = at_symbol("-");
    return sign ? negate(kPower) : parse(kPower);
  }

  void refuse_transpose(const Token& op) {
    if (now().kind != Token::Kind::name || now().text != "T") return;
    fail(join(op.span, now().span), "`^ T` with a space can be read in two ways",
         "write `x^T` for the transpose, `x ^ (T)` for the power", "E0125");
  }

  // a if c else b; the else branch may be conditional again
  ExprPtr conditional(const ExprPtr& yes) {
    const Nested nested(*this);
    const Token& op = now();
    ++at_;
    const ExprPtr condition = parse(kOr);
    if (now().kind != Token::Kind::name || now().text != "else")
      fail(now().span, "`else` was expected", "write `a if condition else b`");
    ++at_;
    const ExprPtr no = parse(kConditional);
    Expr expr = begin(Expr::Kind::conditional, op.span);
    expr.span = join(yes->span, no->span);
    expr.args = {condition, yes, no};
    return finish(std::move(expr));
  }

  ExprPtr negate(int strength) {
    const Nested nested(*this);
    Expr expr = begin(Expr::Kind::negate, now().span);
    ++at_;
    expr.args = {at_symbol("-") ? negate(strength) : parse(strength)};
    expr.span = join(expr.at, expr.args[0]->span);
    return finish(std::move(expr));
  }

  ExprPtr prefix() {
    const Token& token = now();
    if (at_symbol("-")) return negate(kPower);
    if (at_symbol("+")) fail(token.span, "a value has no sign `+`", "remove it");
    if (token.kind == Token::Kind::name && token.text == "not") return logical_not();
    return postfix(atom());
  }

  ExprPtr logical_not() {
    const Nested nested(*this);
    Expr expr = begin(Expr::Kind::logical_not, now().span);
    ++at_;
    expr.args = {parse(kNot)};
    expr.span = join(expr.at, expr.args[0]->span);
    return finish(std::move(expr));
  }

  ExprPtr postfix(ExprPtr value) {
    for (;;) {
      if (at_symbol("[")) {
        fail(now().span, "positions are not indexed", "use a state or `shift(x, 1)`", "E0124");
      }
      if (at_symbol("(")) fail(now().span, "only a name can be called", "write `*` for a product");
      if (now().kind != Token::Kind::transpose) return value;
      Expr expr = begin(Expr::Kind::transpose, now().span);
      expr.span = join(value->span, now().span);
      expr.args = {value};
      ++at_;
      value = finish(std::move(expr));
    }
  }

  ExprPtr atom() {
    const Token& token = now();
    if (token.kind == Token::Kind::number || token.kind == Token::Kind::text) return literal();
    if (token.kind == Token::Kind::name) return name();
    if (at_symbol("(")) return parenthesis();
    if (at_symbol("[")) fail(token.span, "a list is no value", "join sizes in a shape only; join tensors with an op");
    fail(token.span, fmt::format("a value was expected before {}", shown(token)), "");
  }

  ExprPtr parenthesis() {
    const Nested nested(*this);
    const Span open = now().span;
    ++at_;
    const ExprPtr inner = expression();
    if (now().kind == Token::Kind::end) fail(open, "this `(` is not closed", "");
    if (!at_symbol(")")) fail(now().span, fmt::format("`)` was expected before {}", shown(now())), "");
    Expr expr = *inner;
    expr.span = join(open, now().span);
    ++at_;
    return std::make_shared<const Expr>(std::move(expr));  // no new node: the same one with its parentheses
  }

  ExprPtr literal() {
    const Token& token = now();
    const bool number = token.kind == Token::Kind::number;
    Expr expr = begin(number ? Expr::Kind::number : Expr::Kind::text, token.span);
    expr.name = number ? "" : token.text;
    expr.number = token.number;
    expr.integer = token.integer;
    expr.whole = token.whole;
    ++at_;
    return finish(std::move(expr));
  }

  ExprPtr name() {
    const Token& token = now();
    const bool truth = token.text == "true" || token.text == "false";
    if (!truth && is_reserved(token.text))
      fail(token.span, fmt::format("a value was expected before `{}`", token.text), "");
    Expr expr = begin(truth ? Expr::Kind::boolean : Expr::Kind::name, token.span);
    expr.name = token.text;
    expr.whole = token.text == "true";
    ++at_;
    if (at_symbol("(") && !truth) return call(std::move(expr));
    return finish(std::move(expr));
  }

  ExprPtr call(Expr expr) {
    const Nested nested(*this);
    expr.kind = Expr::Kind::call;
    const Span open = now().span;
    ++at_;
    bool first = true;
    while (!at_symbol(")")) {
      if (now().kind == Token::Kind::end) fail(open, "this `(` is not closed", "");
      if (!first && !take(",")) fail(now().span, fmt::format("`,` or `)` was expected before {}", shown(now())), "");
      argument(expr);
      first = false;
    }
    expr.span = join(expr.at, now().span);
    ++at_;
    return finish(std::move(expr));
  }

  void argument(Expr& call) {
    const Token& token = now();
    const bool named =
        token.kind == Token::Kind::name && tokens_[at_ + 1].kind == Token::Kind::symbol && tokens_[at_ + 1].text == "=";
    if (!named) {
      if (!call.named.empty())
        fail(token.span, "an argument by position after one by name", "arguments by position come first");
      call.args.push_back(expression());
      return;
    }
    if (!is_name(token.text)) fail(token.span, fmt::format("`{}` cannot name an argument", token.text), "");
    for (const NamedArg& other : call.named) {
      if (other.name == token.text) fail(token.span, fmt::format("the argument `{}` is given twice", token.text), "");
    }
    at_ += 2;
    call.named.push_back({token.text, token.span, expression()});
  }

  const std::vector<Token>& tokens_;
  Diagnostics& diagnostics_;
  size_t at_ = 0;
  int depth_ = 0;
  int nodes_ = 0;
};

}  // namespace weft::dsl
