#include "dsl/initialiser.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace weft::dsl {
namespace {

struct Known {
  const char* name;
  Initialiser::Kind kind;
  std::optional<double> standard;  // the argument when none is given; nothing: it must be given
};
constexpr Known kKnown[] = {
    {"normal", Initialiser::Kind::normal, {}},
    {"uniform", Initialiser::Kind::uniform, {}},
    {"xavier", Initialiser::Kind::xavier, 1.0},
    {"orthogonal", Initialiser::Kind::orthogonal, 1.0},
};

// Rows of a normal matrix made orthonormal one after the other (Gram and Schmidt, twice for accuracy).
void orthonormal_rows(std::vector<double>& a, i64 rows, i64 columns) {
  const auto row = [&](i64 r) { return a.data() + r * columns; };
  for (i64 r = 0; r < rows; ++r) {
    for (int pass = 0; pass < 2; ++pass) {
      for (i64 s = 0; s < r; ++s) {
        double dot = 0;
        for (i64 c = 0; c < columns; ++c) dot += row(r)[c] * row(s)[c];
        for (i64 c = 0; c < columns; ++c) row(r)[c] -= dot * row(s)[c];
      }
    }
    double norm = 0;
    for (i64 c = 0; c < columns; ++c) norm += row(r)[c] * row(r)[c];
    for (i64 c = 0; c < columns; ++c) row(r)[c] /= std::sqrt(norm);
  }
}

std::vector<double> orthogonal(i64 rows, i64 columns, Key key) {
  const bool wide = rows <= columns;
  const i64 r = std::min(rows, columns), c = std::max(rows, columns);
  std::vector<double> a(static_cast<std::size_t>(r * c));
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = normal(key, i);
  orthonormal_rows(a, r, c);
  if (wide) return a;
  std::vector<double> t(a.size());
  for (i64 i = 0; i < r; ++i) {
    for (i64 j = 0; j < c; ++j) t[static_cast<std::size_t>(j * r + i)] = a[static_cast<std::size_t>(i * c + j)];
  }
  return t;
}

}  // namespace

Initialiser Initialiser::standard(std::size_t rank) { return rank < 2 ? Initialiser{} : Initialiser{Kind::xavier, 1}; }

std::optional<Initialiser> Initialiser::parse(const Expr& expr, const Scope& scope, Diagnostics& diagnostics) {
  const bool call = expr.kind == Expr::Kind::call;
  if (call || (expr.kind == Expr::Kind::name && !scope.contains(expr.name))) {
    if (!call && expr.name == "zeros") return Initialiser{};
    if (!call && expr.name == "ones") return Initialiser{Kind::constant, 1};
    for (const Known& known : kKnown) {
      if (expr.name != known.name) continue;
      const std::size_t given = expr.args.size() + expr.named.size();
      if (given > 1 || (given == 0 && !known.standard)) {
        diagnostics.error("E0206", expr.span, fmt::format("`{}` takes one number", expr.name))
            .help(fmt::format("as in `{}(0.02)`", expr.name));
        return {};
      }
      if (given == 0) return Initialiser{known.kind, *known.standard};
      const auto value = evaluate_real(expr.args.empty() ? *expr.named[0].value : *expr.args[0], scope, diagnostics);
      if (!value) return {};
      return Initialiser{known.kind, *value};
    }
    std::vector<std::string> names = {"zeros", "ones"};
    for (const Known& known : kKnown) names.emplace_back(known.name);
    const auto& arithmetic = number_functions();
    if (!call || std::find(arithmetic.begin(), arithmetic.end(), expr.name) == arithmetic.end()) {
      diagnostics.error("E0206", expr.span, fmt::format("`{}` is no initialiser", expr.name))
          .note("initialisers are " + listed(names) + ", or a number")
          .help(guess_text(expr.name, names));
      return {};
    }
  }
  const auto value = evaluate(expr, scope, diagnostics, Division::real);
  if (!value) return {};
  if (const i64* whole = std::get_if<i64>(&*value)) return Initialiser{Kind::constant, static_cast<double>(*whole)};
  if (const double* real = std::get_if<double>(&*value)) return Initialiser{Kind::constant, *real};
  diagnostics.error("E0206", expr.span, fmt::format("a weight starts as a number, not {}", value_text(*value)))
      .help(still_number(*value));
  return {};
}

bool Initialiser::is_computed(const Expr& expr) {
  const auto& numbers = number_functions();
  const bool draws =
      std::any_of(std::begin(kKnown), std::end(kKnown), [&](const Known& k) { return k.name == expr.name; });
  const bool number = std::find(numbers.begin(), numbers.end(), expr.name) != numbers.end();
  if (expr.kind == Expr::Kind::call && !draws && !number) return true;
  return std::any_of(expr.args.begin(), expr.args.end(), [](const ExprPtr& a) { return is_computed(*a); });
}

std::string Initialiser::text() const {
  if (kind == Kind::values) return written;
  if (kind == Kind::constant) return value == 0 ? "zeros" : value == 1 ? "ones" : fmt::format("{}", value);
  for (const Known& known : kKnown) {
    if (known.kind == kind) return fmt::format("{}({})", known.name, value);
  }
  return {};
}

Tensor Initialiser::draw(const Shape& shape, DType dtype, Key key) const {
  if (kind == Kind::values) return values.converted(dtype);
  const std::size_t count = static_cast<std::size_t>(element_count(shape));
  const std::size_t rank = shape.size();
  const i64 columns = rank > 0 ? shape[rank - 1] : 1, rows = rank > 1 ? shape[rank - 2] : 1;
  std::vector<double> values(count, value);
  switch (kind) {
    case Kind::constant:
    case Kind::values: break;
    case Kind::normal:
      for (std::size_t i = 0; i < count; ++i) values[i] = value * normal(key, i);
      break;
    case Kind::uniform:
      for (std::size_t i = 0; i < count; ++i) values[i] = value * (2 * uniform(key, i) - 1);
      break;
    case Kind::xavier: {  // Glorot and Bengio 2010: uniform with variance 2 / (fan in + fan out)
      const double half = value * std::sqrt(6.0 / static_cast<double>(rows + columns));
      for (std::size_t i = 0; i < count; ++i) values[i] = half * (2 * uniform(key, i) - 1);
      break;
    }
    case Kind::orthogonal: {
      const std::size_t size = static_cast<std::size_t>(rows * columns);
      for (std::size_t m = 0; size > 0 && m < count / size; ++m) {
        const auto matrix = orthogonal(rows, columns, key.fold(m));
        for (std::size_t i = 0; i < size; ++i) values[m * size + i] = value * matrix[i];
      }
      break;
    }
  }
  return Tensor::from(values, shape, dtype);
}

}  // namespace weft::dsl
