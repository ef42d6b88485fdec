#include "dsl/lower.h"

#include <fmt/format.h>

#include "dsl/compose.h"
#include "ops/shared/contraction.h"

namespace weft::dsl {
namespace {

// Tokens of a lane from which memory is dearer than the few percent of time that cheap values take once more.
constexpr i64 kRecomputing = 2048;
// Classes from which on a training step makes logits by blocks: [T, V] and its gradient would be most of its memory.
constexpr i64 kManyClasses = 4096;

// The weight that the last product of `logits` [..., V] multiplies with, and whether it is a table [V, D].
std::optional<bool> head_is_table(const Graph& graph, const Var& logits) {
  const i32 made_by = graph.value(logits.id()).node;
  if (made_by < 0 || graph.node(made_by).op->name != "contract") return {};
  const auto p = ops::Pattern::parse(std::get<std::string>(graph.node(made_by).attributes[0]));
  if (p.a.empty() || p.b.size() != 2 || p.out.empty()) return {};
  const std::string rows = p.a.substr(0, p.a.size() - 1);
  if (p.out != rows + p.out.back() || p.out.back() == p.a.back()) return {};
  const std::string d_v = {p.a.back(), p.out.back()}, v_d = {p.out.back(), p.a.back()};
  if (p.b == v_d) return true;
  return p.b == d_v ? std::optional(false) : std::nullopt;
}

// Evaluation reads logits for more than the loss, and has them whole.
Var loss_of(Graph& graph, const Var& logits, const Var& targets, bool trains) {
  const Dim& classes = logits.dims().back();
  const bool many = trains && classes.known() && classes.value() >= kManyClasses;
  if (const auto table = many ? head_is_table(graph, logits) : std::nullopt) {
    const Node& head = graph.node(graph.value(logits.id()).node);
    return append(graph, "linear_cross_entropy", {Var(graph, head.inputs[0]), Var(graph, head.inputs[1]), targets},
                  {{"table", *table}})[0];
  }
  return append(graph, "cross_entropy", {logits, targets})[0];
}

}  // namespace

Var lower_model(Program& p, const Blueprint& plan, const Var& tokens) {
  Diagnostics& diagnostics = p.diagnostics;
  const File& file = plan.module->file;
  const Span start{file.source, 0, 1};
  Room room = file_room(p, *plan.module, {}, nullptr, start);
  if (file.model.empty()) {
    if (!file.broken) diagnostics.error("E0302", start, "there is no `model`").help("`model:` is a list of layers");
    throw Failed{};
  }
  const auto bind = [&](std::optional<i64>& size, const std::string& name) {  // from a param where the data do not say
    if (size) return;
    const auto& found = room.numbers.find(name);
    const i64* value = found != room.numbers.end() && found->second ? std::get_if<i64>(&*found->second) : nullptr;
    if (!value || *value < 1) return;
    size = *value;
    room.add_size(name, *value, Dim::named(name, *value));
  };
  bind(p.vocab, "vocab");
  bind(p.classes, "classes");
  if (!p.vocab) {
    diagnostics.error("E0409", start, "the size of the vocabulary is not known")
        .help("add a section `data`, or declare `vocab` under `params`");
    throw Failed{};
  }
  p.causal = !p.classes;
  p.tokens = tokens;
  const Var logits = Composer(p).run(file.model, tokens, room, "model");
  const Dims wanted =
      p.classes ? Dims{Dim::named("classes", *p.classes)} : Dims{Dim::symbol("T"), Dim::named("vocab", *p.vocab)};
  if (same_size(dims_of(logits), wanted) && has_batch(logits)) return logits;
  Diagnostic& d = diagnostics.error(
      "E0210", file.model_span,
      p.classes ? "a model for classes gives a score for each, [classes]" : "a model for text gives logits [T, vocab]");
  d.note(fmt::format("this one gives {}", text(dims_of(logits))));
  if (p.classes)
    d.note(fmt::format("classes is {}", *p.classes)).help("end it with `classify`, which reads the last position");
  else d.note(fmt::format("vocab is {}", *p.vocab)).help("end it with `logits: {tie: embed}`");
  throw Failed{};
}

Var target_input(Program& p, const Var& logits) {
  const Dims& dims = logits.dims();
  return p.graph.input("targets", Dims(dims.begin(), dims.end() - 1), Kind::index);
}

std::unique_ptr<Lowering> lower(const Blueprint& plan, Mode mode, Diagnostics& diagnostics) {
  auto l = std::make_unique<Lowering>(mode, diagnostics);
  Program& p = l->program;
  p.vocab = plan.sizes.vocab, p.classes = plan.sizes.classes;
  p.form = plan.form;
  p.freeze = plan.freeze;
  p.load = plan.load;
  l->tokens = p.graph.input("tokens", {Dim::symbol("B"), Dim::symbol("T")}, Kind::index);
  try {
    l->logits = lower_model(p, plan, l->tokens);
    l->targets = target_input(p, l->logits);
  } catch (const Failed&) {
    p.failed = true;
  }
  if (p.failed || diagnostics.has_errors()) return nullptr;
  if (mode == Mode::stream) return l;
  l->loss = loss_of(p.graph, l->logits, l->targets, trains(mode));
  if (mode == Mode::carry && p.repeats) {
    diagnostics.error("E0322", *p.repeats, "this needs all positions before, and `train.carry_state` has no end")
        .help("leave `carry_state` out, or write it as a `recurrence`");
    return nullptr;
  }
  if (trains(mode)) {
    std::vector<Var> weights;
    for (const WeightSlot& w : p.weights) weights.push_back(w.var);
    l->share = p.graph.input("share", {});
    l->gradients = p.graph.backward({&l->loss, 1}, {&l->share, 1}, weights);
  }
  return l;
}

Lowered::Lowered(std::unique_ptr<Lowering> train, std::unique_ptr<Lowering> evaluate, std::unique_ptr<Lowering> stream)
    : train_(std::move(train)), evaluate_(std::move(evaluate)), stream_(std::move(stream)) {
  for (const WeightSlot& w : train_->program.weights) weights_.push_back(w.weight);
  const auto& nodes = train_->program.graph.nodes();
  const auto computes = [&](std::string_view op) {
    return std::any_of(nodes.begin(), nodes.end(), [&](const Node& n) { return n.op->name == op; });
  };
  loops_ = computes("scan");
  folds_ = computes("fold");
  logits_run_ = std::make_unique<Run>(evaluate_->program.graph, std::vector<Var>{evaluate_->logits});
  std::vector<Var> outputs = {stream_->logits}, starts;
  for (const StreamState& s : stream_->program.states) {
    outputs.push_back(s.out);
    if (s.start) starts.push_back(s.start);
  }
  stream_run_ = std::make_unique<Run>(stream_->program.graph, outputs, RunMemory{.stay = true, .growing = "P"});
  start_run_ = std::make_unique<Run>(stream_->program.graph, starts);
}

const Lowered::Runs& Lowered::train_runs(std::size_t count, i64 tokens) const {
  std::vector<Var> outputs = {train_->loss};
  for (const Var& g : train_->gradients) {
    if (g) outputs.push_back(g);
  }
  for (const StreamState& s : train_->program.states) outputs.push_back(s.out);  // under `carry_state`
  const bool is_long = tokens >= kRecomputing;
  Runs& runs = is_long ? long_train_runs_ : train_runs_;
  RunMemory memory;
  if (is_long) memory.recompute = {{"B", 1}, {"T", kRecomputing}};
  while (runs.size() < count) runs.push_back(std::make_unique<Run>(train_->program.graph, outputs, memory));
  return runs;
}

const Lowered::Runs& Lowered::loss_runs(std::size_t count) const {
  const std::vector<Var> outputs{evaluate_->loss, evaluate_->logits};
  while (loss_runs_.size() < count) loss_runs_.push_back(std::make_unique<Run>(evaluate_->program.graph, outputs));
  return loss_runs_;
}

}  // namespace weft::dsl
