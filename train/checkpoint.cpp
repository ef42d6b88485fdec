#include "train/checkpoint.h"

#include <algorithm>
#include <charconv>

#include "train/file.h"

namespace weft::train {
namespace {

constexpr std::string_view kCarried = "carried.";

// Everything that an optimizer may remember, each for all weights or for some.
std::vector<std::string_view> all_kinds() {
  std::vector<std::string_view> all;
  for (const Rule& rule : {Rule(AdamWOptions{}), Rule(SgdOptions{}), Rule(MuonOptions{})})
    all.insert(all.end(), kinds(rule).begin(), kinds(rule).end());
  return all;
}

std::string memory_name(std::string_view kind, std::string_view weight) { return fmt::format("{}.{}", kind, weight); }

// What is kept beside the weights.
bool is_beside(std::string_view name) {
  if (name.starts_with(kCarried)) return true;
  const auto kinds = all_kinds();
  return std::any_of(kinds.begin(), kinds.end(), [&](auto kind) { return name.starts_with(memory_name(kind, "")); });
}
constexpr const char* kStateFile = "state.safetensors";
constexpr std::string_view kStepFolder = "step_", kGood = "good_", kEnding = ".safetensors";

// Shortest digits that read back as the same number: equal state, equal bytes.
std::string digits(double value) { return fmt::format("{}", value); }

std::string list_text(const std::vector<double>& values) {
  std::string all;
  for (const double value : values) all += (all.empty() ? "" : " ") + digits(value);
  return all;
}

Metadata metadata_of(const Progress& p) {
  return {{"step", std::to_string(p.step)},
          {"data_position", std::to_string(p.step)},
          {"evaluated", std::to_string(p.evaluated)},
          {"best_loss", digits(p.best_loss)},
          {"best_step", std::to_string(p.best_step)},
          {"best_count", std::to_string(p.best_count)},
          {"best_correct", std::to_string(p.best_correct)},
          {"seed", std::to_string(p.seed)},
          {"text_hash", p.text_hash},
          {"tokenizer", p.tokenizer},
          {"description", p.description},
          {"skipped", std::to_string(p.skipped)},
          {"skipped_in_a_row", std::to_string(p.skipped_in_a_row)},
          {"losses", list_text(p.losses)}};
}

template <class T> T parsed_number(std::string_view text, const std::string& key, const fs::path& file) {
  T value{};
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
    fail_data("{}: `{}` is not a number in its metadata: {}", file.string(), key, shown(text));
  }
  return value;
}

const std::string& text_of(const Metadata& metadata, const std::string& key, const fs::path& file) {
  const auto found = metadata.find(key);
  if (found == metadata.end())
    fail_data("{}: is not a checkpoint of ours (no `{}` in its metadata)", file.string(), key);
  return found->second;
}

template <class T> T number(const Metadata& metadata, const std::string& key, const fs::path& file) {
  return parsed_number<T>(text_of(metadata, key, file), key, file);
}

std::vector<double> numbers(std::string_view list, const std::string& key, const fs::path& file) {
  std::vector<double> all;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(' '), list.size());
    all.push_back(parsed_number<double>(list.substr(0, end), key, file));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return all;
}

Progress progress_of(const Metadata& metadata, const fs::path& file) {
  Progress p;
  p.step = number<i64>(metadata, "step", file);
  p.evaluated = number<i64>(metadata, "evaluated", file);
  p.best_loss = number<double>(metadata, "best_loss", file);
  p.best_step = number<i64>(metadata, "best_step", file);
  if (metadata.contains("best_count")) {  // since there is data other than text
    p.best_count = number<i64>(metadata, "best_count", file);
    p.best_correct = number<i64>(metadata, "best_correct", file);
  }
  p.seed = number<u64>(metadata, "seed", file);
  if (metadata.contains("skipped")) {  // since updates can be left out
    p.skipped = number<i64>(metadata, "skipped", file);
    p.skipped_in_a_row = number<i64>(metadata, "skipped_in_a_row", file);
    p.losses = numbers(text_of(metadata, "losses", file), "losses", file);
  }
  p.text_hash = text_of(metadata, "text_hash", file);
  p.tokenizer = text_of(metadata, "tokenizer", file);
  p.description = text_of(metadata, "description", file);
  return p;
}

