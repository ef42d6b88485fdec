#include "tests/dsl/front.h"

using namespace weft::dsl;

namespace {

/// Every operation in parentheses, so that precedence can be read.
std::string tree(const Expr& e) {
  using K = Expr::Kind;
  const auto arg = [&](size_t i) { return tree(*e.args[i]); };
  switch (e.kind) {
    case K::binary:
    case K::comparison:
    case K::logical: return "(" + arg(0) + " " + e.name + " " + arg(1) + ")";
    case K::negate: return "(-" + arg(0) + ")";
    case K::logical_not: return "(not " + arg(0) + ")";
    case K::conditional: return "(" + arg(1) + " if " + arg(0) + " else " + arg(2) + ")";
    case K::transpose: return arg(0) + "'";
    default: return expr_text(e);
  }
}

std::string parsed(const std::string& text) {
  Diagnostics diagnostics;
  const ExprPtr expr = parse_expression(plain_scalar(text), diagnostics);
  return expr ? tree(*expr) : codes_of(diagnostics) + " at " + first_place(diagnostics);
}

/// "3:7": where an error of the first equation of `let` points.
std::string place_in(const std::string& yaml) {
  Diagnostics diagnostics;
  const Yaml root = read_yaml(text_source(yaml), diagnostics);
  REQUIRE(!diagnostics.has_errors());
  parse_equation(root.entries[0].key, root.entries[0].value, diagnostics);
  return first_place(diagnostics);
}

/// The text of the source under the equation's expression.
std::string under(const std::string& yaml) {
  Diagnostics diagnostics;
  const Yaml root = read_yaml(text_source(yaml), diagnostics);
  const ExprPtr expr = parse_expression(root.entries[0].value, diagnostics);
  REQUIRE(expr);
  const auto begin = static_cast<size_t>(expr->span.begin);
  return expr->span.source->text.substr(begin, static_cast<size_t>(expr->span.end) - begin);
}

}  // namespace

TEST_CASE("operators bind as in Python") {
  CHECK(parsed("a + b * c") == "(a + (b * c))");
  CHECK(parsed("a @ b * c") == "((a @ b) * c)");
  CHECK(parsed("a / b // c % d") == "(((a / b) // c) % d)");
  CHECK(parsed("a - b - c") == "((a - b) - c)");
  CHECK(parsed("-x ^ 2") == "(-(x ^ 2))");
  CHECK(parsed("2 ^ -x") == "(2 ^ (-x))");
  CHECK(parsed("2 ^ -3 ^ 2") == "(2 ^ (-(3 ^ 2)))");
  CHECK(parsed("a ^ b ^ c") == "(a ^ (b ^ c))");
  CHECK(parsed("-a * b") == "((-a) * b)");
  CHECK(parsed("a * -b") == "(a * (-b))");
  CHECK(parsed("1 - 2 ^ (-5 - arange(H))") == "(1 - (2 ^ ((-5) - arange(H))))");
  CHECK(parsed("not a == b and c or d") == "(((not (a == b)) and c) or d)");
  CHECK(parsed("a if c else b if d else e") == "(a if c else (b if d else e))");
  CHECK(parsed("a + 1 if x > 2 else b") == "((a + 1) if (x > 2) else b)");
  CHECK(parsed("Q @ K^T * D") == "((Q @ K') * D)");
  CHECK(parsed("x^T ^ 2") == "(x' ^ 2)");
  CHECK(parsed("2 ^ x^T") == "(2 ^ x')");
  CHECK(parsed("f(x, y)^T") == "f(x, y)'");
  CHECK(parsed("x ^ (T)") == "(x ^ T)");
  CHECK(parsed("x ^Tau") == "(x ^ Tau)");
  CHECK(parsed("x - - y") == "(x - (-y))");
}

