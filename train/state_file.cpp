#include "train/state_file.h"

#include <charconv>

#include "train/data.h"
#include "train/file.h"

namespace weft::train {
namespace {

constexpr const char* kKind = "state after a prompt";
constexpr std::string_view kState = "state.";

std::string text_in(const Metadata& metadata, const char* key, const fs::path& file) {
  const auto found = metadata.find(key);
  if (found == metadata.end())
    fail_data("{}: is no state that `weft generate --save-state` wrote (no `{}` in its metadata)", file.string(), key);
  return found->second;
}

i64 number_in(const Metadata& metadata, const char* key, const fs::path& file) {
  const std::string text = text_in(metadata, key, file);
  i64 value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
    fail_data("{}: `{}` is not a number in its metadata: {}", file.string(), key, shown(text));
  return value;
}

void check_owner(const Metadata& saved, const Owner& owner, const fs::path& file) {
  const std::string weights = text_in(saved, "weights", file), description = text_in(saved, "description", file);
  if (weights != owner.weights) {
    fail_data("{}: is a state of other weights: theirs have the hash {}, those of {} have {}", file.string(),
              shown(weights), owner.file, shown(owner.weights));
  }
  if (description != owner.description) {
    fail_data("{}: is a state of another description: that one has the hash {}, that of {} with what was set has {}",
              file.string(), shown(description), owner.file, shown(owner.description));
  }
}

Tensor wanted(const Safetensors& saved, std::string_view name, DType dtype, const fs::path& file) {
  const TensorEntry* entry = saved.find(name);
  if (!entry) fail_data("{}: has no tensor `{}`", file.string(), name);
  const Tensor t = saved.load(*entry);
  if (t.dtype() != dtype || t.shape().size() != 1)
    fail_data("{}: `{}` is {} {}", file.string(), name, weft::name(t.dtype()), text(t.shape()));
  return t;
}

}  // namespace

std::string hash_of_weights(const std::vector<dsl::Weight>& names, const std::vector<Tensor>& weights) {
  std::string hashes;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Tensor& w = weights[i];
    hashes += fmt::format("{} {} {} {}\n", names[i].name, text(w.shape()), name(w.dtype()),
                          hash_of({reinterpret_cast<const char*>(w.raw()), w.bytes()}));
  }
  return hash_of(hashes);
}

void save_state(const fs::path& file, const Beginning& b, const Owner& owner) {
  check(b.kept.rows() == 1, "a state of {} rows is not saved", b.kept.rows());
  std::vector<i32> seen;
  for (std::size_t i = 0; i < b.seen.size(); ++i) {
    if (b.seen[i]) seen.push_back(static_cast<i32>(i));
  }
  std::vector<NamedTensor> tensors;
  for (const auto& [name, t] : b.kept.states) tensors.push_back({std::string(kState) + name, t});
  tensors.push_back({"logits", Tensor::from(b.logits, {std::ssize(b.logits)}, DType::f64)});
  tensors.push_back({"seen", Tensor::of_indices(seen, {std::ssize(seen)})});
  write_safetensors(file, tensors,
                    {{"kind", kKind},
                     {"weights", owner.weights},
                     {"description", owner.description},
                     {"position", std::to_string(b.kept.positions[0])},
                     {"last_token", std::to_string(b.last)}});
}

Beginning load_state(const fs::path& file, const Owner& owner, i64 vocab) {
  const Safetensors saved(file);
  const Metadata& metadata = saved.metadata();
  check_owner(metadata, owner, file);
  Beginning b;
  b.kept.positions = {number_in(metadata, "position", file)};
  b.last = static_cast<i32>(number_in(metadata, "last_token", file));
  for (const TensorEntry& entry : saved.entries()) {
    if (entry.name.starts_with(kState)) b.kept.states[entry.name.substr(kState.size())] = saved.load(entry);
  }
  const Tensor logits = wanted(saved, "logits", DType::f64, file), seen = wanted(saved, "seen", DType::i32, file);
  if (logits.size() != vocab)
    fail_data("{}: has {} logits, the vocabulary has {}", file.string(), logits.size(), vocab);
  b.logits.assign(logits.values<double>().begin(), logits.values<double>().end());
  b.seen.resize(static_cast<std::size_t>(vocab));
  for (const i32 token : seen.values<i32>()) {
    if (token < 0 || token >= vocab)
      fail_data("{}: `seen` holds the token {} of a vocabulary of {}", file.string(), token, vocab);
    b.seen[static_cast<std::size_t>(token)] = true;
  }
  return b;
}

}  // namespace weft::train
