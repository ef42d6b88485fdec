// `defs:`: equations, weights, recurrences and folds. Structure only: names and shapes are the
// semantic layer's.

#include "dsl/def_reader.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "dsl/fields.h"
#include "dsl/structure.h"

namespace weft::dsl {
namespace {

using Names = std::vector<std::string>;

bool reads_time(const ShapeExpr& shape) {
  return std::any_of(shape.begin(), shape.end(), [](const ExprPtr& dim) {
    const Names names = names_in(*dim);
    return std::find(names.begin(), names.end(), "T") != names.end();
  });
}

class DefReader {
 public:
  DefReader(const Entry& entry, Diagnostics& diagnostics) : map_(entry.value), diagnostics_(diagnostics) {
    def_.name = entry.key.text;
    def_.span = entry.key.span;
    what_ = fmt::format("def `{}`", def_.name);
  }

  Def run() {
    const int before = diagnostics_.error_count();
    if (expect_kind(map_, Yaml::Kind::map, what_, diagnostics_)) {
      expect_keys(map_, what_, key_names("def"), diagnostics_);
      read();
    }
    def_.broken = diagnostics_.error_count() > before;
    return std::move(def_);
  }

 private:
  void read() {
    def_.about = read_text(map_, "about", diagnostics_);
    if (const Yaml* params = map_.find("params")) def_.params = parse_params(*params, diagnostics_);
    for (const Param& param : def_.params) declare(param.name, param.span);
    each("in", [&](const Entry& entry) { read_input(entry); });
    each("dims", [&](const Entry& entry) {
      if (ExprPtr value = parse_expression(entry.value, diagnostics_))
        def_.dims.push_back({entry.key.text, entry.key.span, value});
      declare(entry.key.text, entry.key.span);
    });
    each("weights", [&](const Entry& entry) { read_weight(entry); });
    if (const Yaml* let = map_.find("let")) {
      def_.let = equations(*let, "`let`");
      for (const Equation& equation : def_.let) declare(equation.name, equation.name_span);
    }
    if (const Entry* recurrence = map_.find_entry("recurrence")) read_recurrence(*recurrence);
    if (const Entry* fold = map_.find_entry("fold")) read_fold(*fold);
    if (def_.recurrence && def_.fold) {
      diagnostics_.error("E0305", def_.fold->span, fmt::format("{} has a recurrence and a fold", what_))
          .note("the recurrence is here", def_.recurrence->span)
          .help("put one of them in a def of its own");
    }
    read_out();
  }

  /// Runs `read` on every entry of a map that declares names.
  template <typename Read> void each(std::string_view key, Read read) {
    const Yaml* map = map_.find(key);
    if (!map || map->is_null() || !expect_kind(*map, Yaml::Kind::map, fmt::format("`{}`", key), diagnostics_)) return;
    for (const Entry& entry : map->entries) {
      if (check_new_name(entry.key, "a value", diagnostics_)) read(entry);
    }
  }

  // Every name has one definition: a reader finds it by looking up, never by looking twice.
  void declare(const std::string& name, const Span& span) {
    const auto [found, is_new] = declared_.emplace(name, span);
    if (!is_new)
      diagnostics_.error("E0306", span, fmt::format("`{}` is defined twice in {}", name, what_))
          .note("first defined here", found->second)
          .help("choose another name");
  }

  void read_input(const Entry& entry) {
    declare(entry.key.text, entry.key.span);
    if (auto shape = parse_shape(entry.value, diagnostics_))
      def_.in.push_back({entry.key.text, entry.key.span, std::move(*shape), entry.value.span});
  }

  /// The shape of `name: [..]` or `name: {shape: [..], ...}`.
  std::optional<ShapeExpr> shape_of(const Entry& entry, const Names& keys, Span& span) {
    const Yaml* shape = &entry.value;
    if (entry.value.is_map()) {
      expect_keys(entry.value, fmt::format("`{}`", entry.key.text), keys, diagnostics_);
      shape = require(entry.value, "shape", fmt::format("`{}`", entry.key.text), entry.key.span, diagnostics_);
      if (!shape) return {};
    }
    span = shape->span;
    return parse_shape(*shape, diagnostics_);
  }

