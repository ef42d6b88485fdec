#include "train/session.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "train/writer.h"

namespace weft::train {
namespace {

constexpr i64 kSampleTokens = 200;  // of a sample during training: a few lines

std::string numbers_text(const TrainOptions& o) {
  return fmt::format("{}{}", name(o.dtype), o.precision == Precision::bf16 ? ", products in bf16" : "");
}

}  // namespace

std::string shell_word(const std::string& word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=+,:";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

Session::Session(Runtime& runtime, const Learner& learner, const Data& data, const Job& job, const RunDir& run,
                 Checkpoint state, Terminal& terminal)
    : runtime_(runtime),
      learner_(learner),
      data_(data),
      job_(job),
      run_(run),
      progress_(std::move(state.progress)),
      weights_(std::move(state.weights)),
      optimizer_(rules_of(job.train.optimizer, learner.weights()), weights_),
      carried_(std::move(state.carried)),
      losses_(job.train.spikes.window, progress_.losses),
      log_(run, progress_.step, progress_.evaluated),
      line_(terminal, progress_.step, job.train.steps, data.length(job.train) * job.train.batch * job.train.accumulate,
            job.train.log_every) {
  if (!state.memory.empty()) optimizer_.restore(progress_.step - progress_.skipped, std::move(state.memory));
  log_.event(progress_.step == 0 ? "start" : "resume", progress_.step, runtime.describe());
  if (!job.program.empty()) log_.event("program", progress_.step, job.program);
  line_.print(banner());
  if (progress_.step == 0) line_.print(data_.notes());
}

// What is about to happen, on what, and where it will be found.
std::string Session::banner() const {
  const TrainOptions& o = job_.train;
  i64 numbers = 0;
  for (const Tensor& weight : weights_) numbers += weight.size();
  return fmt::format(
      "{}: {} weights in {} tensors, {}\n"
      "data: {}: {}; vocabulary {}{}\n"
      "plan: {}{} steps of {} windows of {}{} tokens, seed {}\n"
      "machine: {}\n"
      "run: {}\n",
      job_.name, grouped(numbers), weights_.size(), numbers_text(o), data_.source, data_.amount(), *data_.sizes.vocab,
      data_.sizes.classes ? fmt::format(", {} classes", *data_.sizes.classes) : "",
      progress_.step == 0 ? "" : fmt::format("on from step {}, in all ", progress_.step), o.steps,
      o.batch * o.accumulate, data_.tokenizer() ? "" : "up to ", data_.length(o), o.seed, runtime_.describe(),
      run_.path().string());
}

Outcome Session::run() {
  for (;;) {
    if (due(job_.eval.every) && progress_.evaluated < progress_.step) evaluate_and_sample();
    if (interrupt_.signal() != 0) return interrupted();
    if ((ended() || due(job_.train.save_every)) && saved_ != progress_.step) save();
    if (ended()) return finished();
    take_step();
  }
}

bool Session::ended() const { return progress_.step >= job_.train.steps || out_of_patience(progress_, job_); }

// Every so many steps, and at the last one.
bool Session::due(i64 every) const {
  const i64 step = progress_.step;
  return step > 0 && (step >= job_.train.steps || (every > 0 && step % every == 0));
}

std::vector<dsl::Batch> Session::batches(i64 step) const {
  std::vector<dsl::Batch> parts;
  for (i64 i = 0; i < job_.train.accumulate; ++i) parts.push_back(data_.training(job_.train, step, i));
  return parts;
}

dsl::TrainingStep Session::part_of(i64 step, std::size_t part) const {
  return {Key{job_.train.seed}.fold("model").fold(static_cast<u64>(step)).fold(part), step, job_.train.precision};
}

dsl::LossSum Session::gradients(i64 step, std::vector<Tensor>& total) {
  const std::vector<dsl::Batch> parts = batches(step);
  i64 all = 0;  // targets: parts weigh as many as they count
  for (const dsl::Batch& batch : parts) all += dsl::counted(batch.targets);
  for (dsl::Carried& carried : carried_) carried.position = data_.position(job_.train, step);
  const auto part = [&](std::size_t i, std::vector<Tensor>& to) {
    return learner_.gradients(runtime_, weights_, parts[i], part_of(step, i), to, carried_[i]);
  };
  if (parts.size() == 1) return part(0, total);
  dsl::LossSum sum;
  for (const Tensor& weight : weights_) total.push_back(Tensor::zeros(weight.shape(), weight.dtype()));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    std::vector<Tensor> one;
    const dsl::LossSum loss = part(i, one);
    add_scaled(runtime_, total, one, static_cast<double>(loss.count) / static_cast<double>(all));
    sum += loss;
  }
  return sum;
}

void Session::take_step() {
  const TrainOptions& o = job_.train;
  const i64 step = progress_.step + 1;
  const auto begun = std::chrono::steady_clock::now();
  learner_.redraw(o.seed, step, weights_);
  carried_.resize(static_cast<std::size_t>(o.accumulate));
  const std::vector<dsl::Carried> before = carried_;
  std::vector<Tensor> gradient;
  const dsl::LossSum sum = gradients(step, gradient);
  const double loss = sum.nats / static_cast<double>(sum.count);
  const Norm norm = global_norm(runtime_, gradient);
  // Before the update: comparisons with NaN are false, so a clip alone would let it through.
  if (!std::isfinite(loss) || norm.not_finite >= 0) {
    const std::string what = not_finite(step, loss, norm, before);
    carried_ = before;  // a state that is not finite would spoil every later step
    return leave_out(step, what);
  }
  progress_.skipped_in_a_row = 0;
  if (is_spike(step, loss) && o.spikes.skips) {
    ++progress_.skipped;
    progress_.step = step;
    return;
  }
  update(step, loss, gradient, norm.norm, begun);
}

void Session::update(i64 step, double loss, const std::vector<Tensor>& gradient, double norm,
                     std::chrono::steady_clock::time_point begun) {
  const TrainOptions& o = job_.train;
  const double scale = o.clip > 0 && norm > o.clip ? o.clip / norm : 1;
  const double factor = schedule_factor(o.schedule, step, o.steps);
  const std::vector<Tensor> before = weights_;
  optimizer_.step(runtime_, weights_, gradient, scale, factor);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  progress_.step = step;
  line_.step(step, loss);
  log_.step({step, tokens(), loss, learning_rate(o.optimizer.rule) * factor, norm,
             global_distance(runtime_, weights_, before).norm, global_norm(runtime_, before).norm, line_.speed(),
             took.count(), static_cast<double>(runtime_.pool()->peak_bytes())});
}

// What is not finite, and the op that made it so: the step is computed once more, with a look at every value.
std::string Session::not_finite(i64 step, double loss, const Norm& norm,
                                const std::vector<dsl::Carried>& carried) const {
  std::string what = std::isnan(loss) ? "the loss is nan" : fmt::format("the loss is {}", loss);
  if (norm.not_finite >= 0) {
    what += fmt::format(" and the gradient of `{}` is not finite",
                        learner_.weights()[static_cast<std::size_t>(norm.not_finite)].name);
  }
  const std::vector<dsl::Batch> parts = batches(step);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    dsl::Carried from = carried[i];
    from.position = data_.position(job_.train, step);
    const std::string found = learner_.not_finite(runtime_, weights_, parts[i], part_of(step, i), std::move(from));
    if (!found.empty()) return fmt::format("{}: {}", what, found);
  }
  return what;
}

