#include "dsl/define.h"

#include <fmt/format.h>

#include <algorithm>

#include "dsl/fold.h"
#include "dsl/inner.h"
#include "dsl/recurrence.h"
#include "engine/run.h"

namespace weft::dsl {
namespace {

// Inside a def that a step calls: its own names only, but weights still come from outside.
class Closed final : public Bridge {
 public:
  explicit Closed(Bridge& outer) : outer_(outer) {}
  std::optional<Term> find(const Expr&) override { return {}; }
  Var bring(const Var& v) override { return outer_.bring(v); }

 private:
  Bridge& outer_;
};

class Instance {
 public:
  Instance(Builder& caller, const DefCall& call)
      : caller_(caller),
        call_(call),
        def_(*call.found.def),
        program_(caller.program()),
        closed_(caller.bridge() ? std::make_optional<Closed>(*caller.bridge()) : std::nullopt),
        builder_(program_, caller.graph(), room_, closed_ ? &*closed_ : nullptr) {}

  Var run() {
    room_.module = call_.found.module;
    room_.path = call_.path;
    const int errors = program_.diagnostics.error_count();
    params();
    inputs();
    for (const DimDef& d : def_.dims) quietly([&] { dimension(d); }, d.name);
    if (!caller_.bridge()) room_.weights["valid"] = [this] { return program_.valid(); };
    for (const WeightDef& w : def_.weights) declare(w);
    hints();
    for (const Equation& e : def_.let) builder_.define(e);
    if ((def_.recurrence || def_.fold) && caller_.bridge()) {
      fail("E0305", call_.span,
           fmt::format("`{}` has a {} of its own and cannot be called in a step or a merge", call_.name,
                       def_.fold ? "fold" : "recurrence"),
           "call it in `let`");
    }
    if (def_.recurrence) lower_recurrence(builder_, *def_.recurrence);
    if (def_.fold) lower_fold(builder_, *def_.fold);
    for (const Equation& e : def_.out) builder_.define(e);
    if (def_.out.empty() || program_.diagnostics.error_count() > errors) throw Failed{};
    return result();
  }

 private:
  [[noreturn]] void fail(std::string_view code, const Span& span, const std::string& message,
                         const std::string& help = {}) {
    program_.diagnostics.error(code, span, message).help(help);
    throw Failed{};
  }
  // One failed part does not hide the errors of the others.
  template <class F> void quietly(const F& f, const std::string& name) {
    try {
      f();
    } catch (const Failed&) {
      room_.failed.insert(name);
      room_.numbers[name] = std::nullopt;
    }
  }

  void params() {
    const Scope known = program_.data_numbers();
    room_.numbers = evaluate_params(def_.params, call_.args, caller_.room().numbers, known, call_.span,
                                    fmt::format("`{}`", call_.name), program_.diagnostics);
    for (const auto& [name, size] : program_.data_sizes()) room_.add_size(name, size, Dim::named(name, size));
    for (const Param& p : def_.params) {
      const auto& value = room_.numbers[p.name];
      if (!value) throw Failed{};
      const i64* whole = std::get_if<i64>(&*value);
      if (!whole || *whole < 0) continue;
      Dim outside(*whole);
      for (const Argument& a : call_.args) {
        if (a.name == p.name && a.value) outside = caller_.size(*a.value);
      }
      room_.add_size(p.name, *whole, outside);
    }
  }

  void inputs() {
    bool failed = false;
    for (std::size_t i = 0; i < def_.in.size(); ++i) {
      try {
        if (!call_.inputs[i]) {
          fail("E0206", call_.span, fmt::format("`{}` needs its input `{}`", call_.name, def_.in[i].name));
        }
        bind_input(def_.in[i], *call_.inputs[i]);
      } catch (const Failed&) {
        failed = true;
      }
    }
    if (failed) throw Failed{};
  }

