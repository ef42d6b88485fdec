// What a function of single elements hands on of its cotangent.
#include "dsl/gradient.h"
#include "dsl/terms.h"

namespace weft::dsl {
namespace {

ExprPtr squared(const ExprPtr& x) { return binary_of("^", x, number_of(2, *x)); }
ExprPtr one_less(const ExprPtr& x) { return binary_of("-", number_of(1, *x), x); }

}  // namespace

ExprPtr slope(const std::string& name, const ExprPtr& x, const ExprPtr& y) {
  const auto call = [](const char* f, const ExprPtr& a) { return call_of(f, {a}); };
  const auto beyond = [&](const char* f) { return call_of(f, {x, number_of(0, *x)}); };
  if (name == "exp") return y;
  if (name == "log") return call("reciprocal", x);
  if (name == "log1p") return call("reciprocal", binary_of("+", number_of(1, *x), x));
  if (name == "reciprocal") return negated(squared(y));
  if (name == "square") return binary_of("*", number_of(2, *x), x);
  if (name == "sqrt") return binary_of("/", number_of(0.5, *x), y);
  if (name == "rsqrt") return binary_of("*", number_of(-0.5, *x), binary_of("/", y, x));
  if (name == "tanh") return one_less(squared(y));
  if (name == "sigmoid") return binary_of("*", y, one_less(y));
  if (name == "softplus") return call("sigmoid", x);
  if (name == "log_sigmoid") return call("sigmoid", negated(x));
  if (name == "relu") return beyond("greater");
  if (name == "abs") return binary_of("-", beyond("greater"), beyond("less"));
  if (name == "sin") return call("cos", x);
  if (name == "cos") return negated(call("sin", x));
  if (name == "swish") {
    const ExprPtr s = call("sigmoid", x);
    return binary_of("*", s, binary_of("+", number_of(1, *x), binary_of("*", x, one_less(s))));
  }
  return {};
}

}  // namespace weft::dsl