void Session::leave_out(i64 step, const std::string& what) {
  const i64 limit = job_.train.nonfinite.limit;
  if (limit == 0) diverged(step, what + "; the update was not applied");
  if (progress_.skipped_in_a_row >= limit) {
    diverged(step, fmt::format("{}; the {} updates before it were left out for the same reason "
                               "(train.on_nonfinite.skip.limit), and this one was not applied",
                               what, limit));
  }
  ++progress_.skipped_in_a_row;
  ++progress_.skipped;
  progress_.step = step;
  log_.event("skipped", step, what);
  line_.print(fmt::format("warning: step {}: {}; the update was left out ({} of {} in a row)\n", step, what,
                          progress_.skipped_in_a_row, limit));
}

bool Session::is_spike(i64 step, double loss) {
  const Spikes& s = job_.train.spikes;
  const auto score = losses_.score(loss);
  losses_.add(loss);
  progress_.losses = losses_.losses();
  if (!score || !(*score > s.z)) return false;
  const std::string what = fmt::format("the loss {:.4f} is {:.1f} standard deviations above the {} before it{}", loss,
                                       *score, s.window, s.skips ? "; the update was left out" : "");
  log_.event("spike", step, what);
  line_.print(fmt::format("warning: step {}: {}\n", step, what));
  return true;
}