  // Names of the shape that nothing else defines are bound here; the others must agree.
  void bind_input(const InputDef& in, const Operand& given) {
    const Dims dims = dims_of(given.var);
    const auto wrong = [&](const std::string& why) {
      program_.diagnostics
          .error("E0210", call_.span, fmt::format("`{}` takes `{}` as {}", call_.name, in.name, shape_text(in.shape)))
          .note(fmt::format("it is given `{}` {}", given.text, text(dims)), given.span)
          .note(why)
          .note("the input is declared here", in.shape_span);
      throw Failed{};
    };
    const bool open = !in.shape.empty() && in.shape[0]->kind == Expr::Kind::rest;
    const std::size_t named = in.shape.size() - (open ? 1 : 0);
    if (open ? dims.size() < named : dims.size() != named) {
      wrong(fmt::format("rank {} does not fit {}", dims.size(), shape_text(in.shape)));
    }
    const std::size_t front = dims.size() - named;
    Dims own(dims.begin(), dims.begin() + static_cast<std::ptrdiff_t>(front));
    for (std::size_t i = 0; i < named; ++i) {
      const Expr& e = *in.shape[i + (open ? 1 : 0)];
      const Dim& actual = dims[front + i];
      const bool fresh = e.kind == Expr::Kind::name && e.name != "T" && !room_.numbers.contains(e.name);
      if (fresh) {
        if (caller_.graph().value(given.var.id()).kind == Kind::index) {
          wrong("tokens are whole numbers: a model begins with `embed`, which makes vectors of them");
        }
        if (!actual.known()) wrong(fmt::format("{} is no fixed size: it cannot be called `{}`", actual.text(), e.name));
        room_.add_size(e.name, actual.value(), actual);
      } else if (e.kind == Expr::Kind::name && room_.sizes.contains(e.name) && !room_.outside[e.name].has_name()) {
        room_.outside[e.name] = actual;
      }
      const Dim expected = builder_.size(e);
      if (!same_size(expected, actual)) {
        wrong(fmt::format("{} is {}, not {}", expected.text(),
                          expected.known() ? std::to_string(expected.value()) : "time",
                          actual.known() ? std::to_string(actual.value()) : actual.text()));
      }
      own.push_back(expected);
    }
    room_.tensors[in.name] =
        caller_.graph().value(given.var.id()).kind == Kind::index ? given.var : renamed(given.var, own);
  }

  void dimension(const DimDef& d) {
    const Dim value = builder_.size(*d.value);
    if (!value.known())
      fail("E0304", d.value->span, "a dimension of a def has a fixed size", "`T` is known everywhere");
    room_.add_size(d.name, value.value(), value.renamed(room_.outside), value.renamed(room_.definitions));
  }

  // Why a name that stands somewhere in the def is not known where it is read.
  void hints() {
    for (const Equation& e : def_.let) {
      room_.hints[e.name] = "it is defined further down: an equation reads what stands above it";
    }
    if (def_.fold) fold_hints(*def_.fold);
    if (!def_.recurrence) return;
    const std::string inside = " `step` and `read` alone: read it there";
    for (const Equation& e : def_.recurrence->step) room_.hints[e.name] = "names of `step` are seen in" + inside;
    for (const StateDef& s : def_.recurrence->states) room_.hints[s.name] = "a state is seen in" + inside;
    for (const Equation& e : def_.recurrence->read) room_.hints[e.name] = "names of `read` are seen in `out` alone";
  }

  void fold_hints(const Fold& fold) {
    for (const Equation& e : fold.merge) room_.hints[e.name] = "names of `merge` are seen in `merge` alone";
    for (const Equation& e : fold.leaf) room_.hints[e.name] = "a node value is seen in `merge` and `read` alone";
    for (const Equation& e : fold.read) room_.hints[e.name] = "names of `read` are seen in `out` alone";
  }

  void declare(const WeightDef& w) {
    room_.weights[w.name] = [this, &w] { return make(w); };
  }

