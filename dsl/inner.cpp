#include "dsl/inner.h"

#include <fmt/format.h>

#include <algorithm>

namespace weft::dsl {
namespace {

// The dimension at `from` moved to `to`.
Var moved(const Var& v, std::size_t from, std::size_t to) {
  if (from == to) return v;
  std::string letters, order;
  for (std::size_t i = 0; i < v.dims().size(); ++i) letters += static_cast<char>('a' + i);
  order = letters;
  order.erase(from, 1);
  order.insert(to, 1, letters[from]);
  return append(v.graph(), "transpose", {v}, {{"order", letters + "->" + order}})[0];
}

}  // namespace

Var with_time_at(const Var& v, std::size_t to) {
  const auto& all = v.dims();
  return moved(v, static_cast<std::size_t>(std::find_if(all.begin(), all.end(), is_time) - all.begin()), to);
}

Var with_time_last(const Var& v, std::size_t from) {
  const std::size_t rank = v.dims().size();
  const bool batch = std::any_of(v.dims().begin(), v.dims().end(), is_batch);
  return moved(v, from, rank > (batch ? 2u : 1u) ? rank - 2 : rank - 1);
}

std::optional<Term> InnerBridge::find(const Expr& expr) {
  const std::string& name = expr.name;
  if (const auto known = names_.find(name); known != names_.end()) return known->second;
  Room& room = outer_.room();
  if (!room.tensors.contains(name) && !room.weights.contains(name)) {
    if (room.failed.contains(name)) throw Failed{};
    return {};
  }
  const Var v = outer_.tensor(expr);
  return names_[name] = count_time(dims_of(v)) == 0 ? bring(v) : slice(expr, v);
}

Var InnerBridge::bring(const Var& outer) {
  for (const auto& [from, to] : constants) {
    if (from.id() == outer.id()) return to;
  }
  const Var in = inner_.input("constant", outer.dims(), Kind::real, outer.needs_gradient());
  constants.emplace_back(outer, in);
  return in;
}

Var InnerBridge::enter(const std::string& name, const Var& sequence, Dims entry) {
  const Var in = inner_.input(name, std::move(entry), Kind::real, sequence.needs_gradient());
  sequences.emplace_back(sequence, in);
  return in;
}

// [B, H, T, D] outside is [B, H, D] inside.
Var InnerBridge::slice(const Expr& expr, Var v) {
  Dims dims = dims_of(v);
  const auto refuse = [&](const std::string& sees, const std::string& help) {
    outer_.program()
        .diagnostics.error("E0304", expr.span, fmt::format("`{}` is {}, and {}", expr.name, text(dims), sees))
        .help(help);
    throw Failed{};
  };
  if (time_ == Time::refused) {
    refuse("a merge sees nodes, not time", "name it in `leaf`: then every node has a value of it");
  }
  if (count_time(dims) > 1) refuse("a step sees one position", "");
  if (time_ == Time::behind_batch && !has_batch(v)) {
    v = append(v.graph(), "expand", {v}, {{"shape", with_batch(dims, true)}})[0];
  }
  const bool batch = has_batch(v);
  dims.erase(std::find_if(dims.begin(), dims.end(), is_time));
  return enter(expr.name, with_time_at(v, time_ == Time::behind_batch ? 1 : 0), with_batch(dims, batch));
}

Room inner_room(const Room& outside) {
  Room room;
  room.module = outside.module;
  room.path = outside.path;
  room.numbers = outside.numbers;
  room.sizes = outside.sizes;
  room.definitions = outside.definitions;
  room.outside = outside.outside;
  room.hints = outside.hints;
  return room;
}

Var fitted(Builder& inner, const Equation& e, const Var& v, const Var& like, const char* what, const char* value) {
  Diagnostics& diagnostics = inner.program().diagnostics;
  const Dims now = dims_of(v), dims = dims_of(like);
  if (same_size(now, dims) && has_batch(v)) return renamed(v, dims);
  std::vector<Operand> operands = {{like, e.name, e.name_span}, {v, expr_text(*e.value), e.value->span}};
  const Diagnostics before = diagnostics;
  bool fits = now.size() <= dims.size();
  try {
    if (fits) align(operands, inner.room().definitions, e.value->span, diagnostics);
    if (fits) return append(inner.graph(), "expand", {operands[1].var}, {{"shape", with_batch(dims, true)}})[0];
  } catch (const Failed&) {
  } catch (const Error&) {
  }
  diagnostics = before;
  diagnostics.error("E0317", e.value->span, fmt::format("the {} of `{}` is {}", value, e.name, text(now)))
      .note(fmt::format("the {} is {}", what, text(dims)));
  throw Failed{};
}

}  // namespace weft::dsl
