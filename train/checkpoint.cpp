#include "train/checkpoint.h"

#include <algorithm>

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

// What is said of a damaged file: where the next one is ({}), or that there is none.
struct Offer {
  std::string next, none;
};

// The first file that reads. A damaged one is passed over when `last_good` asks for it, and named in any case.
template <class Read> auto first_whole(const std::vector<fs::path>& files, bool last_good, const Offer& offer,
                                       const Read& read, std::string* passed_over = nullptr) {
  std::string damage;
  for (std::size_t i = 0; i < files.size(); ++i) {
    try {
      auto found = read(files[i]);
      if (passed_over) *passed_over = damage;
      return found;
    } catch (const Error& error) {
      if (error.failure != Failure::data) throw;
      damage += (damage.empty() ? "" : "\n") + std::string(error.what());
    }
    if (last_good || i + 1 == files.size()) continue;
    std::string next = offer.next;
    fail_data("{}\n{}", damage, next.replace(next.find("{}"), 2, files[i + 1].string()));
  }
  fail_data("{}\n{}", damage, offer.none);
}

}  // namespace

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
  remove_old_checkpoints(checkpoints, keep);
}

void save_weights(const fs::path& file, const std::vector<dsl::Weight>& names, const std::vector<Tensor>& weights,
                  const Progress& progress) {
  std::vector<NamedTensor> tensors;
  for (std::size_t i = 0; i < names.size(); ++i) tensors.push_back({names[i].name, weights[i]});
  write_safetensors(file, tensors, metadata_of(progress));
}

Checkpoint load_newest(const fs::path& run, const std::vector<dsl::Weight>& names, bool last_good) {
  std::vector<fs::path> files;
  for (const i64 step : list_checkpoints(run / "checkpoints"))
    files.push_back(checkpoint_file(run / "checkpoints", step));
  if (files.empty()) fail_data("{}: has no checkpoint", run.string());
  const Offer offer{
      "the checkpoint before it is {}; `weft resume " + run.string() + " --last-good` continues from there",
      "no other checkpoint is left in " + run.string()};
  return first_whole(files, last_good, offer, [&](const fs::path& file) { return read_checkpoint(file, names); });
}

WeightFile read_weights(const fs::path& run_or_file, const std::string& choice, bool last_good,
                        std::string* passed_over) {
  if (!choice.empty() || !fs::is_directory(run_or_file)) return read_weight_file(weight_file(run_or_file, choice));
  const Offer offer{"the next best weights are those of {}; `--last-good` takes them",
                    "no other weights are left in " + run_or_file.string()};
  return first_whole(weight_files(run_or_file), last_good, offer, read_weight_file, passed_over);
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
