// Warnings for names of a def that nothing reads.

#include <cctype>
#include <set>
#include <utility>

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

void collect_calls(const ExprPtr& expr, std::set<std::string>& calls) {
  if (!expr) return;
  if (expr->kind == Expr::Kind::call) calls.insert(expr->name);
  for (const ExprPtr& arg : expr->args) collect_calls(arg, calls);
  for (const NamedArg& arg : expr->named) collect_calls(arg.value, calls);
}

void collect_calls(const std::vector<Equation>& equations, std::set<std::string>& calls) {
  for (const Equation& equation : equations) collect_calls(equation.value, calls);
}

void collect_calls(const std::vector<Item>& items, std::set<std::string>& calls) {
  for (const Item& item : items) {
    if (item.kind == Item::Kind::call) calls.insert(item.callee);
    if (item.norm) calls.insert(item.norm->callee);
    collect_calls(item.body, calls);
    for (const std::vector<Item>& branch : item.branches) collect_calls(branch, calls);
  }
}

/// Every word in the values of a tree. More than is read (a text counts too), so that no warning is wrong.
void collect_words(const Yaml& value, std::set<std::string>& words) {
  std::string word;
  for (const char c : value.text + " ") {
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '_') {
      word += c;
    } else {
      words.insert(std::exchange(word, {}));
    }
  }
  for (const Entry& entry : value.entries) collect_words(entry.value, words);
  for (const Yaml& item : value.items) collect_words(item, words);
}

std::set<std::string> words_of(const File& file) {
  std::set<std::string> words = {"vocab", "classes"};  // read by the program itself
  const Yaml* params = nullptr;
  for (const Entry& entry : file.tree->entries) {
    if (entry.key.text == "params") params = &entry.value;
    else collect_words(entry.value, words);
  }
  for (std::size_t before = 0; params && before != words.size();) {  // params that only unread params read are unread
    before = words.size();
    for (const Entry& entry : params->entries) {
      if (words.contains(entry.key.text)) collect_words(entry.value, words);
    }
  }
  return words;
}

void warn_unused_params(const File& file, Diagnostics& diagnostics) {
  const std::set<std::string> words = words_of(file);
  for (const Param& param : file.params) {
    if (words.contains(param.name)) continue;
    diagnostics.warning("W0101", param.span, fmt::format("param `{}` is never used", param.name)).help("remove it");
  }
}

}  // namespace

std::set<std::string> calls_in(const Def& def) {
  std::set<std::string> calls;
  collect_calls(def.let, calls);
  collect_calls(def.out, calls);
  if (def.recurrence) {
    collect_calls(def.recurrence->step, calls);
    collect_calls(def.recurrence->read, calls);
  }
  if (def.fold) {
    for (const auto* part : {&def.fold->leaf, &def.fold->merge, &def.fold->read}) collect_calls(*part, calls);
  }
  return calls;
}

bool is_read(const File& file, const std::string& param) { return words_of(file).contains(param); }

void warn_unused(const File& file, Diagnostics& diagnostics) {
  warn_unused_params(file, diagnostics);
  std::set<std::string> calls;
  collect_calls(file.model, calls);
  for (size_t before = 0; before != calls.size();) {  // until no def adds another
    before = calls.size();
    for (const Def& def : file.defs) {
      if (calls.contains(def.name)) calls.merge(calls_in(def));
    }
  }
  for (const Def& def : file.defs) {
    if (calls.contains(def.name)) continue;
    diagnostics
        .warning("W0102", def.span, fmt::format("def `{}` is not used: its names and shapes are not checked", def.name))
        .help("call it, or remove it");
  }
}

void warn_unused(const Def& def, Diagnostics& diagnostics) {
  if (def.broken) return;  // the missing part may be the reader
  const Reads reads = reads_of(def);
  const auto check = [&](const std::string& name, const Span& span, std::string_view what) {
    if (!reads.has(name))
      diagnostics.warning("W0101", span, fmt::format("{} `{}` of def `{}` is never used", what, name, def.name))
          .help("remove it");
  };
  for (const Param& param : def.params) check(param.name, param.span, "param");
  for (const InputDef& input : def.in) check(input.name, input.span, "input");
  for (const WeightDef& weight : def.weights) check(weight.name, weight.span, "weight");
  for (const Equation& equation : def.let) check(equation.name, equation.name_span, "value");
  if (def.recurrence) {
    for (const StateDef& state : def.recurrence->states) check(state.name, state.span, "state");
    for (const Equation& equation : def.recurrence->read) check(equation.name, equation.name_span, "value");
  }
  if (def.fold) {
    for (const Equation& equation : def.fold->read) check(equation.name, equation.name_span, "value");
  }
}

}  // namespace weft::dsl
