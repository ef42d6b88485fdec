#include "train/trainer.h"

#include "train/session.h"

namespace weft::train {
namespace {

void check_rule(const AdamWOptions& a) {
  check(a.lr > 0 && a.eps > 0 && a.weight_decay >= 0,
        "adamw: lr and eps must be above 0, weight_decay 0 or more ({}, {}, {})", a.lr, a.eps, a.weight_decay);
  check(a.beta1 >= 0 && a.beta1 < 1 && a.beta2 >= 0 && a.beta2 < 1, "adamw: betas must be from 0 to below 1 ({}, {})",
        a.beta1, a.beta2);
}

// SGD and Muon.
template <class Options> void check_rule(const Options& o) {
  check(o.lr > 0 && o.weight_decay >= 0, "{}: lr must be above 0, weight_decay 0 or more ({}, {})", name(Rule(o)), o.lr,
        o.weight_decay);
  check(o.momentum >= 0 && o.momentum < 1, "{}: momentum must be from 0 to below 1 ({})", name(Rule(o)), o.momentum);
}

void check_rule(const Fixed&) {}

void check_options(const Job& job) {
  const TrainOptions& o = job.train;
  check(o.steps >= 1, "train.steps must be 1 or more ({})", o.steps);
  check(o.batch >= 1, "train.batch must be 1 or more ({})", o.batch);
  check(o.accumulate >= 1, "train.accumulate must be 1 or more ({})", o.accumulate);
  check(o.context >= 1, "train.context must be 1 or more ({})", o.context);
  check(o.log_every >= 1, "train.log_every must be 1 or more ({})", o.log_every);
  check(o.save_every >= 0, "train.save_every must be 0 or more ({})", o.save_every);
  check(o.keep_last >= 1, "train.keep_last must be 1 or more ({})", o.keep_last);
  check(o.keep_best >= 0, "train.keep_best must be 0 or more ({})", o.keep_best);
  check(o.spikes.window >= 0 && o.spikes.z > 0, "train.spikes: window must be 0 or more, z above 0 ({}, {})",
        o.spikes.window, o.spikes.z);
  check(o.clip >= 0, "train.clip must be 0 or more ({})", o.clip);
  check(o.dtype != DType::i32, "train.dtype must be f32 or f64");
  check(job.eval.every >= 0, "eval.every must be 0 or more ({})", job.eval.every);
  check(o.schedule.warmup >= 0, "train.schedule: warmup must be 0 or more ({})", o.schedule.warmup);
  check(o.patience >= 0, "train.patience must be 0 or more ({})", o.patience);
  check(o.patience == 0 || job.eval.every > 0,
        "train.patience={} counts validations, and eval.every=0 is one at the end", o.patience);
  std::visit([](const auto& rule) { check_rule(rule); }, o.optimizer.rule);
  if (std::holds_alternative<MuonOptions>(o.optimizer.rule)) check_rule(o.optimizer.rest);
  check_options(job.generate);
}

void check_fit(const Learner& learner, const Data& data, const Job& job) {
  check_options(job);
  check(learner.vocab() == data.sizes.vocab, "the model has a vocabulary of {} and the data one of {}", learner.vocab(),
        *data.sizes.vocab);
  const auto classes = [](const std::optional<i64>& n) { return n ? fmt::format("{} classes", *n) : "no classes"; };
  check(learner.classes() == data.sizes.classes, "the model has {} and the data {}", classes(learner.classes()),
        classes(data.sizes.classes));
  data.check_run(job.train);
  check(job.train.patience == 0 || data.validations(job.train) > 0,
        "train.patience={} counts validations, and {} has no part for them", job.train.patience, data.source);
  if (const Tokenizer* tokenizer = data.tokenizer()) prompt_tokens(job.generate, *tokenizer);
}

// What a run keeps to read its own text by.
std::string vocabulary_of(const Data& data) { return data.vocabulary() ? data.vocabulary()->json() : ""; }

// The same, whatever version of the program wrote it.
bool is_vocabulary_of(const Data& data, const std::string& json, const fs::path& run) {
  if (json.empty() || !data.vocabulary()) return json == vocabulary_of(data);
  return Tokenizer::from_json(json, run.string()) == *data.vocabulary();
}

// Those that are kept while one more is written, and the best weights beside them.
void check_disk(const RunDir& run, const std::vector<Tensor>& weights, const TrainOptions& o) {
  run.check_space(static_cast<u64>(o.keep_last + o.keep_best + 1) * checkpoint_bytes(weights));
}

// What the optimizer remembers is all there, and nothing of another one.
void check_memory(const Checkpoint& state, const Learner& learner, const Job& job, const fs::path& run) {
  const std::vector<dsl::Weight>& weights = learner.weights();
  const std::vector<Rule> rules = rules_of(job.train.optimizer, weights);
  auto next = state.memory.begin();
  for (std::size_t i = 0; i < weights.size(); ++i) {
    for (const std::string_view kind : kinds(rules[i])) {
      if (next != state.memory.end() && next->kind == kind && next->weight == i) ++next;
      else
        fail_data("{}: its checkpoint has no {}.{}, which {} needs", run.string(), kind, weights[i].name,
                  name(rules[i]));
    }
  }
  if (next != state.memory.end()) {
    fail_data("{}: its checkpoint has {}.{}, which is of another optimizer", run.string(), next->kind,
              weights[next->weight].name);
  }
}

void check_same(const Checkpoint& state, const Data& data, const Job& job, const fs::path& run) {
  const Progress& p = state.progress;
  if (p.text_hash != data.hash) {
    fail_data("{}: the {} the run was started with: {} has the hash {}, it was {}", run.string(),
              data.tokenizer() ? "text is not the one" : "data are not those", data.source, data.hash, p.text_hash);
  }
  check(is_vocabulary_of(data, p.tokenizer, run), "{}: the run has another tokenizer", run.string());
  check(p.seed == job.train.seed, "{}: the run has the seed {}, not {}", run.string(), p.seed, job.train.seed);
  check(p.step <= job.train.steps, "{}: has done {} steps, train.steps={} is less", run.string(), p.step,
        job.train.steps);
  check(state.weights.empty() || state.weights.front().dtype() == job.train.dtype, "{}: the run is in {}, not {}",
        run.string(), name(state.weights.front().dtype()), name(job.train.dtype));
}

// Damaged checkpoints that were passed over would count as the newest for ever: out of the way, but
// not deleted.
void set_aside_newer(const fs::path& checkpoints, i64 step) {
  for (const i64 newer : list_checkpoints(checkpoints)) {
    if (newer <= step) break;
    const fs::path folder = checkpoint_file(checkpoints, newer).parent_path();
    fs::path aside = checkpoints / ("damaged_" + folder.filename().string());
    while (fs::exists(aside)) aside += "_again";
    fs::rename(folder, aside);
  }
}

}  // namespace

Outcome train(Runtime& runtime, const Learner& learner, const Data& data, const Job& job, const RunPlace& place,
              Terminal& terminal, std::optional<Start> start) {
  check_fit(learner, data, job);
  Checkpoint state;
  state.progress.seed = job.train.seed;
  state.progress.text_hash = data.hash;
  state.progress.tokenizer = vocabulary_of(data);
  state.progress.description = job.description;
  state.weights = start ? std::move(start->weights) : learner.initial_weights(job.train.seed, job.train.dtype);
  const RunDir run = RunDir::create(place, job.name, job.train.seed);
  check_disk(run, state.weights, job.train);
  if (!data.built_in().empty()) {
    make_folders(run.text().parent_path());
    write_atomically(run.text(), data.built_in());
  }
  write_atomically(run.description(), job.description);
  if (data.vocabulary()) write_atomically(run.tokenizer(), data.vocabulary()->json());
  if (start) {
    RunLog(run, 0, 0).event("from", 0, start->record);
    terminal.out << start->said << std::flush;
  }
  Session session(runtime, learner, data, job, run, std::move(state), terminal);
  session.save();
  return session.run();
}

Outcome resume(Runtime& runtime, const Learner& learner, const Data& data, const Job& job, const fs::path& path,
               bool last_good, Terminal& terminal) {
  check_fit(learner, data, job);
  const RunDir run = RunDir::open(path);
  Checkpoint state = load_newest(path, learner.weights(), last_good);
  check_same(state, data, job, path);
  check_memory(state, learner, job, path);
  const Progress& p = state.progress;
  const std::string early = early_end(p, job);
  if (!early.empty() || (p.step >= job.train.steps && p.evaluated >= p.step)) {
    terminal.out << fmt::format("{} is finished: {} steps are done\n", path.string(), p.step)
                 << (early.empty() ? "" : early + "\n") << next_commands(path, data, job, p) << std::flush;
    return {0, path, p.step};
  }
  check_disk(run, state.weights, job.train);
  if (last_good) set_aside_newer(run.checkpoints(), p.step);
  if (job.description != state.progress.description) write_atomically(run.description(), job.description);
  state.progress.description = job.description;
  return Session(runtime, learner, data, job, run, std::move(state), terminal).run();
}

std::optional<dsl::LossSum> evaluate(Runtime& runtime, const Learner& learner, const std::vector<Tensor>& weights,
                                     const Data& data, const TrainOptions& options, const std::function<bool()>& stop) {
  dsl::LossSum sum;
  const i64 batches = data.validations(options);
  for (i64 i = 0; i < batches; ++i) {
    if (stop && stop()) return {};
    sum += learner.loss(runtime, weights, data.validation(options, i));
  }
  return sum;
}

}  // namespace weft::train
