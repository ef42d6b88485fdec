// How weights are drawn: zeros, ones, normal(std), uniform(a), xavier(gain), orthogonal(gain), a number, or an
// expression with a value for each element.
#pragma once
#include <optional>

#include "dsl/params.h"
#include "engine/key.h"
#include "engine/tensor.h"

namespace weft::dsl {

struct Initialiser {
  enum class Kind { constant, normal, uniform, xavier, orthogonal, values };
  Kind kind = Kind::constant;
  double value = 0;    // the constant, standard deviation, half width or gain
  Tensor values = {};  // of an expression, in f64
  std::string written = {};

  /// Without a word of the file: xavier, and zeros below rank 2.
  static Initialiser standard(std::size_t rank);
  /// Of `init:`; nothing when it is none (reported).
  static std::optional<Initialiser> parse(const Expr& expr, const Scope& scope, Diagnostics& diagnostics);
  /// Whether `expr` has a value for each element: it calls an op, as in `log(1 + arange(H))`.
  static bool is_computed(const Expr& expr);
  /// As a description says it: `xavier(0.5)`, `zeros`.
  std::string text() const;
  /// The last two dimensions are inputs and outputs (fan in, fan out); those before count matrices.
  Tensor draw(const Shape& shape, DType dtype, Key key) const;
};

}  // namespace weft::dsl
