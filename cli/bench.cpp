// weft bench FILE: how fast a model trains and generates here, and what it takes of memory.
#include "cli/bench.h"

#include <CLI/CLI.hpp>

#include <chrono>
#include <cmath>
#include <ctime>
#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/memory.h"
#include "cli/output.h"
#include "cli/verb.h"
#include "train/norms.h"
#include "train/safetensors.h"
#include "train/terminal.h"

namespace weft::cli {
namespace {

using nlohmann::ordered_json;
constexpr i64 kGenerated = 48;  // tokens that are timed at a position
constexpr double kMicro = 1e6, kMilli = 1e3;

ordered_json json_of(const Spread& s, double factor = 1) {
  return {{"low", s.low * factor}, {"median", s.median * factor}, {"high", s.high * factor}};
}

struct Generated {
  i64 position;
  Spread seconds;  // a token
  std::size_t state_bytes;
};

// One row, single tokens, from each position on. The logits choose nothing: what is drawn costs nothing beside it.
std::vector<Generated> generation(Runtime& runtime, const dsl::Model& model, const std::vector<Tensor>& weights,
                                  const BenchOptions& options) {
  std::vector<i64> positions = options.positions;
  std::sort(positions.begin(), positions.end());
  const auto stream = model.stream(runtime, weights);
  const auto feed = [&](i64 n) {
    stream->feed(Tensor::of_indices(std::vector<i32>(static_cast<std::size_t>(n), 0), {1, n}));
  };
  std::vector<Generated> all;
  for (const i64 position : positions) {
    if (position > stream->position()) feed(position - stream->position());
    std::vector<double> seconds;
    for (i64 i = 0; i < kGenerated; ++i) {
      const double start = now(options.clock);
      feed(1);
      seconds.push_back(now(options.clock) - start);
    }
    all.push_back({position, spread_of(seconds), stream->state_bytes()});
  }
  return all;
}

// Another program can build the same network and compare: same weights, same windows, same loss.
void hand_over(const Training& training, const dsl::Model& model, const std::string& file) {
  std::vector<train::NamedTensor> tensors;
  for (std::size_t i = 0; i < training.weights().size(); ++i) {
    tensors.push_back({model.weights()[i].name, training.weights()[i]});
  }
  const dsl::Batch first = training.batch(1);
  tensors.push_back({"tokens", first.tokens});
  tensors.push_back({"targets", first.targets});
  train::write_safetensors(file, tensors, {});
}

struct Measured {
  std::vector<double> steps;  // seconds
  double first_loss = 0, first_norm = 0;
  std::optional<double> memory;  // above the start of the program
  std::size_t live = 0;          // of tensors, at most
  std::vector<Generated> generated;
};

// First the loss that a twin must have; then, for each line with a number on stdin, a line with the seconds of that
// many steps: two programs that are compared take turns on one machine.
void take_turns(Training& training, Measured& m) {
  std::cout << ordered_json{{"first_loss", m.first_loss}, {"first_gradient_norm", m.first_norm}}.dump() << std::endl;
  for (i64 n = 0; std::cin >> n;) {
    ordered_json seconds = ordered_json::array();
    for (i64 i = 0; i < n; ++i) seconds.push_back(training.step().total);
    for (const auto& s : seconds) m.steps.push_back(s);
    std::cout << ordered_json{{"seconds", seconds}}.dump() << std::endl;
  }
}

ordered_json document(const Work& work, const Training& training, const Runtime& runtime, const Measured& m) {
  const Spread steps = spread_of(m.steps);
  const double flops = work.model->cost(training.options().batch, training.length(), training.options().dtype).flops;
  ordered_json j = {{"name", work.description->name()},
                    {"machine", runtime.describe(training.options().precision)},
                    {"weights", work.model->weight_count()},
                    {"vocab", work.model->vocab()},
                    {"batch", training.options().batch},
                    {"context", training.length()},
                    {"steps", m.steps.size()},
                    {"step_ms", json_of(steps, kMilli)},
                    {"tokens_per_second", static_cast<double>(training.tokens()) / steps.median},
                    {"flops_per_step", flops},
                    {"gflops_per_second", flops / steps.median * 1e-9},
                    {"first_loss", m.first_loss},
                    {"first_gradient_norm", m.first_norm},
                    {"memory_above_start", m.memory ? ordered_json(*m.memory) : ordered_json()},
                    {"tensor_bytes", m.live}};
  j["generation"] = ordered_json::array();
  for (const Generated& g : m.generated) {
    j["generation"].push_back(
        {{"position", g.position}, {"us_per_token", json_of(g.seconds, kMicro)}, {"state_bytes", g.state_bytes}});
  }
  return j;
}

void print_text(const Work& work, const Training& training, const Runtime& runtime, const Measured& m) {
  const Spread s = spread_of(m.steps);
  const double tokens = static_cast<double>(training.tokens());
  const double flops = work.model->cost(training.options().batch, training.length(), training.options().dtype).flops;
  std::cout << fmt::format("{}: {} weights; {}\n", work.description->name(), train::grouped(work.model->weight_count()),
                           runtime.describe(training.options().precision));
  std::cout << fmt::format(
      "  training    {:.0f} tokens/s (quartiles {:.0f} to {:.0f}), {:.1f} ms a step of {} windows of {}, {:.1f} "
      "GFLOP/s\n",
      tokens / s.median, tokens / s.high, tokens / s.low, s.median * kMilli, training.options().batch,
      training.length(), flops / s.median * 1e-9);
  if (m.memory) {
    std::cout << fmt::format("  memory      {} above the start, {} in tensors\n", bytes_text(*m.memory),
                             bytes_text(static_cast<double>(m.live)));
  }
  for (const Generated& g : m.generated) {
    std::cout << fmt::format("  generation  {:.0f} us a token at position {} (quartiles {:.0f} to {:.0f}), state {}\n",
                             g.seconds.median * kMicro, g.position, g.seconds.low * kMicro, g.seconds.high * kMicro,
                             bytes_text(static_cast<double>(g.state_bytes)));
  }
}

int bench_model(const BenchOptions& options) {
  const auto start = resident_bytes();
  const Work work = prepare(read_description(options.common), options.common);
  check(work.data != nullptr, "the description has no section `data`: there is nothing to learn from");
  require_machine(work, options.common);
  Runtime runtime(options.common.runtime);
  if (options.profile) return profile_training(runtime, work, options);
  if (!options.trace.empty()) return trace_training(runtime, work, options);
  Training training(runtime, work, options.clock);
  if (!options.hand_over.empty()) hand_over(training, *work.model, options.hand_over);
  Measured m;
  for (i64 i = 0; i < kWarmUp; ++i) {
    training.step();
    if (i == 0) m.first_loss = training.loss(), m.first_norm = training.gradient_norm();
  }
  if (options.paced) take_turns(training, m);
  else
    for (i64 i = 0; i < options.steps; ++i) m.steps.push_back(training.step().total);
  const auto peak = peak_resident_bytes();
  if (start && peak) m.memory = *peak - *start;
  m.live = runtime.pool()->peak_bytes();
  if (!options.paced && !work.model->classes())
    m.generated = generation(runtime, *work.model, training.weights(), options);
  if (options.paced) std::cout << document(work, training, runtime, m).dump() << std::endl;
  else if (options.common.json) print_json(document(work, training, runtime, m));
  else print_text(work, training, runtime, m);
  return 0;
}

}  // namespace

Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {  // between neighbours where it falls between them
    const double place = share * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    return std::lerp(values[below], values[above], place - static_cast<double>(below));
  };
  return {at(0.25), at(0.5), at(0.75)};
}

