// From a path and the options of the command line to a checked description, its text and its model: one way for all
// verbs.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dsl/description.h"
#include "engine/runtime.h"
#include "train/checkpoint.h"
#include "train/data.h"
#include "train/options.h"
#include "train/trainer.h"

namespace CLI {
class App;
}

namespace weft::cli {

/// The options of every verb that reads a description.
struct Options {
  std::string path;
  std::vector<std::string> set, params;
  std::optional<i64> seed;
  RuntimeOptions runtime;
  double max_mem = 0;  // bytes; 0: what is available
  bool json = false;

  /// "path=value", in the words of `--set`; `seed_of` is the section that `--seed` belongs to.
  std::vector<std::string> overrides(const std::string& seed_of = "train") const;
};
/// `what` names the positional argument (FILE, RUN) in the help.
void add_options(CLI::App& app, Options& options, const char* what, const char* about);
/// Of the verbs that read the weights of a run.
inline constexpr const char* kCheckpointAbout =
    "which weights of the run: best, last, a step, or a file; unless given, best where there is one, else last";
void add_runtime_options(CLI::App& app, Options& options);

/// `--last-good` of the verbs that read a run.
void add_last_good(CLI::App& app, bool& last_good);
/// Says which damaged files were passed over for it, on stderr; nothing when there were none.
void tell_passed_over(const std::string& damage, const std::filesystem::path& taken);

dsl::Surroundings surroundings();
/// The text of `std/NAME`, with or without `std/` in front; an unknown name is an error with a guess.
std::string_view library_text(const std::string& name);

struct Work {
  std::unique_ptr<dsl::Description> description;
  dsl::Settings train, eval, generate;
  std::shared_ptr<const train::Data> data;  // when there is a section `data` and it is wanted
  std::shared_ptr<const dsl::Model> model;
  std::unique_ptr<const dsl::Function> function;  // instead of the model, when that was asked for
  std::optional<train::Start> start;              // where the run does not start from drawn weights
  int threads = 0;                                // that a step will have; 0: all of the machine
  dsl::Diagnostics warnings;                      // already printed, unless the verb prints JSON

  train::Job job() const;
  /// Tokens of a row at most.
  i64 length(const train::TrainOptions& options) const { return data ? data->length(options) : options.context; }
};

/// What the section `data` tells about sizes before anything is read; whoever builds the description reports its
/// errors.
dsl::DataSizes sizes_told(const dsl::SourcePtr& source, const Options& options);

/// `-p` is for the def, where it has such a param or size, and else for the file: options without the first, and those.
std::pair<Options, std::vector<std::string>> divided(const dsl::SourcePtr& source, Options options,
                                                     const std::string& def);

enum class WithData { yes, no };
struct Preparation {
  WithData data = WithData::yes;
  bool starts = false;                             // a new run: `train.from` is read
  std::optional<std::string> built_in = {};        // stands for the embedded text: a run's own copy
  std::optional<train::Tokenizer> tokenizer = {};  // of weights that are there already; the text must fit it
  dsl::DataSizes sizes = {};                       // of weights that are there already, when the data are not read
  std::string seed_of = "train";                   // the section that `--seed` belongs to
  std::optional<dsl::Asked> asked = {};            // a function of tensors instead of a model to train
  const dsl::Description* task = nullptr;  // whose data, train, eval and generate hold instead of the file's own
  const dsl::SweepRun* run = nullptr;      // one run of several: its settings
};
/// What a run in that folder goes on with: its copy of the text, the tokenizer of its weights. A new one when it is not
/// there.
Preparation preparation_of(const std::filesystem::path& run);
/// The texts that the newest checkpoint of a run holds; empty without one. Whoever loads it says that it is damaged.
train::Metadata newest_metadata(const std::filesystem::path& run);
/// Reads, checks and builds. Everything that is wrong with the description is reported first (exit 2), then what is
/// wrong with its data (4); both by throwing.
Work prepare(const dsl::SourcePtr& source, const Options& options, const Preparation& how = {});

/// The description at `options.path`; `-` is standard input, `std/NAME` a file of the standard library.
dsl::SourcePtr read_description(const Options& options);

}  // namespace weft::cli
