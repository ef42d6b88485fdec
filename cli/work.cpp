#include "cli/work.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <iostream>
#include <iterator>

#include "cli/memory.h"
#include "cli/output.h"
#include "models/library.h"
#include "train/checkpoint.h"
#include "train/data_kinds.h"
#include "train/file.h"
#include "train/origin.h"

namespace weft::cli {
namespace {

namespace fs = std::filesystem;

train::Start start_of(const Work& work, const train::Origin& origin, const Options& options) {
  const train::TrainOptions o = train::train_options(work.train);
  dsl::Diagnostics d;
  try {
    return origin.start(work.model->weights(), work.model->initial_weights(o.seed, o.dtype), Runtime(options.runtime),
                        surroundings(), d);
  } catch (const dsl::Failed&) {
    report(d, options.json);
    throw Reported{d.exit_code()};
  }
}

}  // namespace

std::vector<std::string> Options::overrides(const std::string& seed_of) const {
  std::vector<std::string> all = set;
  for (const std::string& p : params) all.push_back("params." + p);
  if (seed) all.push_back(fmt::format("{}.seed={}", seed_of, *seed));
  return all;
}

void add_runtime_options(CLI::App& app, Options& options) {
  app.add_option("--threads", options.runtime.threads, "threads; 0: all of the machine")->check(CLI::Range(0, 1024));
  app.add_option("--products", options.runtime.products, "matrix products: auto, packed, blas, loops")
      ->check(CLI::IsMember({"auto", "packed", "blas", "loops"}));
  app.add_option("--parallel", options.runtime.parallel, "tbb or serial")->check(CLI::IsMember({"tbb", "serial"}));
}

void add_options(CLI::App& app, Options& options, const char* what, const char* about) {
  app.add_option(what, options.path, about)->required();
  // One value each time, as in the help: `--set a=1 b=2` is a slip.
  app.add_option("--set", options.set, "PATH=VALUE: another value in the description, as in train.steps=100")
      ->allow_extra_args(false);
  app.add_option("-p", options.params, "NAME=VALUE: short for --set params.NAME=VALUE")->allow_extra_args(false);
  app.add_option("--seed", options.seed, "of everything random");
  app.add_flag("--json", options.json, "one JSON document on stdout instead of text");
  add_runtime_options(app, options);
}

void add_last_good(CLI::App& app, bool& last_good) {
  app.add_flag("--last-good", last_good, "pass over damaged checkpoints");
}

void tell_passed_over(const std::string& damage, const fs::path& taken) {
  if (!damage.empty()) std::cerr << fmt::format("note: {}\nnote: {} is taken instead\n", damage, taken.string());
}

dsl::Surroundings surroundings() {
  dsl::Surroundings s;
  s.library = [](std::string_view name) -> std::optional<std::string_view> {
    for (const models::Embedded& e : models::library()) {
      if (e.name == std::string(name) + ".yaml") return e.text;
    }
    return {};
  };
  for (const models::Embedded& e : models::library()) {
    s.library_names.emplace_back(e.name.substr(0, e.name.rfind('.')));
  }
  s.sections = train::option_tables();
  return s;
}

std::string_view library_text(const std::string& name) {
  const dsl::Surroundings all = surroundings();
  const std::string bare = name.starts_with("std/") ? name.substr(4) : name;
  if (const auto text = all.library(bare)) return *text;
  const std::string guess = dsl::guess_text(bare, all.library_names);
  throw Error(fmt::format("the standard library has no `{}`; {}", bare,
                          guess.empty() ? "`weft std list` says what it has" : guess));
}

train::Job Work::job() const {
  train::Job job;
  job.name = description->name();
  job.description = description->text();
  job.program = program_text();
  job.train = train::train_options(train);
  job.eval = train::eval_options(eval);
  job.generate = train::generate_options(generate, job.train.seed);
  return job;
}

dsl::SourcePtr read_description(const Options& options) {
  if (options.path.starts_with("std/")) {
    return dsl::make_source(options.path, std::string(library_text(options.path)));
  }
  if (options.path == "-") {
    return dsl::make_source("<stdin>", std::string(std::istreambuf_iterator<char>(std::cin), {}));
  }
  dsl::Diagnostics d;
  const dsl::SourcePtr source = dsl::read_source(options.path, d);
  if (source) return source;
  report(d, options.json);
  throw Reported{d.exit_code()};
}

dsl::DataSizes sizes_told(const dsl::SourcePtr& source, const Options& options) {
  dsl::Diagnostics unread;
  const dsl::Description description(source, options.overrides(), surroundings(), unread);
  if (!description.has_data() || unread.has_errors()) return {};
  const dsl::Settings data = description.section("data", unread);
  return unread.has_errors() || data.chosen("").empty() ? dsl::DataSizes() : train::data_kind(data).sizes(data);
}

std::pair<Options, std::vector<std::string>> divided(const dsl::SourcePtr& source, Options options,
                                                     const std::string& def) {
  std::vector<std::string> of_file, of_def;
  dsl::Diagnostics unread;
  const dsl::Description plain(source, options.set, surroundings(), unread);
  if (def.empty() || !plain.file().tree->is_map()) return {options, {}};
  for (const std::string& p : options.params) {
    (plain.belongs_to(p.substr(0, p.find('=')), def) ? of_def : of_file).push_back(p);
  }
  options.params = of_file;
  return {options, of_def};
}

train::Metadata newest_metadata(const fs::path& run) {
  for (const i64 step : train::list_checkpoints(run / "checkpoints")) {
    try {
      return train::Safetensors(train::checkpoint_file(run / "checkpoints", step)).metadata();
    } catch (const Error&) {
    }
  }
  return {};
}

Preparation preparation_of(const fs::path& run) {
  Preparation how;
  std::error_code none;
  how.starts = !fs::exists(run / "description.yaml", none);
  const fs::path copy = run / "data" / "text.txt";
  if (fs::exists(copy, none)) how.built_in = train::read_file(copy);
  const train::Metadata saved = newest_metadata(run);
  if (const auto known = saved.find("tokenizer"); known != saved.end() && !known->second.empty())
    how.tokenizer = train::Tokenizer::from_json(known->second, run.string());
  return how;
}

Work prepare(const dsl::SourcePtr& source, const Options& given, const Preparation& how) {
  Work work;
  work.threads = given.runtime.parallel == "serial" ? 1 : given.runtime.threads;
  dsl::Diagnostics d;
  Options options = given;
  dsl::Asked asked = how.asked.value_or(dsl::Asked{});
  if (how.asked) std::tie(options, asked.params) = divided(source, given, asked.def);
  dsl::Diagnostics base;  // of the whole sweep: said before its runs
  work.description =
      std::make_unique<dsl::Description>(source, options.overrides(how.seed_of), surroundings(), how.run ? base : d);
  if (how.task) work.description = std::make_unique<dsl::Description>(work.description->on(*how.task, d));
  if (how.run) work.description = std::make_unique<dsl::Description>(work.description->with(*how.run, d));
  const bool readable = work.description->file().tree->is_map();
  const auto end = [&] {
    report(d, options.json);
    throw Reported{d.exit_code()};
  };
  if (!readable) end();
  const dsl::Settings data = work.description->section("data", d);
  work.train = work.description->section("train", d);
  work.eval = work.description->section("eval", d);
  work.generate = work.description->section("generate", d);

  dsl::DataSizes sizes = how.sizes;
  // Trouble with the data waits until everything in the description has been said.
  std::optional<Error> trouble;
  std::optional<train::Origin> origin;
  if (work.description->has_data() && !d.has_errors()) {
    try {
      const train::DataKind& kind = train::data_kind(data);
      kind.check(data);
      if (!sizes.vocab) sizes = kind.sizes(data);
      const auto from = how.starts ? train::from_options(work.train) : std::nullopt;
      if (from) origin.emplace(*from, d);
      const std::string_view built_in = how.built_in ? std::string_view(*how.built_in) : models::builtin_text();
      const auto load = [&](const train::Tokenizer* known) {
        return kind.load(data, {built_in, known, how.data == WithData::yes});
      };
      const std::string tokenizer = kind.option.name + ".tokenizer";
      const bool demanded = data.has(tokenizer) && data.given(tokenizer);
      work.data = origin ? origin->load(demanded ? data.word(tokenizer) : "", load)
                         : load(how.tokenizer ? &*how.tokenizer : nullptr);
      if (work.data) sizes = work.data->sizes;
    } catch (const Error& e) {
      trouble = e;
    } catch (const dsl::Failed&) {  // the map: reported
    }
  }
  const auto build = [&](const dsl::DataSizes& known, dsl::Diagnostics& to) {
    if (how.asked) work.function = work.description->function(asked, known, to);
    else work.model = work.description->model(known, to);
    return work.function || work.model;
  };
  if (trouble && !asked.def.empty()) {  // a def that does not know the vocabulary does not need the data
    dsl::Diagnostics silent;
    if (build({}, silent)) trouble.reset();
  }
  constexpr i64 kSomeVocabulary = 256;  // stands for that of data which are not read: sizes alone depend on it
  const auto& params = work.description->file().params;
  const bool own = std::any_of(params.begin(), params.end(), [](const dsl::Param& p) { return p.name == "vocab"; });
  const bool stands_for = work.description->has_data() || (asked.explain && !own);
  if (!sizes.vocab && stands_for && !work.function) sizes.vocab = kSomeVocabulary;
  const bool built = work.function || build(sizes, d);
  if (work.data && !work.data->has_windows() && work.train.given("context")) {
    d.warning("W0103", work.train.span("context"), "`context` is for a text: here rows are as long as the data")
        .note(fmt::format("those of {} have up to {} tokens", work.data->source,
                          work.length(train::train_options(work.train))))
        .help("remove it");
  }
  if (work.model && !d.has_errors()) train::check_recipe(work.train, work.eval, work.model->weights(), d);
  if (d.has_errors() || !built) end();
  if (!options.json && !how.run) report(d, false);  // a sweep has said it once
  if (trouble) throw *trouble;
  if (origin) work.start = start_of(work, *origin, options);
  work.warnings = std::move(d);
  return work;
}

}  // namespace weft::cli
