// `a @ b`: the last dimension of a meets the second to last of b (its only one, when b is a vector). Dimensions of b
// before those are matched with a's by name: a [H, T, dk] @ b [H, dk, dv] is a product per head. A transpose written
// in the product becomes part of its pattern.
#include <fmt/format.h>

#include <algorithm>

#include "dsl/builder.h"
#include "ops/table.h"

namespace weft::dsl {
namespace {

struct Factor {
  Operand operand;
  Dims dims;
  bool swapped = false;  // written with ^T
  std::string letters;   // one a dimension, in the order of the tensor itself
};

}  // namespace

Var Builder::matmul(const Expr& expr) {
  const auto factor = [&](const Expr& e) {
    const bool swapped = e.kind == Expr::Kind::transpose && !intercept;
    Factor f{operand(swapped ? *e.args[0] : e), {}, swapped, {}};
    f.dims = dims_of(f.operand.var);
    if (swapped && f.dims.size() < 2) return Factor{operand(e), {}, false, {}};  // reports
    if (swapped) std::swap(f.dims[f.dims.size() - 1], f.dims[f.dims.size() - 2]);
    return f;
  };
  std::optional<Factor> tried;
  try {
    tried = factor(*expr.args[0]);
  } catch (const Failed&) {  // the errors of the other side are told too
  }
  Factor b = factor(*expr.args[1]);
  if (!tried) throw Failed{};
  Factor a = std::move(*tried);
  for (const Factor* f : {&a, &b}) {
    if (f->dims.empty()) {
      fail("E0203", expr.at, fmt::format("`{}` is a scalar: `@` sums over a dimension", f->operand.text), "use `*`");
    }
  }
  const std::size_t inner = b.dims.size() < 2 ? 0 : b.dims.size() - 2;  // of b
  const Dim& summed = a.dims.back();
  if (!same_size(summed, b.dims[inner])) {
    Diagnostic& d = program_.diagnostics.error(
        "E0203", expr.at,
        fmt::format("`@` sums over {} on the left and {} on the right", summed.text(), b.dims[inner].text()));
    d.note(fmt::format("`{}` is {}", a.operand.text, text(a.dims)), a.operand.span);
    d.note(fmt::format("`{}` is {}", b.operand.text, text(b.dims)), b.operand.span);
    if (b.dims.size() > 1 && same_size(summed, b.dims.back())) {
      d.help(fmt::format("transpose the right one: `{} @ {}^T`", a.operand.text, b.operand.text));
    }
    throw Failed{};
  }

  char next = 'a';
  std::string left, right, rows, fresh;  // letters of a, of b, and of the result
  for (std::size_t i = 0; i < a.dims.size(); ++i) left += next++;
  rows = left.substr(0, left.size() - 1);
  for (std::size_t i = 0; i < b.dims.size(); ++i) {
    if (i == inner) {
      right += left.back();
    } else if (i + 1 == b.dims.size()) {
      right += next++;
    } else {
      char match = 0;
      for (std::size_t j = 0; j + 1 < a.dims.size() && !match; ++j) {
        const bool taken = right.find(left[j]) != std::string::npos;
        if (!taken && agree(b.dims[i], a.dims[j], room_.definitions)) match = left[j];
      }
      if (!match) fresh += match = next++;
      right += match;
    }
  }
  const std::string column = b.dims.size() < 2 ? "" : right.substr(right.size() - 1);
  std::string out = fresh + rows + column;
  const auto own = [](const Factor& f, std::string letters) {
    if (f.swapped) std::swap(letters[letters.size() - 1], letters[letters.size() - 2]);
    return (has_batch(f.operand.var) ? "z" : "") + letters;
  };
  if (has_batch(a.operand.var) || has_batch(b.operand.var)) out = "z" + out;
  if (is_time(summed)) {
    if (masked(a.operand.var) && !a.swapped) program_.repeats = expr.at;
    else whole(expr.at, "this product sums over all of T");
  }
  return append(graph_, "contract", {a.operand.var, b.operand.var},
                {{"pattern", own(a, left) + "," + own(b, right) + "->" + out}})[0];
}

}  // namespace weft::dsl