TEST_CASE("calls take arguments by position and then by name") {
  CHECK(parsed("rn.retention(x, heads=2 * h, form=tanh)") == "rn.retention(x, heads=2 * h, form=tanh)");
  CHECK(parsed("position()") == "position()");
  CHECK(parsed("rearrange(x, \"T (H k) -> H T k\")") == "rearrange(x, \"T (H k) -> H T k\")");
  CHECK(parsed("f(a=1, x)") == "E0120 at 1:8");
  CHECK(parsed("f(a=1, a=2)") == "E0120 at 1:8");
  CHECK(parsed("f(x") == "E0120 at 1:2");
  CHECK(parsed("f(x,)") == "E0120 at 1:5");
  CHECK(parsed("(f)(x)") == "E0120 at 1:4");
}

TEST_CASE("what cannot be read is refused at its place") {
  CHECK(parsed("x[t-1]") == "E0124 at 1:2");
  CHECK(parsed("x ^ T") == "E0125 at 1:3");
  CHECK(parsed("x ^T") == "E0125 at 1:3");
  CHECK(parsed("x^ T") == "E0125 at 1:2");
  CHECK(parsed("a < b < c") == "E0120 at 1:7");
  CHECK(parsed("a ** b") == "E0121 at 1:3");
  CHECK(parsed("a && b") == "E0121 at 1:3");
  CHECK(parsed("!a") == "E0121 at 1:1");
  CHECK(parsed("a × b") == "E0121 at 1:3");
  CHECK(parsed("2 x") == "E0120 at 1:3");
  CHECK(parsed("(a + b") == "E0120 at 1:1");
  CHECK(parsed("a + b)") == "E0120 at 1:6");
  CHECK(parsed("") == "E0120 at 1:1");
  CHECK(parsed("a +") == "E0120 at 1:4");
  CHECK(parsed("and") == "E0120 at 1:1");
  CHECK(parsed("x -> [T]") == "E0120 at 1:3");
  CHECK(parsed("[a, b]") == "E0120 at 1:1");
  CHECK(parsed("+5") == "E0120 at 1:1");
  CHECK(parsed("a = b") == "E0120 at 1:3");
}

TEST_CASE("the error for an index names what to do instead") {
  Diagnostics diagnostics;
  parse_expression(plain_scalar("x[t-1]"), diagnostics);
  CHECK(diagnostics.render(false).find("use a state or `shift(x, 1)`") != std::string::npos);
}

TEST_CASE("numbers are decimal and nothing else") {
  for (const char* text : {"010", "00", "0x10", "0b1", "1_000", ".5", "1.", "1e", "1e+", "1e400", "1e-400", ".inf",
                           "-.inf", "inf", "nan", "1.2.3", "12abc", "9223372036854775808", "0o17"}) {
    CAPTURE(text);
    CHECK(parsed(text).starts_with("E012"));
  }
  Diagnostics diagnostics;
  const auto number = [&](const std::string& text) { return *parse_expression(plain_scalar(text), diagnostics); };
  CHECK(number("2e4").integer);
  CHECK(number("2e4").whole == 20000);
  CHECK(number("9223372036854775807").whole == 9223372036854775807);
  CHECK(!number("1e-3").integer);
  CHECK(number("1e-3").number == 0.001);
  CHECK(!number("3.0").integer);
  CHECK(number("0.1").number == 0.1);
  CHECK(number("0").integer);
  CHECK(!number("1e19").integer);
  CHECK(diagnostics.empty());
}

TEST_CASE("limits bound every later walk over an expression") {
  const auto nested = [](int n) {
    return std::string(static_cast<size_t>(n), '(') + "x" + std::string(static_cast<size_t>(n), ')');
  };
  CHECK(parsed(nested(32)) == "x");
  CHECK(parsed(nested(33)).starts_with("E0123"));
  CHECK(parsed(std::string(5000, '-') + "x").starts_with("E0123"));
  CHECK(parsed(std::string(3000, '-') + "x").starts_with("E0123"));
  std::string sum = "x", power = "x", calls;
  for (int i = 0; i < 300; ++i) sum += " + x";
  for (int i = 0; i < 300; ++i) power += " ^ x";
  for (int i = 0; i < 300; ++i) calls += "f(";
  CHECK(parsed(sum).starts_with("E0123"));
  CHECK(parsed(power).starts_with("E0123"));
  CHECK(parsed(calls).starts_with("E01"));
}

