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

int evaluate_weights(const Options& options, const std::string& file) {
  std::error_code none;
  if (!std::filesystem::exists(options.path, none))
    train::fail_data("{}: there is no such run or file of weights", options.path);
  const train::WeightFile saved = train::read_weights(options.path);
  Preparation how;
  if (const auto known = saved.metadata.find("tokenizer"); known != saved.metadata.end() && !known->second.empty())
    how.tokenizer = train::Tokenizer::from_json(known->second, saved.file.string());
  const std::filesystem::path copy = std::filesystem::path(options.path) / "data" / "text.txt";
  if (std::filesystem::exists(copy, none)) how.built_in = train::read_file(copy);
  const Work work = prepare(description_for(saved, options, file), options, how);
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
