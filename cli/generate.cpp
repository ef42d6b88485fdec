// weft generate RUN: text from a trained model, as it is drawn.
#include <CLI/CLI.hpp>
#include <unistd.h>

#include <chrono>
#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/verb.h"
#include "cli/work.h"
#include "train/checkpoint.h"
#include "train/sample.h"

namespace weft::cli {
namespace {

struct Draw {
  std::optional<std::string> prompt;
  std::optional<i64> tokens, top_k;
  std::optional<double> temperature, top_p;

  void apply(train::GenerateOptions& o) const {
    if (prompt) o.prompt = prompt;
    if (tokens) o.tokens = *tokens;
    if (top_k) o.top_k = *top_k;
    if (temperature) o.temperature = *temperature;
    if (top_p) o.top_p = *top_p;
  }
};

int generate_text(const Options& options, const Draw& draw) {
  Runtime runtime(options.runtime);
  const train::SavedWeights saved = train::load_weights(options.path);
  const auto tokenizer = train::Tokenizer::from_json(saved.progress.tokenizer, saved.file.string());
  const auto source = dsl::make_source(options.path + "/description.yaml", saved.progress.description);
  const Work work = prepare(source, options, WithData::no, {}, tokenizer.vocab(), "generate");
  train::GenerateOptions o = train::generate_options(work.generate, saved.progress.seed);
  draw.apply(o);
  train::check_options(o);
  const auto prompt = train::prompt_tokens(o, tokenizer);
  const auto stream = work.model->stream(runtime, train::matched(saved, work.model->weights()));
  if (!stream->constant_work()) {
    std::cerr << "note: this model has no streaming form: every token computes the whole prefix again\n";
  }
  const bool terminal = ::isatty(1) == 1;
  if (terminal && !options.json) std::cout << paint(tokenizer.decode(prompt), Paint::dim, 1) << std::flush;
  std::string text;
  const i64 count = train::generate(*stream, tokenizer, o, [&](std::string_view piece) {
    if (options.json) text += piece;
    else std::cout << piece << std::flush;
    return bool(std::cout);
  });
  if (options.json) {
    nlohmann::ordered_json j = {{"prompt", tokenizer.decode(prompt)}, {"text", text}, {"tokens", count}, {"seed", o.seed}};
    std::cout << j.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  } else if (terminal) {
    std::cout << "\n";
  }
  return 0;
}

}  // namespace

Verb generate_verb() {
  return {"generate", "text from a trained model", [](CLI::App& app) {
            auto options = std::make_shared<Options>();
            auto draw = std::make_shared<Draw>();
            add_options(app, *options, "RUN", "the folder of a run, or a file of weights");
            app.add_option("--prompt", draw->prompt, "what the text starts with; it is not printed again in a pipe");
            app.add_option("--tokens", draw->tokens, "tokens to generate, the prompt not counted");
            app.add_option("--temperature", draw->temperature, "divides the logits; 0: always the likeliest token");
            app.add_option("--top-k", draw->top_k, "only the k likeliest tokens; 0: all");
            app.add_option("--top-p", draw->top_p, "only the likeliest tokens that together reach p");
            return [=] { return generate_text(*options, *draw); };
          }};
}

}  // namespace weft::cli