void Session::diverged(i64 step, const std::string& what) {
  const std::vector<i64> steps = list_checkpoints(run_.checkpoints());
  log_.event("diverged", progress_.step, what);
  line_.print("");
  throw Error(
      fmt::format("training diverged at step {}: {}\nthe last good checkpoint is {}\na lower learning rate "
                  "(train.optimizer.{}.lr, now {}) or a longer warm-up often helps",
                  step, what, steps.empty() ? "none" : checkpoint_file(run_.checkpoints(), steps.front()).string(),
                  name(job_.train.optimizer.rule), learning_rate(job_.train.optimizer.rule)),
      Failure::diverged);
}

// The last update may have been finite and its result not (a huge learning rate): that must neither
// replace good weights nor be sampled from.
void Session::require_finite_weights() {
  const Norm norm = global_norm(runtime_, weights_);
  if (norm.not_finite >= 0) {
    diverged(progress_.step, fmt::format("the weight `{}` is not finite; it was not saved",
                                         learner_.weights()[static_cast<std::size_t>(norm.not_finite)].name));
  }
}

void Session::save() {
  require_finite_weights();
  save_checkpoint(run_.checkpoints(), learner_.weights(), {progress_, weights_, optimizer_.memory(), carried_},
                  job_.train.keep_last);
  saved_ = progress_.step;
}

// Counts as done only when validation and sample both are: what was cut short by a signal is done
// again.
void Session::evaluate_and_sample() {
  require_finite_weights();
  if (!validate() || !write_sample()) return;
  progress_.evaluated = progress_.step;
  saved_ = -1;
  if (!validation_) return;
  save_best();
}

void Session::save_best() {
  Progress now = progress_;  // a file of weights tells of its own validation
  now.best_loss = *validation_, now.best_step = progress_.step;
  now.best_count = validated_.count, now.best_correct = validated_.correct;
  const bool best = now.best_loss < progress_.best_loss;
  if (best) progress_ = now;
  keep_best(run_.checkpoints(), learner_.weights(), weights_, now, best, job_.train.keep_best);
}

// Of all steps so far, what fills up shorter sequences included.
i64 Session::tokens() const {
  return progress_.step * job_.train.batch * job_.train.accumulate * data_.length(job_.train);
}

bool Session::validate() {
  if (data_.validations(job_.train) == 0) return true;
  const auto loss = evaluate(runtime_, learner_, weights_, data_, job_.train, [&] { return interrupt_.signal() != 0; });
  if (!loss) return false;
  validated_ = *loss;
  validation_ = loss->nats / static_cast<double>(loss->count);
  if (!std::isfinite(*validation_)) diverged(progress_.step, fmt::format("the validation loss is {}", *validation_));
  const double accuracy = static_cast<double>(loss->correct) / static_cast<double>(loss->count);
  line_.validation(*validation_, data_.tokenizer() ? std::nullopt : std::optional(accuracy));
  log_.validation(progress_.step, tokens(), *validation_, accuracy);
  return true;
}

