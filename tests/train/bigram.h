// The smallest model that can be trained: logits of the next token are a row of a table plus a
// bias.
#pragma once
#include <cmath>
#include <functional>
#include <sstream>

#include "tests/train/temporary.h"
#include "train/checkpoint.h"
#include "train/text_data.h"
#include "train/trainer.h"

namespace weft::train {

class Bigram final : public Learner {
 public:
  explicit Bigram(i64 vocab) : vocab_(vocab) {
    weights_ = {{"model.0.table", {vocab, vocab}, true}, {"model.0.bias", {vocab}, false}};
  }

  /// Called with the number of the call before each computation of gradients, and may spoil what
  /// comes out.
  std::function<void(i64 call)> before;
  std::function<void(i64 call, dsl::LossSum&, std::vector<Tensor>&)> after;
  mutable i64 calls = 0;
  mutable std::vector<i64> steps;  // the number that each call was told
  mutable Precision precision{};   // the last one
  /// The same around each computation of a loss without gradients.
  std::function<void()> before_loss;
  std::function<void(dsl::LossSum&)> after_loss;

  const std::vector<dsl::Weight>& weights() const override { return weights_; }
  i64 vocab() const override { return vocab_; }

  std::vector<Tensor> initial_weights(u64 seed, DType dtype) const override {
    std::vector<double> table(static_cast<std::size_t>(vocab_ * vocab_));
    for (std::size_t i = 0; i < table.size(); ++i) table[i] = 0.1 * normal(Key{seed}.fold("table"), i);
    return {Tensor::from(table, {vocab_, vocab_}, dtype), Tensor::zeros({vocab_}, dtype)};
  }

  dsl::LossSum loss(Runtime&, const std::vector<Tensor>& weights, const dsl::Batch& batch) const override {
    if (before_loss) before_loss();
    dsl::LossSum sum = compute(weights, batch, nullptr);
    if (after_loss) after_loss(sum);
    return sum;
  }

  dsl::LossSum gradients(Runtime&, const std::vector<Tensor>& weights, const dsl::Batch& batch, dsl::TrainingStep step,
                         std::vector<Tensor>& gradients, dsl::Carried&) const override {
    const i64 call = ++calls;
    steps.push_back(step.number);
    precision = step.precision;
    if (before) before(call);
    std::vector<double> d(static_cast<std::size_t>(vocab_ * vocab_ + vocab_));
    dsl::LossSum sum = compute(weights, batch, &d);
    for (double& x : d) x /= static_cast<double>(sum.count);
    const std::span<const double> all(d);
    const auto table = static_cast<std::size_t>(vocab_ * vocab_);
    gradients = {Tensor::from(all.first(table), {vocab_, vocab_}, weights[0].dtype()),
                 Tensor::from(all.subspan(table), {vocab_}, weights[1].dtype())};
    if (after) after(call, sum, gradients);
    return sum;
  }

  std::unique_ptr<dsl::Stream> stream(Runtime&, std::vector<Tensor> weights) const override {
    return std::make_unique<RowStream>(std::move(weights), vocab_);
  }

 private:
  struct RowStream final : dsl::Stream {
    RowStream(std::vector<Tensor> w, i64 v) : weights(std::move(w)), vocab(v) {}
    Tensor feed(const Tensor& tokens) override {
      const i64 rows = tokens.shape()[0], n = tokens.shape()[1];
      places.resize(static_cast<std::size_t>(rows));
      std::vector<double> all;
      for (i64 r = 0; r < rows; ++r) {
        places[static_cast<std::size_t>(r)] += n;
        const auto z = row(weights, vocab, tokens.values<i32>()[static_cast<std::size_t>((r + 1) * n - 1)]);
        all.insert(all.end(), z.begin(), z.end());
      }
      return Tensor::from(all, {rows, vocab}, DType::f64);
    }
    i64 position() const override { return places.empty() ? 0 : places[0]; }
    dsl::Kept kept() const override { return {{}, places}; }
    void go_on(const dsl::Kept& kept) override { places = kept.positions; }
    bool rows_apart() const override { return true; }
    std::size_t state_bytes() const override { return 0; }
    bool constant_work() const override { return true; }
    std::vector<Tensor> weights;
    i64 vocab;
    std::vector<i64> places;
  };