TEST_CASE("a caret stands on the token's own line") {
  CHECK(place_in("q: a + $\n") == "1:8");
  CHECK(place_in("q: a\n   + b\n   + $\n") == "3:6");
  CHECK(place_in("q: a   \n\n     + b  $\n") == "3:11");
  CHECK(place_in("q: |\n  a +\n    $ + b\n") == "3:5");
  CHECK(place_in("q: >-\n  a +\n  b $ c\n") == "3:5");
  CHECK(place_in("q: \"a + $\"\n") == "1:9");
  CHECK(place_in("q: 'a + $'\n") == "1:9");
  CHECK(place_in("q: a +\r\n  $\r\n") == "2:3");
  CHECK(place_in("\xEF\xBB\xBFq: $\n") == "1:4");
  CHECK(place_in("q: f('é') + $\n") == "1:13");  // columns count code points
}

TEST_CASE("spans cover the expression in the source") {
  CHECK(under("q: (a + b)   # comment\n") == "(a + b)");
  CHECK(under("q: f(a,\n     b)\n") == "f(a,\n     b)");
  CHECK(under("q: |\n  a +\n  b\n") == "a +\n  b");
  CHECK(under("q: 'a + b'\n") == "a + b");
}

TEST_CASE("an escape in an expression is refused") {
  Diagnostics diagnostics;
  const Yaml root = read_yaml(text_source("q: \"a \\x2b b\"\n"), diagnostics);
  CHECK(parse_expression(root.entries[0].value, diagnostics) == nullptr);
  CHECK(codes_of(diagnostics) == "E0121");
  CHECK(first_place(diagnostics) == "1:7");
}

TEST_CASE("equations carry claims and shapes come from lists and from text") {
  Diagnostics diagnostics;
  const Yaml root = read_yaml(text_source("q: f(x)   -> [H, T, dk]\ns: [D, H * dk]\nr: [..., "
                                          "n]\nt: '[D, 2]'\ne: []\nb: [n, ...]\n"),
                              diagnostics);
  const auto equation = parse_equation(root.entries[0].key, root.entries[0].value, diagnostics);
  REQUIRE(equation);
  CHECK(equation->name == "q");
  CHECK(expr_text(*equation->value) == "f(x)");
  CHECK(shape_text(*equation->claim) == "[H, T, dk]");
  CHECK(place(equation->claim_span).column == 14);
  CHECK(shape_text(*parse_shape(*root.find("s"), diagnostics)) == "[D, H * dk]");
  CHECK(shape_text(*parse_shape(*root.find("r"), diagnostics)) == "[..., n]");
  CHECK(shape_text(*parse_shape(*root.find("t"), diagnostics)) == "[D, 2]");
  CHECK(parse_shape(*root.find("e"), diagnostics)->empty());
  CHECK(diagnostics.empty());
  CHECK(!parse_shape(*root.find("b"), diagnostics));
  CHECK(codes_of(diagnostics) == "E0126");
}

TEST_CASE("expressions written as text keep their meaning") {
  for (const char* text :
       {"-x ^ 2", "(-x) ^ 2", "2 ^ -x", "(a + b) * c", "a - (b - c)", "(a if b else c) + 1", "a ^ b ^ c", "(a ^ b) ^ c",
        "(x @ y)^T", "not (a and b)", "x ^ (T)", "(a < b) == c", "-(a + b)", "3.0 / 2", "a * (b / c)"}) {
    CAPTURE(text);
    Diagnostics diagnostics;
    const ExprPtr expr = parse_expression(plain_scalar(text), diagnostics);
    REQUIRE(expr);
    CHECK(parsed(expr_text(*expr)) == tree(*expr));
  }
}
