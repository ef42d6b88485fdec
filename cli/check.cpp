// weft check FILE: every error of a description, then what it would take to train it.
#include <CLI/CLI.hpp>

#include <fstream>
#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/verb.h"
#include "cli/work.h"

namespace weft::cli {
namespace {

// Bytes that the machine can still give; 0 where it does not say.
double available_bytes() {
  std::ifstream meminfo("/proc/meminfo");
  std::string key, unit;
  double kilobytes = 0;
  while (meminfo >> key >> kilobytes >> unit) {
    if (key == "MemAvailable:") return kilobytes * 1024;
  }
  return 0;
}

struct Need {
  dsl::StepCost step;
  double bytes;  // of a step, with the gradients' moments
};

Need need_of(const Work& work, const train::TrainOptions& o) {
  const dsl::StepCost c = work.model->cost(o.batch, o.context, o.dtype);
  return {c, static_cast<double>(c.peak_bytes) + 2 * static_cast<double>(c.weight_bytes)};
}

std::string state_text(const Work& work, const Need& need) {
  if (need.step.state_bytes) {
    return bytes_text(static_cast<double>(*need.step.state_bytes)) + ", whatever the length";
  }
  return work.model->streams() ? "grows with the length" : "none: every token computes the whole prefix again";
}

void print_text(const Work& work, const train::TrainOptions& o, const Need& need, bool weights) {
  const auto& all = work.model->weights();
  std::cout << fmt::format("{}\n  weights  {} in {} tensors, {}\n", work.description->name(),
                           grouped(work.model->weight_count()), all.size(),
                           bytes_text(static_cast<double>(need.step.weight_bytes)));
  std::cout << fmt::format("  step     {} windows of {} tokens: {}, {} of memory\n", o.batch, o.context,
                           flops_text(need.step.flops), bytes_text(need.bytes));
  std::cout << fmt::format("  state    {}\n", state_text(work, need));
  if (work.text) {
    std::cout << fmt::format("  data     {}: {} {}s, vocabulary {}\n", work.text->source,
                             grouped(std::ssize(work.text->train) + std::ssize(work.text->valid)),
                             work.text->tokenizer.unit(), work.text->tokenizer.vocab());
  }
  if (!weights) return;
  std::size_t width = 0;
  for (const dsl::Weight& w : all) width = std::max(width, w.name.size());
  for (const dsl::Weight& w : all) {
    std::cout << fmt::format("  {:<{}}  {}{}\n", w.name, width, text(w.shape), w.decays ? "" : "  (no decay)");
  }
}

void print_json(const Work& work, const Need& need) {
  nlohmann::ordered_json j;
  j["name"] = work.description->name();
  j["weights"] = work.model->weight_count();
  j["flops_per_step"] = need.step.flops;
  j["bytes_per_step"] = need.bytes;
  if (need.step.state_bytes) j["state_bytes"] = *need.step.state_bytes;
  else j["state_bytes"] = nullptr;
  j["tensors"] = nlohmann::ordered_json::array();
  for (const dsl::Weight& w : work.model->weights()) {
    j["tensors"].push_back({{"name", w.name}, {"shape", w.shape}, {"decays", w.decays}});
  }
  std::cout << j.dump(2) << "\n";
}

}  // namespace

Verb check_verb() {
  return {"check", "every error of a description; weights, memory and cost of a step", [](CLI::App& app) {
            auto options = std::make_shared<Options>();
            auto no_data = std::make_shared<bool>(false);
            auto weights = std::make_shared<bool>(false);
            add_options(app, *options, "FILE", "the description; - for standard input");
            app.add_flag("--no-data", *no_data, "do not look at the data");
            app.add_flag("--weights", *weights, "list every weight with its shape");
            return [=] {
              const Work work = prepare(read_description(*options), *options, *no_data ? WithData::no : WithData::yes);
              const train::TrainOptions o = train::train_options(work.train);
              if (work.text) train::check_length(*work.text, o.context);
              const Need need = need_of(work, o);
              if (options->json) print_json(work, need);
              else print_text(work, o, need, *weights);
              const double available = available_bytes();
              if (available == 0 || need.bytes < available) return 0;
              throw Error(fmt::format("a step needs {}, and {} are available; make train.batch or train.context smaller",
                                      bytes_text(need.bytes), bytes_text(available)), Failure::size);
            };
          }};
}

}  // namespace weft::cli
