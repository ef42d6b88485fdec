#include "dsl/compose.h"

#include <fmt/format.h>

#include <algorithm>

#include "dsl/structure.h"
#include "ops/table.h"

namespace weft::dsl {
namespace {

std::ptrdiff_t required_inputs(const Op& op) {
  return std::count_if(op.inputs.begin(), op.inputs.end(), [](const Input& i) { return !i.is(Input::optional); });
}

// What an item may be called.
std::vector<std::string> layers_seen_from(const Module& module) {
  std::vector<std::string> names = item_keywords();
  for (const Module* m : {&module, module.prelude}) {
    if (!m) continue;
    for (const Def& d : m->file.defs) names.push_back(d.name);
  }
  for (const auto& [alias, m] : module.imports) {
    if (!m) continue;
    for (const Def& d : m->file.defs) names.push_back(alias + "." + d.name);
  }
  for (const Op* op : ops::table()) {
    if (required_inputs(*op) == 1) names.push_back(op->name);
  }
  return names;
}

// Errors about names, that a value of another shape would not have prevented.
bool is_certain(std::string_view code) {
  constexpr std::string_view kCertain[] = {"E0201", "E0202", "E0212", "E0213", "E0318", "E0319", "E0404", "E0405"};
  return std::find(std::begin(kCertain), std::end(kCertain), code) != std::end(kCertain);
}

}  // namespace

void Composer::fail(std::string_view code, const Span& span, const std::string& message, const std::string& help) {
  program_.diagnostics.error(code, span, message).help(help);
  throw Failed{};
}

// Behind an item that failed nobody knows the shape: the others are tried with the one before it, and only errors that
// no shape can cause are kept.
Var Composer::run(const std::vector<Item>& items, Var x, Room& room, const std::string& prefix) {
  bool failed = false;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::size_t before = program_.diagnostics.size();
    const bool doubtful = failed;
    try {
      x = item(items[i], x, room, fmt::format("{}.{}", prefix, segment_of(items[i], fmt::format("{}.", i))));
    } catch (const Failed&) {
      failed = true;
    }
    if (doubtful) program_.diagnostics.forget(before, [](const Diagnostic& d) { return !is_certain(d.code); });
  }
  if (failed) throw Failed{};
  return x;
}

Var Composer::item(const Item& item, const Var& x, Room& room, const std::string& path) {
  if (item.broken) throw Failed{};
  program_.count_part(item.span);
  program_.graph.set_origin(place_text(item.span));
  try {
    return build(item, x, room, path);
  } catch (const Error& e) {  // what no rule of the language foresaw still has a place
    if (e.failure == Failure::internal) throw;
    fail("E0208", item.span, e.what());
  }
}

Var Composer::build(const Item& item, const Var& x, Room& room, const std::string& path) {
  switch (item.kind) {
    case Item::Kind::call: return call(item, x, room, path);
    case Item::Kind::residual: return residual(item, x, room, path);
    case Item::Kind::parallel: return parallel(item, x, room, path);
    case Item::Kind::repeat:
    case Item::Kind::cycle: return repeated(item, x, room, path);
    case Item::Kind::share: return share(item, x, room);
    case Item::Kind::use:
    case Item::Kind::inlined: break;
  }
  return use(item, x, room, path);
}

Var Composer::call(const Item& item, const Var& x, Room& room, const std::string& path) {
  const std::size_t first = program_.weights.size();
  const FoundDef def = find_def(*room.module, item.callee, true);
  Var y;
  if (def) {
    if (def.def->broken) throw Failed{};
    DefCall c{def,  item.callee,      {}, std::vector<std::optional<Operand>>(def.def->in.size()),
              path, item.callee_span, {}};
    for (const Argument& a : item.args) {
      if (a.name == "tie") c.tie = tied(a);
      else c.args.push_back(a);
    }
    if (c.inputs.empty())
      fail("E0206", item.callee_span, fmt::format("`{}` has no input: it cannot stand in a list", item.callee));
    c.inputs[0] = Operand{x, "the value before it", item.span};
    Builder builder(program_, program_.graph, room);
    y = instantiate(builder, c);
  } else if (const Op* op = ops::find(item.callee)) {
    y = call_op(*op, item, x, room);
  } else {
    if (from_lost_import(*room.module, item.callee)) throw Failed{};
    const std::string alias = item.callee.substr(0, item.callee.find('.'));
    fail("E0202", item.callee_span, fmt::format("there is no def or op `{}`", item.callee),
         alias != item.callee && !room.module->imports.contains(alias)
             ? fmt::format("`import: {{{}: path}}` brings the defs of another file", alias)
             : guess_text(item.callee, layers_seen_from(*room.module)));
  }
  built_.push_back({item.name, item.callee, first, program_.weights.size()});
  return y;
}