// What is wrong with a tensor that stands for `weight`, or for something like it; empty when nothing is.
std::string fault_of(const NamedTensor& given, const dsl::Weight& weight) {
  if (given.tensor.dtype() == DType::i32)
    return fmt::format("\n  {} holds whole numbers, the model wants real ones", given.name);
  if (given.tensor.shape() == weight.shape) return {};
  return fmt::format("\n  {} has the shape {}, the model wants {}", given.name, text(given.tensor.shape()),
                     text(weight.shape));
}

// Moves the weights out, in the order of `names`.
std::vector<Tensor> taken(std::vector<NamedTensor>& tensors, const std::vector<dsl::Weight>& names,
                          const fs::path& file) {
  std::map<std::string_view, NamedTensor*> by_name;
  for (NamedTensor& t : tensors) by_name[t.name] = &t;
  std::vector<Tensor> result;
  std::string faults;
  for (const dsl::Weight& weight : names) {
    const auto found = by_name.find(weight.name);
    const std::string fault =
        found == by_name.end() ? fmt::format("\n  missing: {}", weight.name) : fault_of(*found->second, weight);
    if (fault.empty()) result.push_back(std::move(found->second->tensor));
    faults += fault;
    by_name.erase(weight.name);
  }
  for (const auto& [name, tensor] : by_name) {
    if (!is_beside(name)) faults += fmt::format("\n  not in the model: {}", shown(name));
  }
  if (!faults.empty()) fail_data("{}: does not fit the model{}", file.string(), faults);
  return result;
}

// Moves out what an optimizer remembered: by weight, and for each by kind. Whether it is what the optimizer wants, the
// optimizer says.
std::vector<Memory> memory_of(std::vector<NamedTensor>& tensors, const std::vector<dsl::Weight>& names,
                              const fs::path& file) {
  std::map<std::string_view, NamedTensor*> by_name;
  for (NamedTensor& t : tensors) by_name[t.name] = &t;
  std::vector<Memory> memory;
  std::string faults;
  for (std::size_t i = 0; i < names.size(); ++i) {
    for (const std::string_view kind : all_kinds()) {
      const auto found = by_name.find(memory_name(kind, names[i].name));
      if (found == by_name.end()) continue;
      faults += fault_of(*found->second, names[i]);
      memory.push_back({kind, i, std::move(found->second->tensor)});
    }
  }
  if (!faults.empty()) fail_data("{}: does not fit the model{}", file.string(), faults);
  return memory;
}

std::string carried_name(std::size_t part, std::size_t state) { return fmt::format("{}{}.{}", kCarried, part, state); }

std::vector<dsl::Carried> carried_of(const std::vector<NamedTensor>& tensors) {
  std::map<std::string_view, Tensor> by_name;
  for (const NamedTensor& t : tensors) by_name[t.name] = t.tensor;
  std::vector<dsl::Carried> all;
  for (std::size_t part = 0; by_name.contains(carried_name(part, 0)); ++part) {
    all.emplace_back();
    for (std::size_t i = 0; by_name.contains(carried_name(part, i)); ++i)
      all.back().states.push_back(by_name[carried_name(part, i)]);
  }
  return all;
}

Checkpoint read_checkpoint(const fs::path& file, const std::vector<dsl::Weight>& names) {
  const Safetensors saved(file);
  Checkpoint checkpoint{progress_of(saved.metadata(), file), {}, {}, {}};
  std::vector<NamedTensor> tensors = saved.load_all();
  checkpoint.weights = taken(tensors, names, file);
  checkpoint.memory = memory_of(tensors, names, file);
  checkpoint.carried = carried_of(tensors);
  return checkpoint;
}

void remove_old(const fs::path& checkpoints, i64 keep) {
  const std::vector<i64> steps = list_checkpoints(checkpoints);
  for (std::size_t i = static_cast<std::size_t>(std::max<i64>(keep, 1)); i < steps.size(); ++i) {
    std::error_code ignored;  // an old checkpoint that stays does no harm
    fs::remove_all(checkpoint_file(checkpoints, steps[i]).parent_path(), ignored);
  }
}

