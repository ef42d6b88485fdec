// How weights are drawn: zeros, ones, normal(std), uniform(a), xavier(gain), orthogonal(gain), or a number.
#pragma once
#include <optional>

#include "dsl/params.h"
#include "engine/key.h"
#include "engine/tensor.h"

namespace weft::dsl {

struct Initialiser {
  enum class Kind { constant, normal, uniform, xavier, orthogonal };
  Kind kind = Kind::constant;
  double value = 0;  // the constant, standard deviation, half width or gain

  /// Without a word of the file: xavier, and zeros below rank 2.
  static Initialiser standard(std::size_t rank);
  /// Of `init:`; nothing when it is none (reported).
  static std::optional<Initialiser> parse(const Expr& expr, const Scope& scope, Diagnostics& diagnostics);
  /// As a description says it: `xavier(0.5)`, `zeros`.
  std::string text() const;
  /// The last two dimensions are inputs and outputs (fan in, fan out); those before count matrices.
  Tensor draw(const Shape& shape, DType dtype, Key key) const;
};

}  // namespace weft::dsl
