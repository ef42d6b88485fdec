// A graph inside the graph: the step of a recurrence, the merge and the read of a fold. Its equations see the names of
// the def through a bridge.
#pragma once
#include "dsl/builder.h"

namespace weft::dsl {

/// Values from outside that an inner graph reads: those with T come as one entry a position, the others whole.
class InnerBridge final : public Bridge {
 public:
  /// Where T stands in the sequences outside: [T, B, ...] or [B, T, ...]; `refused` where there is no position.
  enum class Time { in_front, behind_batch, refused };
  InnerBridge(Builder& outer, Graph& inner, Time time) : outer_(outer), inner_(inner), time_(time) {}

  std::optional<Term> find(const Expr& expr) override;
  Var bring(const Var& outer) override;
  /// The entry of a sequence that is laid out as `time` says.
  Var enter(const std::string& name, const Var& sequence, Dims entry);

  std::vector<std::pair<Var, Var>> sequences, constants;  // outside, inside

 private:
  Var slice(const Expr& expr, Var v);

  Builder& outer_;
  Graph& inner_;
  Time time_;
  std::map<std::string, Var> names_;
};

/// A room for the equations of an inner graph: what numbers and sizes the def has, and no tensors.
Room inner_room(const Room& outside);

/// The value `v` of an equation in the shape of `like` [B, dims], which is called a `what`; one that does not vary over
/// the batch, or over a dimension, is repeated. Throws Failed.
Var fitted(Builder& inner, const Equation& e, const Var& v, const Var& like, const char* what,
           const char* value = "new value");

/// [B, H, T, D] as [T, B, H, D] or [B, T, H, D]: time to the place `to`; and back, where it stands before the last
/// dimension.
Var with_time_at(const Var& v, std::size_t to);
Var with_time_last(const Var& v, std::size_t from);

}  // namespace weft::dsl
