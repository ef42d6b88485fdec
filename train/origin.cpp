#include "train/origin.h"

#include <fmt/ranges.h>

#include "train/file.h"
#include "train/terminal.h"

namespace weft::train {
namespace {

std::string hashed(const fs::path& file) {
  return fmt::format("{} (hash {})", file.string(), hash_of(read_file(file)));
}

std::string lines(const std::vector<std::string>& all) { return fmt::format("\n  {}", fmt::join(all, "\n  ")); }

}  // namespace

Origin::Origin(FromOptions options, dsl::Diagnostics& diagnostics) : options_(std::move(options)) {
  std::error_code none;
  if (!fs::exists(options_.path, none))
    fail_data("train.from: there is no such run or file of weights: {}", options_.path.string());
  saved_ = read_weights(options_.path);
  record_ = hashed(saved_.file);
  if (!options_.map) return;
  const dsl::SourcePtr source = dsl::read_source(options_.map->string(), diagnostics);
  if (source) map_ = dsl::WeightMap(source, diagnostics);
  if (diagnostics.has_errors()) throw dsl::Failed{};
  check(map_.has("b"), "{}: `train.from` reads the side `b` of a map, the weights of the new model; it has only `a`",
        options_.map->string());
  record_ += ", map " + hashed(*options_.map);
}

std::shared_ptr<const Data> Origin::load(const std::string& demanded, const Loader& load) const {
  const auto known = saved_.metadata.find("tokenizer");
  if (known == saved_.metadata.end() || known->second.empty()) return load(nullptr);
  const std::string file = saved_.file.string();
  Tokenizer saved = Tokenizer::from_json(known->second, file);
  saved.labels.clear();  // classes are those of the new data
  const std::string kind = saved.name();
  if (!demanded.empty() && demanded != kind) {
    fail_data(
        "{}: these weights were trained with the tokenizer `{}`, and the description demands `{}`\n"
        "leave `tokenizer` out: that of the weights is taken",
        file, kind, demanded);
  }
  try {
    return load(&saved);
  } catch (const Error& e) {
    load(nullptr);  // a file that cannot be read is another error
    fail_data(
        "{}\n{} is where the weights come from, and its tokenizer stays: take what it does not know out of the "
        "text, or train the first model with `data.text.tokenizer=byte`, which takes any text",
        e.what(), file);
  }
}

Start Origin::start(const std::vector<dsl::Weight>& weights, const std::vector<Tensor>& drawn, const Runtime& runtime,
                    const dsl::Surroundings& surroundings, dsl::Diagnostics& diagnostics) const {
  dsl::NamedWeights source;
  for (const NamedTensor& t : saved_.tensors) source.emplace_back(t.name, t.tensor);
  dsl::MappedWeights found = map_.weights("b", weights, source, "the model", runtime, surroundings, diagnostics);
  const std::string file = saved_.file.string();
  std::string faults;
  if (!found.misfits.empty()) faults += fmt::format("\nof another shape:{}", lines(found.misfits));
  if (!found.missing.empty() && !options_.draws_missing) {
    faults += fmt::format("\nnot in the file:{}\na map says them (train.from.map); train.from.missing=init draws them",
                          lines(found.missing));
  }
  if (found.missing.size() == weights.size()) fail_data("{}: has none of the weights of the model{}", file, faults);
  if (!faults.empty()) fail_data("{}: the model cannot start from these weights{}", file, faults);
  Start start;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Tensor& w = found.weights[i];
    start.weights.push_back(w ? w.converted(drawn[i].dtype()) : drawn[i]);
  }
  start.said = fmt::format(
      "from: {} of {} tensors are those of {}{}{}\n{}", weights.size() - found.missing.size(), weights.size(), file,
      found.mapped == 0 ? "" : fmt::format(", {} by the map {}", found.mapped, options_.map->string()),
      found.missing.empty() ? ""
                            : fmt::format("; {} are drawn: {}", found.missing.size(), fmt::join(found.missing, ", ")),
      unused_note(found.used));
  start.record = record_;
  return start;
}

std::string Origin::unused_note(const std::set<std::string>& used) const {
  std::vector<std::string> unused;
  for (const NamedTensor& t : saved_.tensors) {
    if (!used.contains(t.name)) unused.push_back(shown(t.name));
  }
  return unused.empty() ? "" : fmt::format("note: not used: {}\n", fmt::join(unused, ", "));
}

}  // namespace weft::train