  static std::vector<double> row(const std::vector<Tensor>& weights, i64 vocab, i32 token) {
    std::vector<double> logits;
    for (i64 j = 0; j < vocab; ++j) logits.push_back(weights[0].at(token * vocab + j) + weights[1].at(j));
    return logits;
  }

  // loss = log sum exp(z) - z[target],  dz = softmax(z) - onehot(target)
  dsl::LossSum compute(const std::vector<Tensor>& weights, const dsl::Batch& batch, std::vector<double>* d) const {
    const auto tokens = batch.tokens.values<i32>(), targets = batch.targets.values<i32>();
    dsl::LossSum result;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (targets[i] < 0) continue;
      const std::vector<double> z = row(weights, vocab_, tokens[i]);
      double sum = 0;
      for (const double x : z) sum += std::exp(x);
      const auto target = static_cast<std::size_t>(targets[i]);
      result.nats += std::log(sum) - z[target];
      ++result.count;
      if (!d) continue;
      for (std::size_t j = 0; j < z.size(); ++j) {
        const double dz = std::exp(z[j]) / sum - (j == target ? 1 : 0);
        (*d)[static_cast<std::size_t>(tokens[i]) * z.size() + j] += dz;
        (*d)[z.size() * z.size() + j] += dz;
      }
    }
    return result;
  }

  i64 vocab_;
  std::vector<dsl::Weight> weights_;
};

/// Text with structure enough to learn: 26 letters in runs, with spaces and line feeds.
inline std::string practice_text(std::size_t n) {
  std::string text;
  for (u64 i = 0; text.size() < n; ++i) {
    const u64 draw = bits(Key{7}, i);
    text += static_cast<char>('a' + draw % 5);
    text += draw % 3 == 0 ? "b" : "ca";
    if (draw % 7 == 0) text += ' ';
    if (draw % 41 == 0) text += '\n';
  }
  return text.substr(0, n);
}

/// A small job on that text, ready to run.
struct Practice {
  TemporaryFolder folder;
  std::string source = practice_text(1500);
  TextData text = load_text({.path = {}, .builtin = "practice"}, source);
  Bigram model{text.tokenizer()->vocab()};
  Runtime runtime{{.products = "loops", .parallel = "serial"}};
  Job job;
  std::ostringstream out;
  Terminal terminal{out};

  Practice() {
    job.name = "practice";
    job.description = "schema: 1\nname: practice\n";
    job.train.steps = 12;
    job.train.batch = 2;
    job.train.context = 16;
    job.train.schedule.warmup = 3;
    job.train.save_every = 5;
    job.eval.every = 4;
    job.generate.tokens = 30;
  }
  AdamWOptions& adamw() { return std::get<AdamWOptions>(job.train.optimizer.rule); }
  Outcome train(const std::string& name) {
    return weft::train::train(runtime, model, text, job, {.folder = folder / name}, terminal);
  }
  Outcome resume(const std::string& name, bool last_good = false) {
    return weft::train::resume(runtime, model, text, job, folder / name, last_good, terminal);
  }
  /// The newest checkpoint's bytes.
  std::string state(const std::string& name) const {
    const fs::path checkpoints = folder / name / "checkpoints";
    return read_file(checkpoint_file(checkpoints, list_checkpoints(checkpoints).at(0)));
  }
};

/// What two runs that are equal have in common, byte for byte: everything but the timed log.
inline std::string fingerprint(const Practice& p, const std::string& name) {
  const fs::path run = p.folder / name;
  std::string all = p.state(name);
  for (const char* file : {"metrics.csv", "samples.txt", "description.yaml", "checkpoints/best.safetensors"}) {
    all += read_file(run / file);
  }
  return all;
}

}  // namespace weft::train
