// weft eval RUN: the loss over a whole validation part, and what it means.
#include <CLI/CLI.hpp>

#include <iostream>
#include <numbers>

#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/verb.h"
#include "cli/work.h"
#include "train/checkpoint.h"
#include "train/file.h"
#include "train/floors.h"
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
  const train::TextData& text = *work.text;
  const double loss = sum.nats / static_cast<double>(sum.count);
  const train::Floors floors = train::measure_floors(text.train, text.valid, text.tokenizer.vocab());
  if (!json) {
    std::cout << fmt::format("weights of {} on {}\n", file, text.source)
              << train::meaning(loss, sum.count, floors, text.tokenizer.unit());
    return;
  }
  print_json({{"weights", file},
              {"text", text.source},
              {"unit", text.tokenizer.unit()},
              {"tokens", sum.count},
              {"nats", loss},
              {"bits", loss / std::numbers::ln2},
              {"floors", {{"uniform", floors.uniform}, {"unigram", floors.unigram}, {"bigram", floors.bigram}}}});
}

int evaluate_weights(const Options& options, const std::string& file) {
  std::error_code none;
  if (!std::filesystem::exists(options.path, none))
    train::fail_data("{}: there is no such run or file of weights", options.path);
  const train::WeightFile saved = train::read_weights(options.path);
  Preparation how;
  if (const auto known = saved.metadata.find("tokenizer"); known != saved.metadata.end())
    how.tokenizer = train::Tokenizer::from_json(known->second, saved.file.string());
  const std::filesystem::path copy = std::filesystem::path(options.path) / "data" / "text.txt";
  if (std::filesystem::exists(copy, none)) how.built_in = train::read_file(copy);
  const Work work = prepare(description_for(saved, options, file), options, how);
  if (!work.text)
    throw Error("the description has no section `data`: say what to evaluate on by --set data.text.path=FILE");
  check(work.text->valid.size() > 1, "{}: nothing is kept for validation; data.text.val_fraction says how much",
        work.text->source);
  const train::TrainOptions o = train::train_options(work.train);
  const auto weights = train::matched(saved, work.model->weights());
  const auto own = saved.metadata.find("text_hash");
  if (own != saved.metadata.end() && own->second != work.text->hash) {
    std::cerr << fmt::format("note: {} is not the text that these weights were trained with\n", work.text->source);
  }
  Runtime runtime(options.runtime);
  const train::ModelLearner learner(*work.model);
  print_loss(work, saved.file.string(),
             *train::evaluate(runtime, learner, weights, work.text->valid, o.batch, o.context), options.json);
  return 0;
}

}  // namespace

Verb eval_verb() {
  return {"eval", "the loss of a trained model over a whole validation text",
          "  ./weft eval runs/2026-11-24_quickstart_s1\n"
          "  ./weft eval weights.safetensors model.yaml --set data.text.path=other.txt --json\n",
          [](CLI::App& app) {
            auto options = std::make_shared<Options>();
            auto file = std::make_shared<std::string>();
            add_options(app, *options, "RUN", "the folder of a run, or a file of weights");
            app.add_option("FILE", *file, "a description, when not the one that is kept with the weights");
            return [=] { return evaluate_weights(*options, *file); };
          }};
}

}  // namespace weft::cli
