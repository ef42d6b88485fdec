// weft generate RUN: text from a trained model, as it is drawn.
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/prompts.h"
#include "cli/verb.h"
#include "cli/work.h"
#include "train/checkpoint.h"
#include "train/file.h"
#include "train/state_file.h"
#include "train/texts.h"

namespace weft::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Draw {
  std::optional<i64> tokens, top_k;
  std::optional<double> temperature, top_p, repetition_penalty;
  std::vector<std::string> stop;

  void apply(train::GenerateOptions& o) const {
    if (tokens) o.tokens = *tokens;
    if (top_k) o.top_k = *top_k;
    if (temperature) o.temperature = *temperature;
    if (top_p) o.top_p = *top_p;
    if (repetition_penalty) o.repetition_penalty = *repetition_penalty;
    if (!stop.empty()) o.stop = stop;
  }
};

struct Request : Options {
  std::string checkpoint, load, save;
  PromptOptions prompt;
  Draw draw;
  std::optional<i64> n;
  bool logprobs = false, last_good = false;
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

// A prompt as text, and as what the model reads: nothing where a loaded state stands for it.
struct Read {
  std::vector<std::string> texts;
  std::vector<std::vector<i32>> tokens;
};

Read prompts_of(const Request& r, const train::GenerateOptions& o, const train::Tokenizer& tokenizer) {
  Read read;
  for (const Prompt& p : prompts_given(r.prompt)) {
    read.tokens.push_back(tokenizer.encode(p.text, p.source, p.kind));
    read.texts.push_back(p.text);
  }
  if (!read.texts.empty()) return read;
  read.tokens.push_back(r.load.empty() ? train::prompt_tokens(o, tokenizer) : std::vector<i32>());
  read.texts.push_back(tokenizer.decode(read.tokens[0]));
  return read;
}

Json document(const train::Writing& how, const std::string& prompt, const train::Written& w) {
  const bool stopped = w.end == train::Draft::End::stop;
  Json j = {{"prompt", prompt},
            {"text", w.text},
            {"tokens", w.tokens},
            {"seed", how.options.seed},
            {"stopped", stopped ? "stop" : "tokens"}};
  if (stopped) j["stop"] = w.stop;
  if (!how.keeps_drawn) return j;
  j["logprobs"] = Json::array();
  for (const train::Drawn& d : w.drawn) {
    j["logprobs"].push_back(
        {{"token", d.token}, {"text", how.tokenizer.decode({&d.token, 1})}, {"logprob", d.log_probability}});
  }
  return j;
}

// One text, on a page as it is drawn.
void print_one(const train::Writing& how, const train::Beginning& from, const std::string& prompt, bool json) {
  train::Written written;
  std::vector<train::Draft> draft;
  if (json) {
    draft.push_back(train::draft_of(how, from, 0, written));
    train::write(how.stream, draft);
    written.tokens = draft[0].tokens(), written.end = draft[0].end(), written.stop = draft[0].stop();
    print_json(document(how, prompt, written));
    return;
  }
  Page page(prompt);
  draft.emplace_back(how.tokenizer, how.options, from, 0, [&](std::string_view piece) { return page.write(piece); });
  train::write(how.stream, draft);
}

void print_all(const train::Writing& how, const Read& read, i64 copies, bool json) {
  const auto all = train::write_all(how, read.tokens, copies);
  Json texts = Json::array();
  for (std::size_t p = 0; p < all.size(); ++p) {
    for (std::size_t c = 0; c < all[p].size(); ++c) {
      if (json) {
        texts.push_back(document(how, read.texts[p], all[p][c]));
        texts.back()["sample"] = c;
        continue;
      }
      std::cout << "---" << (all.size() > 1 ? fmt::format(" prompt {}", p + 1) : "")
                << (copies > 1 ? fmt::format(" sample {}", c) : "") << "\n";
      Page(read.texts[p]).write(all[p][c].text);
      std::cout << (::isatty(1) == 1 ? "" : "\n");
    }
  }
  if (json) print_json({{"texts", texts}});
}

// The description's own model: what says how the state follows from the tokens.
std::string hash_of_model(const dsl::Description& description) {
  dsl::Diagnostics d;
  const dsl::Description none(dsl::make_source("", "schema: 1\n"), {}, surroundings(), d);
  return train::hash_of(description.on(none, d).text());
}

train::GenerateOptions checked(const Request& r, const Work& work, const train::SavedWeights& saved) {
  train::GenerateOptions o = train::generate_options(work.generate, saved.progress.seed);
  r.draw.apply(o);
  train::check_options(o);
  check(r.n.value_or(1) >= 1, "--n must be 1 or more ({})", r.n.value_or(1));
  check(!r.logprobs || r.json, "--logprobs is part of the document that --json prints: add --json");
  check(r.save.empty() || r.prompt.list.empty(), "--save-state keeps the state after one prompt, not after --prompts");
  return o;
}

int generate_text(const Request& r) {
  std::string damage;
  const train::SavedWeights saved = train::load_weights(r.path, r.checkpoint, r.last_good, &damage);
  tell_passed_over(damage, saved.file);
  check(!saved.progress.tokenizer.empty(),
        "{}: was trained on a task, which has no text to write; ./weft eval {} tells "
        "how well it does it",
        saved.file.string(), r.path);
  const auto tokenizer = train::Tokenizer::from_json(saved.progress.tokenizer, saved.file.string());
  check(tokenizer.labels.empty(),
        "{}: was trained to tell classes, and has no text to write; ./weft eval {} tells how "
        "well it does it",
        saved.file.string(), r.path);
  const auto source = dsl::make_source(saved.file.string(), saved.progress.description);
  const Preparation how{.data = WithData::no, .sizes = tokenizer.vocab(), .seed_of = "generate"};
  const Work work = prepare(source, r, how);
  const train::GenerateOptions o = checked(r, work, saved);
  const Read read = prompts_of(r, o, tokenizer);
  Runtime runtime(r.runtime);
  const std::vector<Tensor> weights = train::matched(saved, work.model->weights());
  const auto stream = work.model->stream(runtime, weights);
  if (!stream->constant_work()) {
    std::cerr << "note: this model has no streaming form: every token computes the whole prefix again\n";
  }
  train::Writing writing{*stream, tokenizer, o, nullptr, r.logprobs};
  const auto owner = [&] {
    return train::Owner{train::hash_of_weights(work.model->weights(), weights), hash_of_model(*work.description),
                        saved.file.string()};
  };
  std::optional<train::Beginning> loaded;
  if (!r.load.empty()) loaded = train::load_state(r.load, owner(), tokenizer.vocab());
  if (loaded) writing.before = &*loaded;
  const bool one = r.prompt.list.empty() && !r.n;
  if (!one && r.save.empty()) {
    print_all(writing, read, r.n.value_or(1), r.json);
    return 0;
  }
  const train::Beginning from = train::begin(writing, read.tokens[0]);
  if (!r.save.empty()) train::save_state(r.save, from, owner());
  if (one) {
    print_one(writing, from, read.texts[0], r.json);
  } else {
    writing.before = &from;
    print_all(writing, {read.texts, {{}}}, *r.n, r.json);
  }
  return 0;
}

}  // namespace