// The step in the name of a file such as good_0000400.safetensors; -1: it has another name.
i64 step_in(std::string_view name, std::string_view before, std::string_view behind) {
  if (!name.starts_with(before) || !name.ends_with(behind) || name.size() < before.size() + behind.size()) return -1;
  name = name.substr(before.size(), name.size() - before.size() - behind.size());
  i64 step = -1;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), step);
  return parsed.ec == std::errc() && parsed.ptr == name.data() + name.size() ? step : -1;
}

// Weights that a validation found good, but not the best: by loss, then by step.
struct Good {
  double loss;
  i64 step;
  auto operator<=>(const Good&) const = default;
};
std::vector<Good> list_good(const fs::path& checkpoints) {
  std::vector<Good> all;
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(checkpoints, none)) {
    const i64 step = step_in(entry.path().filename().string(), kGood, kEnding);
    if (step < 0) continue;
    double loss = std::numeric_limits<double>::infinity();  // of a damaged one: the first to go
    try {
      loss = number<double>(Safetensors(entry.path()).metadata(), "best_loss", entry.path());
    } catch (const Error&) {
    }
    all.push_back({loss, step});
  }
  std::sort(all.begin(), all.end());
  return all;
}

WeightFile read_weight_file(const fs::path& path) {
  WeightFile saved{path, {}, {}};
  const Safetensors file(path);
  saved.metadata = file.metadata();
  for (const TensorEntry& entry : file.entries()) {
    if (is_beside(entry.name)) continue;
    saved.tensors.push_back({entry.name, file.load(entry, Safetensors::Accept::convertible)});
  }
  return saved;
}

}  // namespace

fs::path checkpoint_file(const fs::path& checkpoints, i64 step) {
  return checkpoints / fmt::format("{}{:07}", kStepFolder, step) / kStateFile;
}

fs::path best_file(const fs::path& checkpoints) { return checkpoints / "best.safetensors"; }

fs::path good_file(const fs::path& checkpoints, i64 step) {
  return checkpoints / fmt::format("{}{:07}{}", kGood, step, kEnding);
}

std::vector<fs::path> weight_files(const fs::path& run) {
  const fs::path checkpoints = run / "checkpoints";
  std::vector<fs::path> files;
  if (fs::exists(best_file(checkpoints))) files.push_back(best_file(checkpoints));
  for (const Good& good : list_good(checkpoints)) files.push_back(good_file(checkpoints, good.step));
  for (const i64 step : list_checkpoints(checkpoints)) files.push_back(checkpoint_file(checkpoints, step));
  if (files.empty()) fail_data("{}: has no weights (is it the folder of a run?)", run.string());
  return files;
}

u64 checkpoint_bytes(const std::vector<Tensor>& weights) {
  constexpr u64 kHeader = 65536, kPerWeight = 600;
  u64 bytes = kHeader;
  for (const Tensor& weight : weights) bytes += 3 * weight.bytes() + kPerWeight;
  return bytes;
}

void save_checkpoint(const fs::path& checkpoints, const std::vector<dsl::Weight>& names, const Checkpoint& checkpoint,
                     i64 keep) {
  const fs::path file = checkpoint_file(checkpoints, checkpoint.progress.step);
  make_folders(file.parent_path());
  std::vector<NamedTensor> tensors;
  for (std::size_t i = 0; i < names.size(); ++i) {
    tensors.push_back({names[i].name, checkpoint.weights[i]});
  }
  for (const Memory& m : checkpoint.memory) tensors.push_back({memory_name(m.kind, names[m.weight].name), m.value});
  for (std::size_t part = 0; part < checkpoint.carried.size(); ++part) {
    const auto& states = checkpoint.carried[part].states;
    for (std::size_t i = 0; i < states.size(); ++i) tensors.push_back({carried_name(part, i), states[i]});
  }
  write_safetensors(file, tensors, metadata_of(checkpoint.progress));
  sync_folder(checkpoints);
  Safetensors(file).verify();  // the one before goes only when this one is known to be good
  remove_old(checkpoints, keep);
}

void save_weights(const fs::path& file, const std::vector<dsl::Weight>& names, const std::vector<Tensor>& weights,
                  const Progress& progress) {
  std::vector<NamedTensor> tensors;
  for (std::size_t i = 0; i < names.size(); ++i) tensors.push_back({names[i].name, weights[i]});
  write_safetensors(file, tensors, metadata_of(progress));
}