Var Composer::call_op(const Op& op, const Item& item, const Var& x, Room& room) {
  const auto required = required_inputs(op);
  if (required != 1) {
    fail("E0206", item.callee_span,
         fmt::format("the op `{}` has {} inputs: in a list it needs exactly one", op.name, required),
         "call it in the equations of a def");
  }
  Room inner = room;
  inner.tensors["x"] = x;
  auto name = std::make_shared<Expr>();
  name->kind = Expr::Kind::name;
  name->name = std::string(1, 'x');  // "x" draws a false warning of g++ 12
  name->span = name->at = item.callee_span;
  Expr call;
  call.kind = Expr::Kind::call;
  call.name = op.name;
  call.span = call.at = item.callee_span;
  call.args = {name};
  for (const Argument& a : item.args) call.named.push_back({a.name, a.span, a.value});
  return Builder(program_, program_.graph, inner).tensor(call);
}

// The matrix of an earlier item, found by its name or, when there is one alone, by its kind.
std::optional<WeightSlot> Composer::tied(const Argument& argument) {
  const std::string name = argument.value ? argument.value->name : "";
  std::vector<const Built*> found;
  std::vector<std::string> names;
  for (const Built& b : built_) {
    if (b.name == name || b.callee == name) found.push_back(&b);
    names.push_back(b.name.empty() ? b.callee : b.name);
  }
  const Span& at = argument.value ? argument.value->span : argument.span;
  if (found.size() != 1) {
    fail("E0211", at,
         found.empty() ? fmt::format("there is no earlier item `{}` to be tied to", name)
                       : fmt::format("`{}` stands {} times before: give one a `name:`", name, found.size()),
         found.empty() ? guess_text(name, names) : "");
  }
  std::optional<WeightSlot> matrix;
  for (std::size_t i = found[0]->first_weight; i < found[0]->last_weight; ++i) {
    if (program_.weights[i].weight.shape.size() < 2) continue;
    if (matrix) fail("E0211", at, fmt::format("`{}` has more than one matrix", name));
    matrix = program_.weights[i];
  }
  if (!matrix) fail("E0211", at, fmt::format("`{}` has no matrix of its own", name));
  return matrix;
}

Var Composer::combine(const std::string& op, const Var& a, const Var& b, Room& room, const Item& item) {
  Builder builder(program_, program_.graph, room);
  const Op& row = *ops::find(op);
  return builder.apply(row,
                       {Operand{a, fmt::format("the input of {}", key_of(item.kind)), item.span},
                        Operand{b, fmt::format("the output of {}", key_of(item.kind)), item.span}},
                       row.complete({}), item.span)[0];
}

Var Composer::residual(const Item& item, const Var& x, Room& room, const std::string& path) {
  const auto norm = [&](const Var& v) {
    if (!item.norm) return v;
    return this->item(*item.norm, v, room, path + ".norm." + segment_of(*item.norm, ""));
  };
  try {
    const Var y = run(item.body, item.pre ? norm(x) : x, room, path + ".body");
    if (!same_size(dims_of(y), dims_of(x))) {
      program_.diagnostics.error("E0210", item.span, "a residual adds its body to its input: both have one shape")
          .note(fmt::format("the input is {}, the body gives {}", text(dims_of(x)), text(dims_of(y))));
      throw Failed{};
    }
    const Var sum = combine("add", x, renamed(y, dims_of(x)), room, item);
    return item.pre ? sum : norm(sum);
  } catch (const Failed&) {
    program_.failed = true;  // reported; a residual keeps its shape, so what follows can still be checked
    return x;
  }
}