  Var make(const WeightDef& w) {
    const Dims dims = builder_.shape(w.shape);
    Var var;
    if (call_.tie && dims.size() > 1) {
      var = call_.tie->var;
      if (!same_size(dims_of(var), dims)) {
        program_.diagnostics.error("E0211", call_.span,
                                   fmt::format("`{}` is {} and cannot stand for `{}` {}", call_.tie->weight.name,
                                               text(dims_of(var)), w.name, text(dims)));
        throw Failed{};
      }
    } else {
      const auto init = !w.init ? Initialiser::standard(dims.size())
                        : Initialiser::is_computed(*w.init)
                            ? computed(w, dims)
                            : Initialiser::parse(*w.init, room_.numbers, program_.diagnostics);
      if (!init) throw Failed{};
      var = program_.weight(room_.below(w.name), dims, w.decay.value_or(dims.size() >= 2), *init, redraw(w));
      if (!same_size(dims_of(var), dims)) {
        fail("E0211", w.span,
             fmt::format("the shared weight `{}` is {} in one place and {} in another", w.name, text(dims_of(var)),
                         text(dims)));
      }
    }
    if (caller_.bridge()) var = caller_.bridge()->bring(var);
    return renamed(var, dims);
  }

  // `init: log(1 + arange(H))`: a graph of its own, which sees the sizes and params of the def, run once.
  std::optional<Initialiser> computed(const WeightDef& w, const Dims& dims) {
    Program alone(Mode::evaluate, program_.diagnostics);
    alone.vocab = program_.vocab, alone.classes = program_.classes;
    Room room = inner_room(room_);
    Builder builder(alone, alone.graph, room);
    Equation e;
    e.name = w.name, e.name_span = w.span, e.value = w.init;
    const Var like = alone.graph.input(w.name, with_batch(dims, true));
    const Var v = fitted(builder, e, builder.tensor(*w.init), like, "weight", "first value");
    const Runtime runtime({.products = "loops", .parallel = "serial", .threads = 1});
    const Shape shape = bind(dims, {});
    Shape row = shape;
    row.insert(row.begin(), 1);
    try {
      const Tensor values = Run(alone.graph, {v})(runtime, DType::f64, {{like, Tensor::zeros(row, DType::f64)}})[0];
      return Initialiser{Initialiser::Kind::values, 0, values.reshaped(shape), expr_text(*w.init)};
    } catch (const Error& error) {  // it needs what is not there: T
      fail("E0206", w.init->span, error.what(), "an initialiser is made of sizes and params");
    }
  }

  // Steps between two draws of a buffer, 0 for one that stays; nothing for a trained weight.
  std::optional<i64> redraw(const WeightDef& w) {
    if (!w.buffer) return {};
    if (!w.redraw) return 0;
    const auto steps = evaluate_whole(*w.redraw, room_.numbers, program_.diagnostics);
    if (!steps) throw Failed{};
    if (*steps < 1) {
      fail("E0403", w.redraw->span, fmt::format("`redraw` is a number of steps, 1 or more, not {}", *steps));
    }
    return steps;
  }

  // Of several outputs the last is the value. Its sizes are told in the caller's names.
  Var result() {
    const std::string& last = def_.out.back().name;
    Var y;
    if (const auto found = room_.tensors.find(last); found != room_.tensors.end()) y = found->second;
    else fail("E0206", def_.out.back().value->span, "`out` is a number; a def gives a tensor");
    Dims dims;
    for (const Dim& d : dims_of(y)) dims.push_back(d.renamed(room_.outside));
    return renamed(y, dims);
  }

  Builder& caller_;
  const DefCall& call_;
  const Def& def_;
  Program& program_;
  Room room_;
  std::optional<Closed> closed_;
  Builder builder_;
};

}  // namespace

Var instantiate(Builder& caller, const DefCall& call) {
  const Def* def = call.found.def;
  auto& open = caller.program().open;
  if (def->broken) throw Failed{};
  if (std::find(open.begin(), open.end(), def) != open.end()) {
    caller.program()
        .diagnostics.error("E0212", call.span, fmt::format("`{}` calls itself", call.name))
        .note("it is defined here", def->span);
    throw Failed{};
  }
  caller.program().count_part(call.span);
  open.push_back(def);
  try {
    const Var y = Instance(caller, call).run();
    open.pop_back();
    return y;
  } catch (const Failed&) {
    open.pop_back();
    throw;
  }
}

}  // namespace weft::dsl
