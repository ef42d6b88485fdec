#include "train/options.h"

#include <algorithm>
#include <stdexcept>

#include "train/data_kinds.h"
#include "train/make_option.h"

namespace weft::train {
namespace {

constexpr const char* kDecayAbout = "Times the learning rate; off for weights below rank 2 unless they say otherwise.";

Option data_table() {
  std::vector<Option> kinds;
  for (const DataKind& kind : data_kinds()) kinds.push_back(kind.option);
  return one_of("data", {}, "What to learn from.", std::move(kinds));
}

// AdamW's options, for all weights or for those that Muon leaves.
Option adamw_table(const char* about, std::vector<Option> more = {}) {
  Option betas{.name = "betas",
               .kind = OptionKind::list,
               .fallback = "[0.9, 0.99]",
               .min = 2,
               .max = 2,
               .about = "Decay of the mean of the gradients and of their squares.",
               .children = {{.name = "beta", .kind = OptionKind::real, .min = 0, .max = 1}}};
  std::vector<Option> all = {real("lr", "3e-3", 0, {}, "Learning rate at its peak."), std::move(betas),
                             real("eps", "1e-8", 0, {}, "Added to the root of the mean square."),
                             real("weight_decay", "0.1", 0, {}, kDecayAbout)};
  std::move(more.begin(), more.end(), std::back_inserter(all));
  return section("adamw", about, std::move(all));
}

Option sgd_table() {
  return section("sgd", "Gradient descent with momentum, without dampening.",
                 {real("lr", "0.1", 0, {}, "Learning rate at its peak."),
                  real("momentum", "0.9", 0, 1, "What is kept of the sum of the gradients in every step."),
                  flag("nesterov", "false", "Step along the gradient plus momentum times the new sum."),
                  real("weight_decay", "0", 0, {}, "Times the weight, added to its gradient; where as in adamw.")});
}

Option muon_table() {
  Option match{.name = "match",
               .kind = OptionKind::list,
               .fallback = R"(["*.embed.*", "*.logits.*"])",
               .min = 0,
               .about = "Names of matrices that follow AdamW, too; `*` stands for any characters.",
               .children = {{.name = "match", .kind = OptionKind::text}}};
  return section(
      "muon", "Muon for matrices: steps along the orthogonalised momentum (Jordan et al. 2024).",
      {real("lr", "0.02", 0, {}, "Learning rate at its peak."),
       real("momentum", "0.95", 0, 1, "Decay of the mean of the gradients."),
       flag("nesterov", "true", "Look one gradient ahead."), real("weight_decay", "0.01", 0, {}, kDecayAbout),
       flag("match_rms_adamw", "false",
            "Steps of 0.2 sqrt(max(rows, columns)), as large as AdamW's, instead of sqrt(max(1, rows / columns))."),
       adamw_table("AdamW for all other weights.", {std::move(match)})});
}

Option optimizer_table() {
  return one_of("optimizer", "adamw", "How weights follow gradients.",
                {adamw_table("AdamW with bias correction (Loshchilov and Hutter 2019)."), sgd_table(), muon_table()});
}

Option groups_table() {
  Option match{.name = "match",
               .kind = OptionKind::text,
               .about = "Names of weights, as `weft check -v` lists them; `*` stands for any characters.",
               .required = true};
  Option decay = real("weight_decay", "", 0, {},
                      "A factor of the optimizer's weight decay; unless given, 1 or 0 as the weight says.");
  decay.fallback = {};
  return {.name = "groups",
          .kind = OptionKind::list,
          .fallback = "[]",
          .min = 0,
          .about = "Weights with a learning rate or decay of their own; the first group that matches counts.",
          .children = {section("group", "Weights by name.",
                               {std::move(match), real("lr", "1", 0, {}, "A factor of the optimizer's learning rate."),
                                std::move(decay)})}};
}

Option freeze_table() {
  return {.name = "freeze",
          .kind = OptionKind::list,
          .fallback = "[]",
          .min = 0,
          .about =
              "Names of weights that stay as they are, without gradient, decay or memory of the optimizer; `*` "
              "stands for any characters.",
          .children = {{.name = "freeze", .kind = OptionKind::text}}};
}

Option from_table() {
  Option from = section(
      "from", "Weights to start from, instead of drawn ones; a file alone is its `path`.",
      {{.name = "path",
        .kind = OptionKind::path,
        .about = "A safetensors file or the folder of a run, relative to the description's folder.",
        .required = true},
       {.name = "map",
        .kind = OptionKind::path,
        .about = "A file that says weights of this model (its side `b`) as expressions of those of the file, as "
                 "`weft equal` takes it; weights that it does not name are found by their own name."},
       word("missing", "error", {"error", "init"},
            "Weights that are not in the file: an error, or drawn as in a run without `from`.")});
  from.shorthand = "path";
  return from;
}

Option nonfinite_table() {
  return one_of("on_nonfinite", "stop",
                "When a loss or gradient is not finite. Its update is never applied, and the op that made it is named.",
                {section("stop", "The run ends, with exit 5.", {}),
                 section("skip", "The update is left out.",
                         {whole("limit", "10", 1, "Updates in a row that may be left out; one more ends the run.")})});
}

Option spikes_table() {
  return section(
      "spikes", "Losses far above those of the steps before.",
      {whole("window", "128", 0, "Losses that a new one is held against, once so many are known; 0: off.", kMost),
       real("z", "6", 0, {}, "Standard deviations above their mean from which on it is a spike."),
       word("action", "report", {"report", "skip"}, "A line in the log, or besides leave the update out.")});
}

Option schedule_table() {
  const Option warmup = whole("warmup", "100", 0, "Steps from 0 up to the peak.");
  const Option floor = real("floor", "0.1", 0, 1, "Fraction of the peak that is left at the last step.");
  return one_of(
      "schedule", "cosine", "The learning rate over the steps.",
      {section("cosine", "Half a cosine wave down to the floor.", {warmup, floor}),
       section("linear", "A straight line down to the floor.", {warmup, floor}),
       section("wsd", "The peak for most of the steps, then a straight line down to the floor.",
               {warmup, floor, real("decay", "0.2", 0, 1, "The last fraction of the steps, which goes down.")}),
       section("constant", "The peak for ever.", {warmup})});
}

Option train_table() {
  return section(
      "train", "Training.",
      {whole("steps", "1000", 1, "Updates of the weights."),
       whole("batch", "16", 1, "Windows per update."),
       whole("accumulate", "1", 1,
             "Parts in which an update computes `batch` windows each; for large batches in little "
             "memory."),
       whole("context", "128", 1, "Tokens of a window."),
       {.name = "carry_state",
        .kind = OptionKind::boolean,
        .fallback = "false",
        .about =
            "Every row reads a stripe of the text of its own, window after window, and keeps its states from one to "
            "the next; no gradient crosses."},
       word("form", "auto", {"auto", "recurrent", "chunkwise", "parallel"}, "The form of all recurrences."),
       from_table(),
       freeze_table(),
       whole("seed", "1", 0, "Of the first weights, the order of the data and everything random."),
       optimizer_table(),
       groups_table(),
       schedule_table(),
       real("clip", "1", 0, {}, "Largest norm of all gradients together; 0: no limit."),
       whole("patience", "0", 0,
             "Validations in a row without a lower loss after which the run ends; 0: it runs to its last step."),
       whole("log_every", "10", 1, "Steps between two lines of output when it is no terminal."),
       whole("save_every", "500", 0, "Steps between two checkpoints; 0: at the end alone."),
       whole("keep_last", "2", 1, "Newest checkpoints that are kept."),
       whole("keep_best", "1", 0, "Weights of the lowest validation losses that are kept; 0: none."),
       nonfinite_table(),
       spikes_table(),
       word("dtype", "f32", {"f32", "f64"}, "Precision of weights and computation."),
       word("precision", "f32", {"f32", "bf16"},
            "What the products of training steps round their factors to; their sums, weights, states and all else stay "
            "f32. bf16 needs a CPU with AVX512-BF16.")});
}

Option eval_table() {
  return section("eval", "Validation, over the whole validation part.",
                 {whole("every", "250", 0, "Steps between two passes; 0: at the end alone.")});
}

Option generate_table() {
  Option prompt{
      .name = "prompt", .kind = OptionKind::text, .about = "What the text starts with; a line feed unless given."};
  Option stop{.name = "stop",
              .kind = OptionKind::list,
              .fallback = "[]",
              .min = 0,
              .about = "Texts before which generation ends; they are not printed.",
              .children = {{.name = "stop", .kind = OptionKind::text}}};
  Option seed = whole("seed", "1", 0, "Of the draws; that of the run unless given.");
  seed.fallback = {};
  return section("generate", "Text from the model; during training, too.",
                 {whole("tokens", "400", 0, "Tokens to generate, the prompt not counted."),
                  real("temperature", "0.8", 0, {}, "Divides the logits; 0: always the likeliest token."),
                  whole("top_k", "0", 0, "Only the k likeliest tokens; 0: all."),
                  real("top_p", "1", 0, 1, "Only the likeliest tokens that together reach p."),
                  real("repetition_penalty", "1", 0, {},
                       "Of tokens that the text has already, prompt included: logits above 0 are divided by it, those "
                       "below multiplied; 1: none."),
                  std::move(stop), std::move(prompt), std::move(seed)});
}

}  // namespace

const std::vector<Option>& option_tables() {
  static const std::vector<Option> tables = {data_table(), train_table(), eval_table(), generate_table()};
  return tables;
}

const Option& option_table(std::string_view section) {
  for (const Option& table : option_tables()) {
    if (table.name == section) return table;
  }
  throw std::logic_error(fmt::format("there is no option table `{}`", section));
}

TrainOptions train_options(const Settings& train) {
  TrainOptions o;
  o.steps = train.whole("steps");
  o.batch = train.whole("batch");
  o.accumulate = train.whole("accumulate");
  o.context = train.whole("context");
  o.carry_state = train.boolean("carry_state");
  o.form = train.word("form");
  o.seed = static_cast<u64>(train.whole("seed"));
  o.optimizer = recipe_of(train);
  const std::string shape = train.chosen("schedule");
  o.schedule.shape = shape == "cosine"   ? Schedule::Shape::cosine
                     : shape == "linear" ? Schedule::Shape::linear
                     : shape == "wsd"    ? Schedule::Shape::wsd
                                         : Schedule::Shape::constant;
  o.schedule.warmup = train.whole("schedule." + shape + ".warmup");
  if (shape != "constant") o.schedule.floor = train.real("schedule." + shape + ".floor");
  if (shape == "wsd") o.schedule.decay = train.real("schedule.wsd.decay");
  o.clip = train.real("clip");
  o.patience = train.whole("patience");
  o.log_every = train.whole("log_every");
  o.save_every = train.whole("save_every");
  o.keep_last = train.whole("keep_last");
  o.keep_best = train.whole("keep_best");
  if (train.chosen("on_nonfinite") == "skip") o.nonfinite.limit = train.whole("on_nonfinite.skip.limit");
  o.spikes = {train.whole("spikes.window"), train.real("spikes.z"), train.word("spikes.action") == "skip"};
  o.dtype = train.word("dtype") == "f64" ? DType::f64 : DType::f32;
  o.precision = train.word("precision") == "bf16" ? Precision::bf16 : Precision::f32;
  return o;
}

std::optional<FromOptions> from_options(const Settings& train) {
  if (!train.has("from.path")) return {};
  FromOptions o{train.path("from.path")};
  if (train.has("from.map")) o.map = train.path("from.map");
  o.draws_missing = train.word("from.missing") == "init";
  return o;
}

EvalOptions eval_options(const Settings& eval) { return {eval.whole("every")}; }

GenerateOptions generate_options(const Settings& generate, u64 seed) {
  GenerateOptions o;
  o.tokens = generate.whole("tokens");
  o.temperature = generate.real("temperature");
  o.top_k = generate.whole("top_k");
  o.top_p = generate.real("top_p");
  o.repetition_penalty = generate.real("repetition_penalty");
  for (i64 i = 0; i < generate.size("stop"); ++i) o.stop.push_back(generate.text(fmt::format("stop.{}", i)));
  if (generate.has("prompt")) o.prompt = generate.text("prompt");
  o.seed = generate.has("seed") ? static_cast<u64>(generate.whole("seed")) : seed;
  return o;
}

}  // namespace weft::train
