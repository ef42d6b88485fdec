// Expressions to graph: numbers are folded, names looked up, operators and calls become ops whose operands were
// aligned by name.
#pragma once
#include <functional>

#include "dsl/room.h"

namespace weft::dsl {

/// What an expression is: a number, truth value or word known while building, or a tensor of the graph.
using Term = std::variant<Value, Var>;

/// Where a value of an outer graph is needed inside the step of a recurrence.
class Bridge {
 public:
  virtual ~Bridge() = default;
  /// A name that the step does not define itself; nothing when nobody does.
  virtual std::optional<Term> find(const Expr& name) = 0;
  /// A weight or other value that does not depend on time.
  virtual Var bring(const Var& outer) = 0;
};

class Builder {
 public:
  Builder(Program& program, Graph& graph, Room& room, Bridge* bridge = nullptr)
      : program_(program), graph_(graph), room_(room), bridge_(bridge) {}

  // Each throws Failed after reporting, silently where a name failed before.
  Term term(const Expr& expr);
  Var tensor(const Expr& expr);
  /// A size with its names: `H * dk`, of at most 2^31 - 1.
  Dim size(const Expr& expr);
  /// A written shape without `...`.
  Dims shape(const ShapeExpr& shape);

  /// Evaluates an equation under its name in the room; a failure marks the name.
  void define(const Equation& equation);
  /// The value of one, claim checked.
  Term value(const Equation& equation);

  /// Tried before anything else, on every part of an expression: how a recurrence reads its states.
  std::function<std::optional<Term>(const Expr&)> intercept;

  Program& program() { return program_; }
  Graph& graph() { return graph_; }
  Room& room() { return room_; }
  Bridge* bridge() { return bridge_; }
  /// Applies an op to aligned operands and keeps the books on time; empty operands are absent inputs.
  std::vector<Var> apply(const Op& op, std::vector<std::optional<Operand>> operands,
                         std::vector<AttributeValue> attributes, const Span& at, Anneals annealed = {});
  Operand operand(const Expr& expr, int core = 0);
  Var claimed(const Var& v, const Equation& equation);
  Var constant(double value);

 private:
  Dim named_size(const Expr& expr);
  bool arithmetic(const Expr& expr) const;
  Term name(const Expr& expr);
  Term binary(const Expr& expr);
  Term conditional(const Expr& expr);
  Var transposed(const Expr& expr);
  Var matmul(const Expr& expr);
  Term call(const Expr& expr);
  Var call_op(const Op& op, const Expr& expr);
  Var call_def(const FoundDef& def, const Expr& expr);
  AttributeValue attribute(const Op& op, std::size_t which, const Expr& expr, const Var& first, Anneals& annealed);
  void refuse_growing(const Op& op, const Dims& state, const Span& at);
  void refuse_tensors(const Op& op, const AttributeInfo& info, const Expr& expr);
  i64 axis(const Expr& expr, const Var& first);
  std::string word(const AttributeInfo& info, const Expr& expr);
  std::string batched_pattern(const std::string& pattern, const std::vector<Operand>& operands, const Span& at);
  void watch_summed(const std::vector<std::string>& sides, const std::vector<Operand>& operands, const Span& at);
  void watch_time(const Op& op, const std::vector<Var>& inputs, const std::vector<AttributeValue>& attributes,
                  const std::vector<Var>& outputs, const Span& at);
  bool watch_axis(const Op& op, const std::vector<Var>& inputs, const std::vector<AttributeValue>& attributes,
                  bool behind_mask, const Span& at);
  void watch_stream(const Op& op, const std::vector<Var>& inputs, const Dims& y, const Span& at);
  void watch_step(const Op& op, const Span& at);
  void whole(const Span& at, const std::string& what, const std::string& help = {});
  bool masked(const Var& v) const { return program_.masked.contains(v.id()) && &v.graph() == &program_.graph; }
  std::vector<std::string> visible() const;
  [[noreturn]] void fail(std::string_view code, const Span& span, const std::string& message,
                         const std::string& help = {});

  Program& program_;
  Graph& graph_;
  Room& room_;
  Bridge* bridge_;
  std::string equation_;              // the name being defined
  std::map<std::string, int> calls_;  // of each def in this equation
};

}  // namespace weft::dsl
