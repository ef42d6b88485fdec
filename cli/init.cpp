// weft init FILE: freshly drawn weights, those with which `weft train` starts.
#include <CLI/CLI.hpp>

#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/tensors.h"
#include "cli/verb.h"
#include "cli/work.h"

namespace weft::cli {
namespace {

int init_weights(const Options& options, const std::string& def, const std::string& out) {
  const Work work = prepare(read_description(options), options, {.asked = dsl::Asked{.def = def}});
  print_notes(*work.function);
  const train::Job job = work.job();
  const auto names = work.function->weights();
  const auto weights = work.function->initial_weights(job.train.seed, job.train.dtype);
  if (work.data && def.empty()) {  // then it is the checkpoint of step 0, as good for `generate` and `eval`
    train::Progress progress;
    progress.seed = job.train.seed;
    progress.text_hash = work.data->hash;
    if (const train::Tokenizer* t = work.data->vocabulary()) progress.tokenizer = t->json();
    progress.description = job.description;
    train::save_weights(out, names, weights, progress);
  } else {
    std::vector<train::NamedTensor> tensors;
    for (std::size_t i = 0; i < names.size(); ++i) tensors.push_back({names[i].name, weights[i]});
    train::write_safetensors(out, tensors,
                             {{"seed", std::to_string(job.train.seed)}, {"description", job.description}});
  }
  i64 count = 0;
  for (const Tensor& w : weights) count += w.size();
  if (options.json) {
    print_json({{"out", out},
                {"seed", job.train.seed},
                {"dtype", name(job.train.dtype)},
                {"tensors", names.size()},
                {"weights", count}});
  } else {
    std::cout << fmt::format("{}: {} weights in {} tensors, {}, seed {}\n", out, train::grouped(count), names.size(),
                             name(job.train.dtype), job.train.seed);
  }
  return 0;
}

}  // namespace

Verb init_verb() {
  return {"init", "freshly drawn weights, those with which training starts",
          "  ./weft init model.yaml --seed 1 --out weights.safetensors\n"
          "  ./weft init std/retnet --def retention -p D=64 --out weights.safetensors\n",
          [](CLI::App& app) {
            auto options = std::make_shared<Options>();
            auto def = std::make_shared<std::string>(), out = std::make_shared<std::string>();
            add_options(app, *options, "FILE", "the description; - for standard input");
            app.add_option("--def", *def, "one def alone; -p then sets its params and the sizes of its inputs");
            app.add_option("--out", *out, "where they go (safetensors)")->required();
            return [=] { return init_weights(*options, *def, *out); };
          }};
}

}  // namespace weft::cli
