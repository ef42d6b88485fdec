// weft apply FILE: a model or one def on tensors of other programs, and its gradients.
#include <CLI/CLI.hpp>

#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/tensors.h"
#include "cli/verb.h"
#include "cli/work.h"
#include "train/file.h"

namespace weft::cli {
namespace {

struct Application {
  std::string def, weights, in, out, form, dtype = "f32";
  bool gradients = false, training = false;
};

// What is wrong with the description is told before what is wrong with the tensors.
void require_structure(const dsl::SourcePtr& source, const Options& options) {
  dsl::Diagnostics d;
  const dsl::Description plain(source, options.set, surroundings(), d);
  if (d.has_errors()) report_errors(d, options.json);
}

Preparation preparation(const Application& a, const train::Safetensors& in,
                        const std::optional<train::WeightFile>& saved) {
  Preparation how{.asked = dsl::Asked{.def = a.def, .with_tensors = true, .gradients = a.gradients}};
  for (const train::TensorEntry& entry : in.entries()) how.asked->given[entry.name] = entry.shape;
  // Weights that were trained know their vocabulary: the text need not be there.
  if (saved && saved->metadata.contains("tokenizer") && !saved->metadata.at("tokenizer").empty()) {
    const auto tokenizer = train::Tokenizer::from_json(saved->metadata.at("tokenizer"), saved->file.string());
    how.sizes.vocab = tokenizer.vocab();
    if (!tokenizer.labels.empty()) how.sizes.classes = std::ssize(tokenizer.labels);
    how.data = WithData::no;
  }
  return how;
}

std::vector<Tensor> weights_for(const dsl::Function& function, const std::optional<train::WeightFile>& saved, u64 seed,
                                DType dtype) {
  if (!saved) {
    if (!function.slots().empty()) std::cerr << fmt::format("note: no --weights: they are drawn from seed {}\n", seed);
    return function.initial_weights(seed, dtype);
  }
  std::vector<Tensor> weights;
  for (const Tensor& w : train::matched(*saved, function.weights())) weights.push_back(w.converted(dtype));
  return weights;
}

dsl::Function::Tensors inputs_for(const dsl::Function& function, const train::Safetensors& in,
                                  const std::string& path) {
  dsl::Function::Tensors inputs;
  for (const train::TensorEntry& entry : in.entries()) {
    inputs[entry.name] = in.load(entry, train::Safetensors::Accept::convertible);
  }
  const std::string faults = function.faults(inputs);
  if (!faults.empty()) train::fail_data("{}: its tensors do not fit{}", path, faults);
  return inputs;
}

void print_results(const Application& a, const std::vector<train::NamedTensor>& results, bool json) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  std::vector<std::vector<std::string>> rows;
  for (const auto& [tensor, value] : results) {
    list.push_back({{"name", tensor}, {"shape", value.shape()}, {"dtype", name(value.dtype())}});
    rows.push_back({tensor, text(value.shape()), std::string(name(value.dtype()))});
  }
  if (json) print_json({{"out", a.out}, {"tensors", list}});
  else std::cout << columns(rows);
}

int apply_description(Options options, const Application& a) {
  check(!a.training || options.seed, "--train draws random numbers: give --seed, too");
  if (!a.form.empty()) options.set.push_back("train.form=" + a.form);
  const DType dtype = a.dtype == "f64" ? DType::f64 : DType::f32;
  const dsl::SourcePtr source = read_description(options);
  require_structure(source, options);
  const train::Safetensors in{std::filesystem::path(a.in)};
  std::optional<train::WeightFile> saved;
  if (!a.weights.empty()) saved = train::read_weights(a.weights);
  const Work work = prepare(source, options, preparation(a, in, saved));
  const dsl::Function& function = *work.function;
  print_notes(function);
  const auto inputs = inputs_for(function, in, a.in);
  const u64 seed = static_cast<u64>(options.seed.value_or(1));
  const auto weights = weights_for(function, saved, seed, dtype);
  Runtime runtime(options.runtime);
  RunSettings settings;
  settings.training = a.training;
  settings.key = Key{seed}.fold("model");
  std::vector<train::NamedTensor> results;
  for (auto& [tensor, value] : function(runtime, dtype, weights, inputs, settings))
    results.push_back({tensor, std::move(value)});
  train::write_safetensors(a.out, results, {});
  print_results(a, results, options.json);
  return 0;
}

}  // namespace

Verb apply_verb() {
  return {
      "apply", "a model or one def on tensors of other programs (safetensors), and its gradients",
      "  ./weft apply model.yaml --weights weights.safetensors --in in.safetensors --out out.safetensors\n"
      "  ./weft apply std/retnet --def retention -p H=2 --in in.safetensors --out out.safetensors --grad --dtype f64\n"
      "The model takes tokens [B, T] and, if there are, targets [B, T] (-1: not counted), and gives logits and loss.\n"
      "A def takes its inputs by name, a batch in front of each, and gives out. Both take initial.<state> and give\n"
      "final.<state>. With --grad they give grad.<name> of every input, weight and initial.<state>: of the loss, or of\n"
      "the sums of out * cotangent and of final.<state> * cotangent.final.<state>.\n",
      [](CLI::App& app) {
        auto options = std::make_shared<Options>();
        auto a = std::make_shared<Application>();
        add_options(app, *options, "FILE", "the description; - for standard input");
        app.add_option("--def", a->def, "one def alone; -p then sets its params");
        app.add_option("--weights", a->weights, "a file of weights or the folder of a run; else drawn from --seed (1)");
        app.add_option("--in", a->in, "the tensors it takes")->required();
        app.add_option("--out", a->out, "where the tensors that it gives go")->required();
        app.add_flag("--grad", a->gradients, "gradients, too");
        app.add_option("--form", a->form, "of all recurrences: auto, recurrent, chunkwise, parallel")
            ->check(CLI::IsMember({"auto", "recurrent", "chunkwise", "parallel"}));
        app.add_option("--dtype", a->dtype, "f32 or f64, throughout")->check(CLI::IsMember({"f32", "f64"}));
        app.add_flag("--train", a->training, "training mode: dropout and the like draw from --seed");
        return [=] { return apply_description(*options, *a); };
      }};
}

}  // namespace weft::cli