Verb generate_verb() {
  return {"generate", "text from a trained model",
          "  ./weft generate runs/2026-11-24_quickstart_s1 --prompt \"The \" --tokens 400\n"
          "  ./weft generate runs/2026-11-24_quickstart_s1 --temperature 0 > text.txt\n"
          "  ./weft generate runs/2026-11-24_quickstart_s1 --prompt-file long.txt --save-state long.state --tokens 0\n"
          "  ./weft generate runs/2026-11-24_quickstart_s1 --load-state long.state --n 4 --stop \"}\"\n",
          [](CLI::App& app) {
            auto r = std::make_shared<Request>();
            add_options(app, *r, "RUN", "the folder of a run, or a file of weights");
            app.add_option("--checkpoint", r->checkpoint, kCheckpointAbout);
            add_last_good(app, r->last_good);
            add_prompt_options(app, r->prompt);
            Draw& draw = r->draw;
            app.add_option("--tokens", draw.tokens, "tokens to generate, the prompt not counted");
            app.add_option("--temperature", draw.temperature, "divides the logits; 0: always the likeliest token");
            app.add_option("--top-k", draw.top_k, "only the k likeliest tokens; 0: all");
            app.add_option("--top-p", draw.top_p, "only the likeliest tokens that together reach p");
            app.add_option("--repetition-penalty", draw.repetition_penalty,
                           "of tokens that the text has already: logits above 0 divided by it, those below multiplied");
            app.add_option("--stop", draw.stop, "TEXT before which to end, not printed; may be given again")
                ->allow_extra_args(false);
            app.add_option("--n", r->n, "texts after each prompt, drawn apart");
            app.add_flag("--logprobs", r->logprobs,
                         "with --json: log probability of each token in nats, as the model has it at temperature 1");
            app.add_option("--save-state", r->save, "a file to write the state after the prompt to");
            app.add_option("--load-state", r->load, "a file of such a state: the prompt goes on from it");
            return [=] { return generate_text(*r); };
          }};
}

}  // namespace weft::cli
