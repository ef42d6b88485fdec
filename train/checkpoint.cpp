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
constexpr std::string_view kStepFolder = "step_";
constexpr const char* kStateFile = "state.safetensors";
constexpr std::size_t kKept = 2;

// Shortest digits that read back as the same number: equal state, equal bytes.
std::string digits(double value) { return fmt::format("{}", value); }

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
          {"description", p.description}};
}

template <class T> T number(const Metadata& metadata, const std::string& key, const fs::path& file) {
  const auto found = metadata.find(key);
  if (found == metadata.end())
    fail_data("{}: is not a checkpoint of ours (no `{}` in its metadata)", file.string(), key);
  const std::string& text = found->second;
  T value{};
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
    fail_data("{}: `{}` is not a number in its metadata: {}", file.string(), key, shown(text));
  }
  return value;
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
  const auto text = [&](const char* key) {
    const auto found = metadata.find(key);
    if (found == metadata.end())
      fail_data("{}: is not a checkpoint of ours (no `{}` in its metadata)", file.string(), key);
    return found->second;
  };
  p.text_hash = text("text_hash");
  p.tokenizer = text("tokenizer");
  p.description = text("description");
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

void remove_old(const fs::path& checkpoints) {
  const std::vector<i64> steps = list_checkpoints(checkpoints);
  for (std::size_t i = kKept; i < steps.size(); ++i) {
    std::error_code ignored;  // an old checkpoint that stays does no harm
    fs::remove_all(checkpoint_file(checkpoints, steps[i]).parent_path(), ignored);
  }
}

}  // namespace

fs::path checkpoint_file(const fs::path& checkpoints, i64 step) {
  return checkpoints / fmt::format("{}{:07}", kStepFolder, step) / kStateFile;
}

fs::path best_file(const fs::path& checkpoints) { return checkpoints / "best.safetensors"; }

u64 checkpoint_bytes(const std::vector<Tensor>& weights) {
  constexpr u64 kHeader = 65536, kPerWeight = 600;
  u64 bytes = kHeader;
  for (const Tensor& weight : weights) bytes += 3 * weight.bytes() + kPerWeight;
  return bytes;
}

void save_checkpoint(const fs::path& checkpoints, const std::vector<dsl::Weight>& names, const Checkpoint& checkpoint) {
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
  remove_old(checkpoints);
}

void save_weights(const fs::path& file, const std::vector<dsl::Weight>& names, const std::vector<Tensor>& weights,
                  const Progress& progress) {
  std::vector<NamedTensor> tensors;
  for (std::size_t i = 0; i < names.size(); ++i) tensors.push_back({names[i].name, weights[i]});
  write_safetensors(file, tensors, metadata_of(progress));
}

std::vector<i64> list_checkpoints(const fs::path& checkpoints) {
  std::vector<i64> steps;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(checkpoints, error)) {
    const std::string folder = entry.path().filename().string();
    if (!folder.starts_with(kStepFolder)) continue;
    i64 step = -1;
    const auto parsed = std::from_chars(folder.data() + kStepFolder.size(), folder.data() + folder.size(), step);
    if (parsed.ec != std::errc() || parsed.ptr != folder.data() + folder.size()) continue;
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

WeightFile read_weights(const fs::path& run_or_file, const std::string& choice) {
  WeightFile saved{weight_file(run_or_file, choice), {}, {}};
  const Safetensors file(saved.file);
  saved.metadata = file.metadata();
  for (const TensorEntry& entry : file.entries()) {
    if (is_beside(entry.name)) continue;
    saved.tensors.push_back({entry.name, file.load(entry, Safetensors::Accept::convertible)});
  }
  return saved;
}

std::vector<Tensor> matched(const WeightFile& saved, const std::vector<dsl::Weight>& names) {
  std::vector<NamedTensor> tensors = saved.tensors;
  return taken(tensors, names, saved.file);
}

SavedWeights load_weights(const fs::path& run_or_file, const std::string& choice) {
  SavedWeights saved{read_weights(run_or_file, choice), {}};
  saved.progress = progress_of(saved.metadata, saved.file);
  return saved;
}

}  // namespace weft::train
