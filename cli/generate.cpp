// weft generate RUN: text from a trained model, as it is drawn.
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/verb.h"
#include "cli/work.h"
#include "train/checkpoint.h"
#include "train/file.h"
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

// What a terminal may have: a model that learned from escape sequences writes them, too. Bytes above ASCII pass.
std::string harmless(std::string_view piece) {
  std::string safe(piece);
  for (char& c : safe) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f) c = '?';
  }
  return safe;
}

/// Where the text goes, piece by piece: a pipe has the continuation alone, a terminal the prompt before it.
class Page {
 public:
  explicit Page(const std::string& prompt) {
    if (terminal_) std::cout << paint(harmless(prompt), Paint::dim, 1) << std::flush;
  }
  ~Page() {
    if (terminal_) std::cout << std::endl;
  }
  bool write(std::string_view piece) {
    if (terminal_) std::cout << harmless(piece);
    else std::cout << piece;
    return bool(std::cout.flush());
  }

 private:
  bool terminal_ = ::isatty(1) == 1;
};

void generate_json(dsl::Stream& stream, const train::Tokenizer& tokenizer, const train::GenerateOptions& o,
                   const std::string& prompt) {
  std::string text;
  const i64 count = train::generate(stream, tokenizer, o, [&](std::string_view piece) {
    text += piece;
    return true;
  });
  print_json({{"prompt", prompt}, {"text", text}, {"tokens", count}, {"seed", o.seed}});
}

int generate_text(const Options& options, const Draw& draw) {
  std::error_code none;
  if (!std::filesystem::exists(options.path, none)) {
    train::fail_data("{}: there is no such run or file of weights", options.path);
  }
  const train::SavedWeights saved = train::load_weights(options.path);
  check(!saved.progress.tokenizer.empty(),
        "{}: was trained on a task, which has no text to write; ./weft eval {} tells "
        "how well it does it",
        saved.file.string(), options.path);
  const auto tokenizer = train::Tokenizer::from_json(saved.progress.tokenizer, saved.file.string());
  check(tokenizer.labels.empty(),
        "{}: was trained to tell classes, and has no text to write; ./weft eval {} tells how "
        "well it does it",
        saved.file.string(), options.path);
  const auto source = dsl::make_source(saved.file.string(), saved.progress.description);
  const Preparation how{.data = WithData::no, .sizes = tokenizer.vocab(), .seed_of = "generate"};
  const Work work = prepare(source, options, how);
  train::GenerateOptions o = train::generate_options(work.generate, saved.progress.seed);
  draw.apply(o);
  train::check_options(o);
  const std::string prompt = tokenizer.decode(train::prompt_tokens(o, tokenizer));
  Runtime runtime(options.runtime);
  const auto stream = work.model->stream(runtime, train::matched(saved, work.model->weights()));
  if (!stream->constant_work()) {
    std::cerr << "note: this model has no streaming form: every token computes the whole prefix again\n";
  }
  if (options.json) {
    generate_json(*stream, tokenizer, o, prompt);
    return 0;
  }
  Page page(prompt);
  train::generate(*stream, tokenizer, o, [&](std::string_view piece) { return page.write(piece); });
  return 0;
}

}  // namespace

Verb generate_verb() {
  return {"generate", "text from a trained model",
          "  ./weft generate runs/2026-11-24_quickstart_s1 --prompt \"The \" --tokens 400\n"
          "  ./weft generate runs/2026-11-24_quickstart_s1 --temperature 0 > text.txt\n",
          [](CLI::App& app) {
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
