// weft eval RUN: the loss over a whole validation part, or over another text, and what it means.
#include <CLI/CLI.hpp>

#include <cmath>
#include <iostream>
#include <numbers>

#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/verb.h"
#include "cli/work.h"
#include "train/checkpoint.h"
#include "train/file.h"
#include "train/terminal.h"
#include "train/text_data.h"
#include "train/trainer.h"

namespace weft::cli {
namespace {

// The description the weights were trained with, or the file that was given instead.
dsl::SourcePtr description_for(const train::WeightFile& saved, Options options, const std::string& file) {
  if (!file.empty()) {
    options.path = file;
    return read_description(options);
  }
  const auto own = saved.metadata.find("description");
  if (own == saved.metadata.end()) {
    train::fail_data("{}: it holds no description; say which: ./weft eval {} FILE", saved.file.string(), options.path);
  }
  return dsl::make_source(saved.file.string(), own->second);
}

void print_loss(const Work& work, const std::string& file, const dsl::LossSum& sum, bool json) {
  const train::Data& data = *work.data;
  if (!json) {
    std::cout << fmt::format("weights of {} on {}\n", file, data.source) << data.meaning(sum);
    return;
  }
  const double count = static_cast<double>(sum.count), loss = sum.nats / count;
  nlohmann::ordered_json floors = nlohmann::ordered_json::array();
  for (const train::Floor& f : data.floors()) {
    floors.push_back({{"name", f.name}});
    if (f.nats) floors.back()["nats"] = *f.nats;
    if (f.accuracy) floors.back()["accuracy"] = *f.accuracy;
  }
  nlohmann::ordered_json all = {{"weights", file},
                                {"data", data.source},
                                {"unit", data.unit()},
                                {"targets", sum.count},
                                {"nats", loss},
                                {"bits", loss / std::numbers::ln2},
                                {"accuracy", static_cast<double>(sum.correct) / count},
                                {"floors", floors}};
  if (const auto bytes = data.target_bytes()) all["bits_per_byte"] = loss / std::numbers::ln2 / *bytes;
  print_json(all);
}

struct Request : Options {
  std::string file, checkpoint, text;
  bool last_good = false;
};

std::string text_to_score(const Request& r, const Work& work, const train::WeightFile& saved,
                          const std::optional<train::Tokenizer>& tokenizer) {
  check(!work.model->classes(), "{}: the model tells the class of a sequence, there is no next token to score in {}",
        saved.file.string(), r.text);
  check(tokenizer.has_value(), "{}: holds no tokenizer to read {} by; a model that was trained on a task has none",
        saved.file.string(), r.text);
  return train::read_file(r.text);
}

// Nats a token over a whole text, and what follows from them; the windows are those of validation.
void evaluate_text(const Request& r, const Work& work, const train::WeightFile& saved,
                   const std::optional<train::Tokenizer>& tokenizer) {
  const std::string text = text_to_score(r, work, saved, tokenizer), unit = tokenizer->unit();
  const std::vector<i32> tokens = tokenizer->encode(text, r.text);
  if (tokens.size() < 2) {
    train::fail_data("{}: has {} {}s, a loss needs at least 2: the first is only read", r.text, tokens.size(), unit);
  }
  const train::TrainOptions o = train::train_options(work.train);
  const auto weights = train::matched(saved, work.model->weights());
  Runtime runtime(r.runtime);
  dsl::LossSum sum;
  const train::ValidationBatches batches(tokens, o.batch, o.context);
  for (i64 i = 0; i < batches.count(); ++i) sum += work.model->loss(runtime, weights, batches.at(i));
  const std::size_t bytes = text.size() - tokenizer->decode({tokens.data(), 1}).size();
  const double nats = sum.nats / static_cast<double>(sum.count);
  const double bits_per_byte = sum.nats / std::numbers::ln2 / static_cast<double>(bytes);
  if (!r.json) {
    std::cout << fmt::format(
        "weights of {} on {}\n{:.4f} nats per {}, perplexity {:.4f}, {:.4f} bits per byte\n"
        "over {} {}s, all but the first of the text, in windows of {} that are each read from their start\n",
        saved.file.string(), r.text, nats, unit, std::exp(nats), bits_per_byte, train::grouped(sum.count), unit,
        o.context);
    return;
  }
  print_json({{"weights", saved.file.string()},
              {"text", r.text},
              {"unit", unit},
              {"targets", sum.count},
              {"bytes", bytes},
              {"context", o.context},
              {"nats", nats},
              {"perplexity", std::exp(nats)},
              {"bits_per_byte", bits_per_byte},
              {"accuracy", static_cast<double>(sum.correct) / static_cast<double>(sum.count)}});
}

int evaluate_weights(const Request& options) {
  std::string damage;
  const train::WeightFile saved = train::read_weights(options.path, options.checkpoint, options.last_good, &damage);
  tell_passed_over(damage, saved.file);
  Preparation how;
  if (const auto known = saved.metadata.find("tokenizer"); known != saved.metadata.end() && !known->second.empty())
    how.tokenizer = train::Tokenizer::from_json(known->second, saved.file.string());
  if (!options.text.empty()) how.data = WithData::no;
  if (!options.text.empty() && how.tokenizer) how.sizes = how.tokenizer->vocab();
  std::error_code none;
  const std::filesystem::path copy = std::filesystem::path(options.path) / "data" / "text.txt";
  if (std::filesystem::exists(copy, none)) how.built_in = train::read_file(copy);
  const Work work = prepare(description_for(saved, options, options.file), options, how);
  if (!options.text.empty()) {
    evaluate_text(options, work, saved, how.tokenizer);
    return 0;
  }
  if (!work.data)
    throw Error("the description has no section `data`: say what to evaluate on by --set data.text.path=FILE");
  const train::TrainOptions o = train::train_options(work.train);
  check(work.data->validations(o) > 0, "{}: nothing is kept for validation; data.text.val_fraction says how much",
        work.data->source);
  const auto weights = train::matched(saved, work.model->weights());
  const auto own = saved.metadata.find("text_hash");
  if (own != saved.metadata.end() && own->second != work.data->hash) {
    std::cerr << fmt::format("note: {} is not the {} that these weights were trained with\n", work.data->source,
                             work.data->tokenizer() ? "text" : "data");
  }
  Runtime runtime(options.runtime);
  const train::ModelLearner learner(*work.model);
  print_loss(work, saved.file.string(), *train::evaluate(runtime, learner, weights, *work.data, o), options.json);
  return 0;
}

}  // namespace

Verb eval_verb() {
  return {"eval", "the loss of a trained model over a whole validation text",
          "  ./weft eval runs/2026-11-24_quickstart_s1\n"
          "  ./weft eval runs/2026-11-24_quickstart_s1 --checkpoint last --text other.txt\n"
          "  ./weft eval weights.safetensors model.yaml --set data.text.path=other.txt --json\n",
          [](CLI::App& app) {
            auto r = std::make_shared<Request>();
            add_options(app, *r, "RUN", "the folder of a run, or a file of weights");
            app.add_option("FILE", r->file, "a description, when not the one that is kept with the weights");
            app.add_option("--checkpoint", r->checkpoint, kCheckpointAbout);
            add_last_good(app, r->last_good);
            app.add_option("--text", r->text, "a text instead of the validation part: its perplexity");
            return [=] { return evaluate_weights(*r); };
          }};
}

}  // namespace weft::cli