double now(Clock clock) {
  if (clock == Clock::cpu) return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Training::Training(Runtime& runtime, const Work& work, Clock clock)
    : runtime_(runtime),
      work_(work),
      clock_(clock),
      options_(work.job().train),
      weights_(work.model->initial_weights(options_.seed, options_.dtype)),
      optimizer_(train::rules_of(options_.optimizer, work.model->weights()), weights_) {
  work.data->check_run(options_);
}

dsl::Batch Training::batch(i64 step) const { return work_.data->training(options_, step, 0); }

Laps Training::step(Observer* observer) {
  ++step_;
  Laps laps;
  const double start = now(clock_);
  double last = start;
  const auto lap = [&](double& to) {
    const double time = now(clock_);
    to = time - last;
    last = time;
  };
  work_.model->redraw(options_.seed, step_, weights_);
  const dsl::Batch windows = batch(step_);
  lap(laps.data);
  std::vector<Tensor> gradients;
  const ::weft::Key key = ::weft::Key{options_.seed}.fold("model").fold(static_cast<u64>(step_)).fold(u64{0});
  const dsl::LossSum sum =
      work_.model->gradients(runtime_, weights_, windows, {key, 0, options_.precision}, gradients, observer);
  loss_ = sum.nats / static_cast<double>(sum.count);
  lap(laps.model);
  norm_ = train::global_norm(runtime_, gradients).norm;
  lap(laps.norm);
  const double scale = options_.clip > 0 && norm_ > options_.clip ? options_.clip / norm_ : 1;
  optimizer_.step(runtime_, weights_, gradients, scale,
                  train::schedule_factor(options_.schedule, step_, options_.steps));
  lap(laps.optimizer);
  laps.total = last - start;
  laps.begin = start;
  return laps;
}

Verb bench_verb() {
  return {"bench", "speed and memory of a model on this machine, and where the time goes",
          "  ./weft bench examples/quickstart.yaml\n"
          "  ./weft bench examples/quickstart.yaml --profile --by place\n"
          "  ./weft bench examples/quickstart.yaml --trace step.json\n"
          "  ./weft bench backends\n",
          [](CLI::App& app) {
            auto o = std::make_shared<BenchOptions>();
            add_options(app, o->common, "FILE", "the description; `backends` for the machine and its products");
            app.add_option("--steps", o->steps, "steps that are measured, after two that are not")
                ->check(CLI::Range(1, 1'000'000));
            CLI::Option* profile =
                app.add_flag("--profile", o->profile, "time, operations and bytes of every op instead");
            app.add_option("--trace", o->trace,
                           "write one step, node by node, to this file instead: a timeline for a browser")
                ->excludes(profile);
            app.add_option("--by", o->by, "rows of the profile: op, or place in the description")
                ->check(CLI::IsMember({"op", "place"}))
                ->needs(profile);
            const std::map<std::string, Clock> clocks = {{"wall", Clock::wall}, {"cpu", Clock::cpu}};
            app.add_option("--clock", o->clock,
                           "wall, or cpu: processor time, steadier where others work, too; best with --parallel serial")
                ->transform(CLI::CheckedTransformer(clocks));
            app.add_option("--position", o->positions, "positions at which generation is measured; default 100 1000")
                ->check(CLI::Range(1, 1 << 24));
            app.add_flag("--paced", o->paced,
                         "take a number of steps for each line on stdin: for comparisons side by side");
            app.add_option("--hand-over", o->hand_over, "write the first weights and windows to this safetensors file");
            return [=] { return o->common.path == "backends" ? bench_backends(*o) : bench_model(*o); };
          }};
}

}  // namespace weft::cli