  void read_weight(const Entry& entry) {
    declare(entry.key.text, entry.key.span);
    WeightDef weight;
    weight.name = entry.key.text;
    weight.span = entry.key.span;
    auto shape = shape_of(entry, key_names("weight"), weight.shape_span);
    weight.init = read_expression(entry.value, "init", diagnostics_);
    if (const Yaml* decay = entry.value.find("decay")) weight.decay = parse_bool(*decay, "`decay`", diagnostics_);
    weight.buffer = read_bool(entry.value, "buffer", false, diagnostics_);
    weight.redraw = read_expression(entry.value, "redraw", diagnostics_);
    if (weight.redraw && !weight.buffer) {
      diagnostics_
          .error("E0307", entry.value.find_entry("redraw")->key.span,
                 fmt::format("weight `{}` is trained: drawing it anew would undo that", weight.name))
          .help("add `buffer: true`");
    }
    if (!shape) return;
    weight.shape = std::move(*shape);
    if (reads_time(weight.shape)) {
      diagnostics_
          .error("E0304", weight.shape_span, fmt::format("the shape of weight `{}` depends on `T`", weight.name))
          .help("a weight has one size for sequences of every length: use a param");
    }
    def_.weights.push_back(std::move(weight));
  }

  std::vector<Equation> equations(const Yaml& map, const std::string& what) {
    std::vector<Equation> result;
    if (map.is_null() || !expect_kind(map, Yaml::Kind::map, what, diagnostics_)) return result;
    for (const Entry& entry : map.entries) {
      if (!check_new_name(entry.key, "a value", diagnostics_)) continue;
      if (auto equation = parse_equation(entry.key, entry.value, diagnostics_)) result.push_back(std::move(*equation));
    }
    return result;
  }

  std::vector<Equation> some_equations(const Yaml& map, const std::string& what) {
    if (map.is_null() || (map.is_map() && map.entries.empty())) {
      diagnostics_.error("E0302", map.span, fmt::format("{} needs at least one equation", what));
    }
    return equations(map, what);
  }

  std::vector<Equation> required_equations(const Entry& parent, std::string_view key) {
    const Yaml* map = require(parent.value, key, fmt::format("`{}`", parent.key.text), parent.key.span, diagnostics_);
    return map ? some_equations(*map, fmt::format("`{}`", key)) : std::vector<Equation>();
  }

  std::string read_over(const Entry& parent, Span& span) {
    const Yaml* over =
        require(parent.value, "over", fmt::format("`{}`", parent.key.text), parent.key.span, diagnostics_);
    if (!over) return "T";
    span = over->span;
    if (over->text != "T")
      diagnostics_.error("E0308", over->span, fmt::format("`{}` runs over time only", parent.key.text))
          .help("write `over: T`");
    return over->text;
  }

  void read_recurrence(const Entry& entry) {
    Recurrence& r = def_.recurrence.emplace();
    r.span = entry.key.span;
    if (!expect_kind(entry.value, Yaml::Kind::map, "`recurrence`", diagnostics_)) {
      if (entry.value.is_list())
        diagnostics_.error("E0305", entry.key.span, "a def has one recurrence")
            .help("put the other in a def of its own");
      return;
    }
    expect_keys(entry.value, "`recurrence`", key_names("recurrence"), diagnostics_);
    r.over = read_over(entry, r.over_span);
    const Yaml* states = require(entry.value, "state", "`recurrence`", entry.key.span, diagnostics_);
    if (states && expect_kind(*states, Yaml::Kind::map, "`state`", diagnostics_)) {
      if (states->entries.empty()) diagnostics_.error("E0302", states->span, "`state` needs at least one state");
      for (const Entry& state : states->entries) {
        if (check_new_name(state.key, "a state", diagnostics_)) read_state(state, r);
      }
    }
    r.step = required_equations(entry, "step");
    r.read = required_equations(entry, "read");
    if (const Yaml* forms = entry.value.find("forms")) read_forms(*forms, r);
    r.chunk = read_expression(entry.value, "chunk", diagnostics_);
    check_recurrence_names(entry.value, r);
  }

  void read_state(const Entry& entry, Recurrence& r) {
    declare(entry.key.text, entry.key.span);
    StateDef state;
    state.name = entry.key.text;
    state.span = entry.key.span;
    auto shape = shape_of(entry, key_names("state"), state.shape_span);
    state.learned = read_bool(entry.value, "learned", false, diagnostics_);
    state.init = read_expression(entry.value, "init", diagnostics_);
    if (state.init && state.init->kind == Expr::Kind::name && state.init->name == "learned") {
      state.learned = true;
      state.init = nullptr;
    }
    if (!shape) return;
    state.shape = std::move(*shape);
    if (reads_time(state.shape)) {
      diagnostics_.error("E0304", state.shape_span, fmt::format("the shape of state `{}` depends on `T`", state.name))
          .help("a state has one size at every time; what grows with time is not a state");
    }
    r.states.push_back(std::move(state));
  }

