// weft check FILE: every error of a description, then what it would take to train it.
#include <CLI/CLI.hpp>

#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/memory.h"
#include "cli/output.h"
#include "cli/tensors.h"
#include "cli/verb.h"
#include "train/terminal.h"

namespace weft::cli {
namespace {

using train::grouped;

std::string state_text(const Work& work, const Need& need) {
  if (need.step.state_bytes) {
    return bytes_text(static_cast<double>(*need.step.state_bytes)) + " a row, whatever the length";
  }
  if (work.model->classes()) return "none: the class is told of the whole sequence";
  return work.model->streams() ? "grows with the length" : "none: every token computes the whole prefix again";
}

void print_text(const Work& work, const train::TrainOptions& o, const Need& need, bool weights) {
  const auto& all = work.model->weights();
  std::cout << fmt::format("{}\n  weights  {} in {} tensors, {}\n", work.description->name(),
                           grouped(work.model->weight_count()), all.size(),
                           bytes_text(static_cast<double>(need.step.weight_bytes)));
  std::cout << fmt::format("  step     {} windows of {} tokens: {}, {} of memory\n", o.batch, work.length(o),
                           flops_text(need.step.flops), bytes_text(need.bytes));
  std::cout << fmt::format("  state    {}\n", state_text(work, need));
  if (const train::Data* data = work.data.get()) {
    std::cout << fmt::format("  data     {}: {}; vocabulary {}{}\n", data->source, data->amount(), *data->sizes.vocab,
                             data->sizes.classes ? fmt::format(", {} classes", *data->sizes.classes) : "");
  }
  if (work.start) std::cout << "  " << work.start->said;
  if (!weights) return;
  std::size_t width = 0;
  for (const dsl::Weight& w : all) width = std::max(width, w.name.size());
  for (const dsl::Weight& w : all) {
    const std::string note = remark(w);
    std::cout << fmt::format("  {:<{}}  {}{}\n", w.name, width, text(w.shape), note.empty() ? "" : "  (" + note + ")");
  }
}

nlohmann::ordered_json document(const Work& work, const Need& need, double most) {
  nlohmann::ordered_json j;
  j["name"] = work.description->name();
  j["weights"] = work.model->weight_count();
  j["flops_per_step"] = need.step.flops;
  j["bytes_per_step"] = need.bytes;
  j["peak_bytes"] = need.peak;
  j["fits"] = too_large(need, most).empty();
  if (need.step.state_bytes) j["state_bytes"] = *need.step.state_bytes;
  else j["state_bytes"] = nullptr;
  j["tensors"] = nlohmann::ordered_json::array();
  for (const dsl::Weight& w : work.model->weights()) {
    j["tensors"].push_back(
        {{"name", w.name}, {"shape", w.shape}, {"decays", w.decays}, {"trained", w.trained}, {"frozen", w.frozen}});
  }
  j["diagnostics"] = work.warnings.json()["diagnostics"];
  return j;
}

int check_description(const Options& options, WithData data, bool weights) {
  const Work work = prepare(read_description(options), options, {.data = data, .starts = true});
  const train::TrainOptions o = train::train_options(work.train);
  if (work.data) work.data->check_run(o);
  const Need need = need_of(work, o);
  if (work.data && !options.json) std::cerr << work.data->notes();
  if (options.json) print_json(document(work, need, options.max_mem));
  else print_text(work, o, need, weights);
  const std::string trouble = too_large(need, options.max_mem);
  if (trouble.empty()) return 0;
  if (!options.json) report(trouble, "", false);
  return static_cast<int>(Failure::size);
}

}  // namespace

Verb check_verb() {
  return {"check", "every error of a description; weights, memory and cost of a step",
          "  ./weft check model.yaml --weights\n  ./weft check model.yaml --set train.batch=64 --no-data\n",
          [](CLI::App& app) {
            auto options = std::make_shared<Options>();
            auto no_data = std::make_shared<bool>(false), weights = std::make_shared<bool>(false);
            add_options(app, *options, "FILE", "the description; - for standard input");
            add_max_mem(app, options->max_mem);
            app.add_flag("--no-data", *no_data, "do not look at the data");
            app.add_flag("-v,--weights", *weights, "list every weight with its shape");
            return [=] { return check_description(*options, *no_data ? WithData::no : WithData::yes, *weights); };
          }};
}

}  // namespace weft::cli