bool Session::write_sample() {
  const Tokenizer* tokenizer = data_.tokenizer();
  if (!tokenizer) return true;  // a task has no text
  GenerateOptions options = job_.generate;
  options.tokens = std::min(options.tokens, kSampleTokens);
  if (options.tokens == 0) return true;
  const auto stream = learner_.stream(runtime_, weights_);
  std::string text = tokenizer->decode(prompt_tokens(options, *tokenizer));
  try {
    generate(*stream, *tokenizer, options, [&](std::string_view piece) {
      text += piece;
      return interrupt_.signal() == 0;
    });
  } catch (const Error& e) {  // a model may end where its table of positions does; its training need not
    if (e.failure != Failure::usage) throw;
    line_.print(fmt::format("note: the sample ends early: {}\n", e.what()));
  }
  if (interrupt_.signal() != 0) return false;
  log_.sample(progress_.step, text);
  line_.print(fmt::format("--- sample at step {}{}\n{}\n---\n", progress_.step,
                          validation_ ? fmt::format(", validation loss {:.4f}", *validation_) : "", safe_lines(text)));
  return true;
}

Outcome Session::interrupted() {
  save();
  log_.event("interrupted", progress_.step, "");
  line_.print(fmt::format("stopped after step {} of {} and saved; to go on:\n  ./weft resume {}\n", progress_.step,
                          job_.train.steps, shell_word(run_.path().string())));
  return {128 + interrupt_.signal(), run_.path(), progress_.step};
}

Outcome Session::finished() {
  const std::string early = early_end(progress_, job_);
  log_.event("end", progress_.step, early);
  if (!early.empty()) line_.print(early + "\n");
  if (std::isfinite(progress_.best_loss)) {
    if (job_.train.keep_best > 0 && progress_.best_step != progress_.step) {
      line_.print(fmt::format("the best weights are those of step {}:\n", progress_.best_step));
    }
    // Every validation has as many targets; a run begun before they were kept has the number from its last one.
    const i64 count = progress_.best_count > 0 ? progress_.best_count : validated_.count;
    line_.print(data_.meaning({progress_.best_loss * static_cast<double>(count), count, progress_.best_correct}));
  }
  line_.print(next_commands(run_.path(), data_, job_, progress_));
  return {0, run_.path(), progress_.step};
}

// Both numbers are steps of validations, but for a last step: what follows from them needs no place in the checkpoint.
bool out_of_patience(const Progress& p, const Job& job) {
  const i64 every = job.eval.every, patience = job.train.patience;
  return patience > 0 && every > 0 && p.evaluated / every - p.best_step / every >= patience;
}

std::string early_end(const Progress& p, const Job& job) {
  if (p.step >= job.train.steps || !out_of_patience(p, job)) return {};
  return fmt::format("stopped early, after step {} of {}: no lower validation loss in {} validations", p.step,
                     job.train.steps, job.train.patience);
}

std::string next_commands(const fs::path& run, const Data& data, const Job& job, const Progress& progress) {
  const std::string path = shell_word(run.string()), prompt = data.example_prompt();
  const std::string more =  // a run that stopped early would do so again
      early_end(progress, job).empty()
          ? fmt::format("  ./weft resume {} --set train.steps={}\n", path, 2 * job.train.steps)
          : "";
  const std::string use = data.tokenizer() ? fmt::format("generate {}{} --tokens 400", path,
                                                         prompt.empty() ? "" : fmt::format(" --prompt \"{}\"", prompt))
                                           : "eval " + path;
  return fmt::format("run: {}\nnext:\n  ./weft {}\n  ./weft report {}\n{}", run.string(), use, path, more);
}

}  // namespace weft::train