  void read_forms(const Yaml& value, Recurrence& r) {
    const Names& names = words_of("recurrence", "forms");
    const std::vector<Yaml> single = {value};
    if (!value.is_list() && !expect_kind(value, Yaml::Kind::scalar, "`forms`", diagnostics_)) return;
    for (const Yaml& item : value.is_list() ? value.items : single) {
      if (item.is_scalar() && std::find(names.begin(), names.end(), item.text) != names.end()) {
        r.forms.push_back({item.text, item.span});
      } else {
        diagnostics_.error("E0309", item.span, fmt::format("`{}` is not a form", item.text))
            .note("forms are " + listed(names))
            .help(guess_text(item.text, names));
      }
    }
  }

  // Every state is stepped, or it would not be one; the other names of `step` and `read` are new.
  void check_recurrence_names(const Yaml& map, const Recurrence& r) {
    const auto is_state = [&](const std::string& name) {
      return std::any_of(r.states.begin(), r.states.end(), [&](const StateDef& s) { return s.name == name; });
    };
    const Yaml* step = map.find("step");
    for (const StateDef& state : r.states) {
      if (step && step->is_map() && !step->find(state.name)) {
        diagnostics_.error("E0310", state.span, fmt::format("state `{}` is never assigned in `step`", state.name))
            .help(fmt::format("add its update, as in `{0}: {0} + ...`", state.name));
      }
    }
    for (const Equation& equation : r.step) {
      if (!is_state(equation.name)) declare(equation.name, equation.name_span);
    }
    for (const Equation& equation : r.read) declare(equation.name, equation.name_span);
  }

  void read_fold(const Entry& entry) {
    Fold& f = def_.fold.emplace();
    f.span = entry.key.span;
    if (!expect_keys(entry.value, "`fold`", key_names("fold"), diagnostics_) && !entry.value.is_map()) return;
    f.over = read_over(entry, f.over_span);
    f.leaf = required_equations(entry, "leaf");
    f.merge = required_equations(entry, "merge");
    f.read = required_equations(entry, "read");
    const Yaml* merge = entry.value.find("merge");
    std::map<std::string, Span> merged;
    for (const Equation& equation : f.leaf) {
      declare(equation.name, equation.name_span);
      merged.emplace(equation.name, equation.name_span);
      if (merge && merge->is_map() && !merge->find(equation.name)) {
        diagnostics_
            .error("E0310", equation.name_span,
                   fmt::format("node value `{}` is never assigned in `merge`", equation.name))
            .help(fmt::format("add how two nodes become one, as in `{0}: left({0}) + right({0})`", equation.name));
      }
    }
    for (const Equation& equation : f.merge) {
      if (!merged.contains(equation.name)) declare(equation.name, equation.name_span);
    }
    for (const Equation& equation : f.read) declare(equation.name, equation.name_span);
  }

  void read_out() {
    const Yaml* out = require(map_, "out", what_, def_.span, diagnostics_);
    if (!out) return;
    if (out->is_map()) {
      def_.out_is_map = true;
      def_.out = some_equations(*out, "`out`");
      return;
    }
    if (auto equation = parse_equation(map_.find_entry("out")->key, *out, diagnostics_))
      def_.out.push_back(std::move(*equation));
  }

  const Yaml& map_;
  Diagnostics& diagnostics_;
  Def def_;
  std::string what_;
  std::map<std::string, Span> declared_;
};

}  // namespace

std::vector<Def> read_defs(const Yaml& value, Diagnostics& diagnostics) {
  std::vector<Def> defs;
  if (value.is_null() || !expect_kind(value, Yaml::Kind::map, "`defs`", diagnostics)) return defs;
  for (const Entry& entry : value.entries) {
    if (!check_new_name(entry.key, "a def", diagnostics)) continue;
    defs.push_back(DefReader(entry, diagnostics).run());
    warn_unused(defs.back(), diagnostics);
  }
  return defs;
}

}  // namespace weft::dsl
