// The parts of a linear recurrence as tensors over whole sequences: keys, values, decays, errors.
#pragma once
#include "dsl/recurrence.h"

namespace weft::dsl {

/// A tensor over all positions, and the expression that it is.
struct Part {
  Var value;
  ExprPtr text;
  explicit operator bool() const { return bool(value); }
};

/// What a matrix state is made of, rows in the layout of `linrec`; absent parts are empty.
///
///     S' = decay o S + k^T (v - erase S)          or, with beta,
///     S' = decay o S + k^T beta (v - k S)         where the error is of S, or of decay o S
struct MatrixParts {
  Dims lead;
  Dim K, V;
  Var k, v, decay, beta, erase;
  Var theta;  // k is turned back by the angle of its position, and q must be too
  std::string error = "before";
  std::vector<std::pair<std::string, ExprPtr>> texts;  // of those that are there

  bool has_parallel() const { return !beta && !erase && (!decay || is_one(decay.dims().back())); }
};

class LinearParts {
 public:
  using Build = std::function<Var(const Piece&)>;
  LinearParts(Builder& builder, const Recurrence& r, Build build)
      : builder_(builder), r_(r), build_(std::move(build)) {}

  /// Of a state whose keys are its rows, or its columns when `transposed`. Throws NotDerivable.
  const MatrixParts& matrix(const StateForm& f, bool transposed);
  Var theta_of(const StateForm& f);

  Part part(const Piece& p) { return {build_(p), p.value}; }
  Part number(double value, const StateForm& f);
  /// sign * factors * start; 1 without a start.
  Part product(int sign, const std::vector<Piece>& factors, const Part& start, const StateForm& f);
  /// sum + term, or the term alone.
  Part plus(const Part& sum, const Part& term, const Span& at);
  /// `v` with the dimensions `target`, each of its own or 1; the last `full` of them repeated to their size.
  Var fit(Var v, const Dims& target, std::size_t full, const Span& at);
  /// Applies an op to operands that fit each other already.
  std::vector<Var> apply(const std::string& op, const std::vector<Var>& inputs,
                         const std::vector<std::pair<std::string, AttributeValue>>& attributes, const Span& at);
  /// The last two dimensions exchanged.
  Var swapped(const Var& v);

 private:
  struct Added {  // a term of the update: factors * outer(key, value), or the error's share of it
    const Summand* term;
    int sign;
    std::vector<Piece> factors;
    Piece key, value;
  };
  std::vector<Added> added(const StateForm& f, bool transposed, const Dims& lead);
  void take_factors_of_key(Added& a, const Dims& lead);
  void set_decay(const StateForm& f, MatrixParts& m);
  bool set_beta(const StateForm& f, const std::vector<Added>& all, MatrixParts& m);
  void set_sums(const StateForm& f, const std::vector<Added>& all, MatrixParts& m);
  bool only(const Var& v, const Dims& allowed) const;
  Dims rows(const MatrixParts& m, const Dim& last) const;

  Builder& builder_;
  const Recurrence& r_;
  Build build_;
  std::map<std::pair<std::string, bool>, MatrixParts> matrices_;
};

/// A matrix [.., K, V] with each pair of its rows turned by theta [K / 2]: what one step of a rotating state does.
Var turned(const Var& S, const Var& theta);

}  // namespace weft::dsl