// The files are all there is to know of the ones before: what a validation of a later step left, before the run was
// resumed from an earlier one, will be made again and counts for nothing.
void keep_best(const fs::path& checkpoints, const std::vector<dsl::Weight>& names, const std::vector<Tensor>& weights,
               const Progress& now, bool best, i64 keep) {
  if (keep == 0) return;
  const i64 step = now.best_step;
  std::error_code ignored;
  if (best && keep > 1) {  // the best so far becomes the second
    const fs::path before = best_file(checkpoints);
    try {
      const i64 its = fs::exists(before) ? progress_of(Safetensors(before).metadata(), before).best_step : step;
      if (its < step) fs::create_hard_link(before, good_file(checkpoints, its), ignored);
    } catch (const Error& error) {  // a damaged one is not worth keeping
      if (error.failure != Failure::data) throw;
    }
  }
  if (best) save_weights(best_file(checkpoints), names, weights, now);
  else if (keep > 1) save_weights(good_file(checkpoints, step), names, weights, now);
  i64 kept = 1;
  for (const Good& good : list_good(checkpoints)) {
    const bool of_another_try = good.step > step || (best && good.step == step);
    if (of_another_try || ++kept > keep) fs::remove(good_file(checkpoints, good.step), ignored);
  }
}

std::vector<i64> list_checkpoints(const fs::path& checkpoints) {
  std::vector<i64> steps;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(checkpoints, error)) {
    const i64 step = step_in(entry.path().filename().string(), kStepFolder, "");
    if (step < 0) continue;
    // A folder without the file is one whose writer was killed: the rename never came.
    std::error_code missing;
    if (fs::is_regular_file(entry.path() / kStateFile, missing)) steps.push_back(step);
  }
  std::sort(steps.rbegin(), steps.rend());
  return steps;
}

Checkpoint load_newest(const fs::path& run, const std::vector<dsl::Weight>& names, bool last_good) {
  const fs::path checkpoints = run / "checkpoints";
  const std::vector<i64> steps = list_checkpoints(checkpoints);
  if (steps.empty()) fail_data("{}: has no checkpoint", run.string());
  std::string damage;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const fs::path file = checkpoint_file(checkpoints, steps[i]);
    try {
      return read_checkpoint(file, names);
    } catch (const Error& error) {
      if (error.failure != Failure::data) throw;
      damage += (damage.empty() ? "" : "\n") + std::string(error.what());
    }
    if (last_good) continue;
    if (i + 1 == steps.size()) break;
    fail_data("{}\nthe checkpoint before it is {}; `weft resume {} --last-good` continues from there", damage,
              checkpoint_file(checkpoints, steps[i + 1]).string(), run.string());
  }
  fail_data("{}\nno other checkpoint is left in {}", damage, run.string());
}

WeightFile read_weights(const fs::path& run_or_file, const std::string& choice, bool last_good,
                        std::string* passed_over) {
  if (!choice.empty() || !fs::is_directory(run_or_file)) return read_weight_file(weight_file(run_or_file, choice));
  const std::vector<fs::path> files = weight_files(run_or_file);
  std::string damage;
  for (std::size_t i = 0; i < files.size(); ++i) {
    try {
      WeightFile saved = read_weight_file(files[i]);
      if (passed_over) *passed_over = damage;
      return saved;
    } catch (const Error& error) {
      if (error.failure != Failure::data) throw;
      damage += (damage.empty() ? "" : "\n") + std::string(error.what());
    }
    if (!last_good && i + 1 < files.size())
      fail_data("{}\nthe next best weights are those of {}; `--last-good` takes them", damage, files[i + 1].string());
  }
  fail_data("{}\nno other weights are left in {}", damage, run_or_file.string());
}

std::vector<Tensor> matched(const WeightFile& saved, const std::vector<dsl::Weight>& names) {
  std::vector<NamedTensor> tensors = saved.tensors;
  return taken(tensors, names, saved.file);
}

SavedWeights load_weights(const fs::path& run_or_file, const std::string& choice, bool last_good,
                          std::string* passed_over) {
  SavedWeights saved{read_weights(run_or_file, choice, last_good, passed_over), {}};
  saved.progress = progress_of(saved.metadata, saved.file);
  return saved;
}

}  // namespace weft::train