Var Composer::parallel(const Item& item, const Var& x, Room& room, const std::string& path) {
  Var total;
  for (std::size_t b = 0; b < item.branches.size(); ++b) {
    const Var y = run(item.branches[b], x, room, fmt::format("{}.branches.{}", path, b));
    if (!total) {
      total = y;
    } else if (item.combine == "concat") {
      total = append(program_.graph, "concat", {total, y}, {{"dim", i64{-1}}})[0];
    } else if (item.combine == "gate") {
      total = combine("mul", total, append(program_.graph, "sigmoid", {y})[0], room, item);
    } else {
      total = combine(item.combine, total, y, room, item);
    }
  }
  return total;
}

Var Composer::repeated(const Item& item, Var x, Room& room, const std::string& path) {
  const auto times = evaluate_whole(*item.times, room.numbers, program_.diagnostics);
  if (!times) throw Failed{};
  if (*times < 0 || *times > 10000)
    fail("E0403", item.times->span, fmt::format("it cannot be repeated {} times", *times));
  for (i64 i = 0; i < *times; ++i) {
    Room inner = room;
    if (!item.as.empty()) inner.add_size(item.as, i);
    const std::string at = item.tied ? path : fmt::format("{}[{}]", path, i);
    const auto& body =
        item.kind == Item::Kind::repeat ? item.body : item.branches[static_cast<std::size_t>(i) % item.branches.size()];
    x = run(body, x, inner, at + ".body");
  }
  return x;
}

// Weights shared by all uses of one name live under `share.<name>`; states are each use's own.
Var Composer::share(const Item& item, const Var& x, Room& room) {
  if (!item.body.empty()) {
    const auto [at, fresh] = shared_.emplace(item.name, Shared{&item, share_path_ + "." + item.name});
    if (!fresh && at->second.item != &item) {
      fail("E0213", item.span, fmt::format("`share: {}` says `of` a second time", item.name),
           "leave out the second `of`");
    }
  }
  const auto found = shared_.find(item.name);
  if (found == shared_.end()) {
    std::vector<std::string> names;
    for (const auto& [name, s] : shared_) names.push_back(name);
    const std::string guess = guess_text(item.name, names);
    fail("E0213", item.span, fmt::format("nothing is shared as `{}` yet", item.name),
         guess.empty() ? "the first `share` of a name says `of`" : guess);
  }
  return run(found->second.item->body, x, room, found->second.path);
}

Var Composer::use(const Item& item, const Var& x, Room& room, const std::string& path) {
  const Module* module = program_.load(item, *room.module);
  if (!module || module->file.broken) throw Failed{};
  if (module->file.model.empty())
    fail("E0302", item.callee_span, fmt::format("`{}` has no `model` to use", item.callee));
  if (std::find(used_.begin(), used_.end(), module) != used_.end()) {
    fail("E0212", item.callee_span, fmt::format("`{}` uses itself", item.callee));
  }
  Builder caller(program_, program_.graph, room);
  Room inner = file_room(program_, *module, item.args, &caller, item.callee_span, item.callee);
  Composer composer(program_, path + ".share");  // its names are its own
  composer.used_ = used_;
  composer.used_.push_back(module);
  const Var y = composer.run(module->file.model, x, inner, path);
  Dims dims;
  for (const Dim& d : dims_of(y)) dims.push_back(d.renamed(inner.outside));
  return renamed(y, dims);
}

Room file_room(Program& program, const Module& module, const std::vector<Argument>& arguments, Builder* caller,
               const Span& call, const std::string& called) {
  Room room;
  room.module = &module;
  const Scope known = program.data_numbers();
  room.numbers = evaluate_params(module.file.params, arguments, caller ? caller->room().numbers : Scope{}, known, call,
                                 caller ? fmt::format("`{}`", called) : "the description", program.diagnostics);
  for (const auto& [name, size] : program.data_sizes()) room.add_size(name, size, Dim::named(name, size));
  for (const Param& p : module.file.params) {
    if ((p.name == "vocab" && program.vocab) || (p.name == "classes" && program.classes)) continue;
    const auto& value = room.numbers[p.name];
    const i64* whole = value ? std::get_if<i64>(&*value) : nullptr;
    if (!whole || *whole < 0) continue;
    Dim outside(*whole);
    for (const Argument& a : arguments) {
      if (caller && a.name == p.name && a.value) outside = caller->size(*a.value);
    }
    room.add_size(p.name, *whole, outside);
  }
  run_checks(module.file.checks, room.numbers, program.diagnostics);
  return room;
}

}  // namespace weft::dsl
