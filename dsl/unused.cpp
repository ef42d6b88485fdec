// Warnings for names of a def that nothing reads.

#include <set>

#include <fmt/format.h>

#include "dsl/def_reader.h"

namespace weft::dsl {
namespace {

class Reads {
 public:
  void add(const ExprPtr& expr) {
    if (!expr) return;
    for (std::string& name : names_in(*expr)) names_.insert(std::move(name));
  }
  void add(const ShapeExpr& shape) {
    for (const ExprPtr& dim : shape) add(dim);
  }
  // A claim counts as no reader: it checks a value, it does not need it.
  void add(const std::vector<Equation>& equations) {
    for (const Equation& equation : equations) add(equation.value);
  }
  bool has(const std::string& name) const { return names_.contains(name); }

 private:
  std::set<std::string> names_;
};

Reads reads_of(const Def& def) {
  Reads reads;
  for (const Param& param : def.params) {
    for (const ExprPtr& expr : {param.value, param.min, param.max}) reads.add(expr);
  }
  for (const InputDef& input : def.in) reads.add(input.shape);
  for (const DimDef& dim : def.dims) reads.add(dim.value);
  for (const WeightDef& weight : def.weights) {
    reads.add(weight.shape);
    for (const ExprPtr& expr : {weight.init, weight.redraw}) reads.add(expr);
  }
  reads.add(def.let);
  reads.add(def.out);
  if (def.recurrence) {
    for (const StateDef& state : def.recurrence->states) {
      reads.add(state.shape);
      reads.add(state.init);
    }
    reads.add(def.recurrence->step);
    reads.add(def.recurrence->read);
    reads.add(def.recurrence->chunk);
  }
  if (def.fold) {
    for (const auto* part : {&def.fold->leaf, &def.fold->merge, &def.fold->read}) reads.add(*part);
  }
  return reads;
}

}  // namespace

void warn_unused(const Def& def, Diagnostics& diagnostics) {
  if (def.broken) return;  // the missing part may be the reader
  const Reads reads = reads_of(def);
  const auto check = [&](const std::string& name, const Span& span, std::string_view what) {
    if (!reads.has(name))
      diagnostics
          .warning("W0101", span,
                   fmt::format("{} `{}` of def `{}` is never used", what, name, def.name))
          .help("remove it");
  };
  for (const Param& param : def.params) check(param.name, param.span, "param");
  for (const InputDef& input : def.in) check(input.name, input.span, "input");
  for (const WeightDef& weight : def.weights) check(weight.name, weight.span, "weight");
  for (const Equation& equation : def.let) check(equation.name, equation.name_span, "value");
  if (def.recurrence) {
    for (const StateDef& state : def.recurrence->states) check(state.name, state.span, "state");
    for (const Equation& equation : def.recurrence->read)
      check(equation.name, equation.name_span, "value");
  }
  if (def.fold) {
    for (const Equation& equation : def.fold->read)
      check(equation.name, equation.name_span, "value");
  }
}

}  // namespace weft::dsl
